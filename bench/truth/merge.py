"""The embedded table, put together from the shards of one or more passes: one column per seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench import spaces
from bench.errors import BadData
from bench.images import patches
from bench.spaces.cells import CellSpace
from bench.spaces.layout import Shape
from bench.spaces.space import Space
from bench.truth.column import Column
from bench.truth.counts import multiply_adds, parameters
from bench.truth.plan import Plan, trained_instead
from bench.truth.shards import COLUMNS, Series
from bench.truth.table import Header, Table, about

DATASET = "patches"
_OWN = ("seeds", "order", "block")  # what may differ between the passes of one table


def merge(plan: Plan, passes: Sequence[Series], name: str, title: str, version: int = 1) -> Table:
    """The table of all finished shards; cells that are one function get the same numbers. plan: of any pass.

    A table of unfinished passes, or of passes for some classes alone, is marked as incomplete and holds NaN: a mean is
    of the seeds that an architecture has. Raises BadData where passes differ in
    settings, where they hold one training twice, and where nothing is finished.
    """
    begun = [one for one in passes if one.finished()]
    if not begun:
        raise BadData("no shard is finished; run `python -m bench.truth.generate` first")
    settings = [{key: value for key, value in one.header.items() if key not in _OWN} for one in begun]
    for one, its in zip(begun, settings, strict=True):
        if its != settings[0]:
            raise BadData(f"{one.folder} and {begun[0].folder} were made with different settings; merge one of them")
    space = spaces.get(plan.space)
    columns = _columns(pa.concat_tables(one.read(block) for one in begun for block in one.finished()), plan, space)
    header = Header(
        name=name,
        version=str(version),
        space=space.name,
        title=title,
        source="python -m bench.truth.generate",
        complete=not any(np.isnan(values).any() for values in columns.values()),
        population=about(space.population),
        settings={**settings[0], "seeds": sorted({seed for one in begun for seed in one.seeds})},
    )
    return Table(header, columns, _counts(plan, space), space.population)


def _columns(rows: pa.Table, plan: Plan, space: Space) -> dict[Column, NDArray[np.float32]]:
    """Per metric, split and seed `[N]`, NaN where nothing is known."""
    position, seed = (rows[name].to_numpy() for name in ("position", "seed"))
    if len(set(zip(position.tolist(), seed.tolist(), strict=True))) != rows.num_rows:
        raise BadData("two passes trained the same architecture from the same seed; merge one of them")
    instead = trained_instead(space)
    found = {}
    for name in (*COLUMNS, "seconds"):
        split, metric = ("train", "train_seconds") if name == "seconds" else name.split("_", 1)
        values = rows[name].to_numpy().astype(np.float32)
        for each in np.unique(seed).tolist():
            whole = np.full(len(instead), np.nan, np.float32)
            whole[position[seed == each]] = values[seed == each]
            found[Column(metric, DATASET, split, plan.recipe.passes, str(each))] = whole[instead]
    return found


def _counts(plan: Plan, space: Space) -> dict[str, NDArray[np.int64]]:
    if not isinstance(space, CellSpace):
        return {}
    shape = Shape(plan.recipe.channels, plan.recipe.cells, patches.CLASSES, 1, patches.SIZE)
    genotypes = list(space.population)
    return {
        "parameters": np.array([parameters(space, genotype, shape) for genotype in genotypes], np.int64),
        "multiply_adds": np.array([multiply_adds(space, genotype, shape) for genotype in genotypes], np.int64),
    }
