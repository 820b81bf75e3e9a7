"""Ground truth on demand: the cells that an unfinished embedded table lacks, trained as the table's own were.

Same images, settings and seeds, so a cell gets the numbers that the finished table will hold for it. What is trained is
kept, one small file per class of cells, and never trained twice. With a finished table there is nothing to do.

An unfinished table holds a uniform sample of all classes, and what it says of the space (best, ranks, ceiling, rank
correlation) stays a statement about that sample: cells that a search asked for are no part of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from bench.errors import BadTable
from bench.images import patches
from bench.runs.pool import Job
from bench.spaces.space import Genotype
from bench.store.files import write_atomically
from bench.store.spec import key_of
from bench.truth import Scores
from bench.truth.column import Column
from bench.truth.generate import FIRST, PASSES
from bench.truth.merge import DATASET
from bench.truth.plan import load_images, train_class, trained_instead
from bench.truth.shards import COLUMNS, Row
from bench.truth.table import Table
from bench.truth.tabular import TableTruth

PLAN = PASSES[FIRST].plan


def missing(table: Table, genotypes: Iterable[Genotype]) -> list[int]:
    """The positions to train so that the table knows these cells: representatives of their classes, ascending."""
    known = np.isfinite(table.column(dataset=DATASET, split="test", epochs=PLAN.training.passes, seeds="mean"))
    positions = {table.space.population.row(genotype) for genotype in genotypes}
    return sorted({int(trained_instead()[p]) for p in positions if not known[p]})


def jobs(positions: Sequence[int], folder: Path) -> list[Job]:
    """One job per position: train it from all seeds and write it to `folder`, unless it is there. Raises BadData where
    the images drawn here are not those of the table."""
    if positions:
        patches.load(Path())
    return [partial(_train, position, folder) for position in positions]


def _train(position: int, folder: Path, progress: Callable[[float], None]) -> int:
    path = _path(folder, position)
    progress(0.0)
    if not path.exists():
        torch.set_num_threads(1)
        row = train_class(PLAN, load_images(PLAN), position)
        content = {"position": position, "seeds": PLAN.seeds, "seconds": row.seconds, "values": row.values}
        write_atomically(path, (json.dumps(content, allow_nan=False) + "\n").encode())
    return position


def filled(table: Table, folder: Path) -> Table:
    """The table with all classes of `folder` added where it lacks them. Raises BadTable where a file is damaged."""
    rows = [row for row in stored(folder) if missing(table, [table.space.population.at(row.position)])]
    if not rows:
        return table
    columns = {column: _values(table, column).copy() for column in table.columns}
    instead = trained_instead()
    for row in rows:
        members = np.flatnonzero(instead == row.position)
        for k, seed in enumerate(PLAN.seeds):
            for name in COLUMNS:
                split, metric = name.split("_", 1)
                value = row.values[name][k]
                column = Column(metric, DATASET, split, PLAN.training.passes, str(seed))
                columns[column][members] = np.nan if value is None else value
            seconds = Column("train_seconds", DATASET, "train", PLAN.training.passes, str(seed))
            columns[seconds][members] = row.seconds / len(PLAN.seeds)
    constants = {name: table.constant(name) for name in ("parameters", "multiply_adds")}
    return Table(table.header, columns, constants)


class OnDemand(TableTruth):
    """The embedded table, with the accuracies of further cells for whoever asks for those cells by name."""

    def __init__(self, table: Table, folder: Path) -> None:
        super().__init__(table)
        self._more = TableTruth(filled(table, folder))

    def scores(self, genotype: Genotype, dataset: str) -> Scores:
        """Raises NoSuchEntry where the architecture was trained neither for the table nor on demand."""
        return self._more.scores(genotype, dataset)


def _values(table: Table, column: Column) -> np.ndarray:
    return table.column(
        dataset=column.dataset, split=column.split, epochs=column.epochs, seeds=column.seed, metric=column.metric
    )


def stored(folder: Path) -> Iterator[Row]:
    """The classes that were trained on demand. Raises BadTable where a file is not what `jobs` write."""
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            if tuple(content["seeds"]) != PLAN.seeds or path != _path(folder, content["position"]):
                raise ValueError("other seeds or another name")
            values = {name: content["values"][name] for name in COLUMNS}
            if any(len(of_seeds) != len(PLAN.seeds) for of_seeds in values.values()):
                raise ValueError("not a value of every seed")
            yield Row(content["position"], values, content["seconds"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadTable(f"{path} holds no training of this table ({error}); move it aside and score again") from None


def folder_of(results: Path) -> Path:
    """Where trainings on demand lie within a results folder: a plan of its own for every setting."""
    return results / "truth" / f"{DATASET}-{key_of(asdict(PLAN))}"


def _path(folder: Path, position: int) -> Path:
    return folder / f"{position:05d}.json"
