"""FaDE: whether the ranks of cells that were trained together order them as the truth does, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats as scipy_stats

from analysis.load import Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables.beside import beside, legend
from analysis.tables.columns import RUNS, Column, by_label, runs_cell, shared
from analysis.tables.grid import Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench import metrics
from bench.errors import BadRecord
from bench.store.record import Results

METHODS = ("fade", "fade-dependent", "fade-unregularised", "fade-random")
LEAST_CELLS = 3
"""Fewer known cells than this have no correlation of their own: two always lie on a line."""

COLUMNS = (
    Column("rank_correlation", "Spearman", "", 3, interval=True),
    Column("fade_kendall", "Kendall", "", 3, interval=True),
    Column("fade_pearson", "Pearson", "", 3, interval=True),
    Column("fade_pooled", "Spearman, pooled", "", 3, interval=True),
    Column("fade_rounds", "rounds with an order", "", 1),
    Column("fade_known", "cells known (%)", "%", 0, 100.0),
    Column("test", "test (%)", "%", 2, interval=True),
    Column("forward_images", "images forward (thousands)", "thousands", 1, 1e-3),
    Column("backward_images", "images backward (thousands)", "thousands", 1, 1e-3),
    Column("device_s", "seconds", "s", 1),
)
CHAPTER = "parts"
READ = "Each line is a form of FaDE: how its ranks order the cells that were trained together, against their truth."
DEFINITIONS = (
    "Each round trains one hyper-architecture of d rows with k cells in each, the same cells in all rows; the "
    "FaDE-rank of a cell is the product over rows of its softmax weight. Ranks of different hyper-architectures cannot "
    "be compared, so Spearman, Kendall (tau-b) and Pearson are between ranks and true test accuracies of the cells of "
    f"one round, the mean over the rounds of a run in which the truth knows {LEAST_CELLS} cells or more (rounds with "
    "an order), then over seeds. Pooled: Spearman over all known cells of a run, the logarithm of the rank and the "
    "accuracy each less its mean over the round. The published 0.8 does not say which correlation it is, and is of "
    "another space. Test is the accuracy of the method's choice."
)


@dataclass(frozen=True)
class Orders:
    """How the ranks of one run order its cells. None where nothing is known."""

    spearman: float | None
    kendall: float | None
    pearson: float | None
    pooled: float | None
    rounds: int  # that have an order
    known: float  # share of the cells of all rounds with a truth


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting in which FaDE was run."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        missing += lines("fade", setting, rows, METHODS)
        if not with_rounds(rows).empty:
            paths += sheet(setting, rows, results).write(results.root)
    return Drawn(tuple(paths), tuple(missing))


def with_rounds(rows: pd.DataFrame) -> pd.DataFrame:
    """All rows of the methods that train cells together in rounds."""
    return rows[rows["label"].isin(set(rows.loc[rows["visited"].map(len) > 0, "label"]))]


def orders(rounds: Sequence[Mapping[str, Any]], visited: Sequence[Mapping[str, Any]]) -> Orders:
    """The correlations of one run. rounds: `cells` and their `ranks`; visited: `genotype` and `test` of each cell."""
    truth = {tuple(v["genotype"]): v["test"] for v in visited}
    found: list[tuple[float, float, float]] = []
    pooled: list[np.ndarray] = []
    total = known = 0
    for one in rounds:
        tests = np.array([truth.get(tuple(cell)) for cell in one["cells"]], dtype=np.float64)
        ranks = np.array(one["ranks"], dtype=np.float64)
        both = np.isfinite(tests) & (ranks > 0)
        total, known = total + len(tests), known + int(np.isfinite(tests).sum())
        ranks, tests = ranks[both], tests[both]
        if len(tests) >= 2:
            pooled.append(np.stack([np.log(ranks) - np.log(ranks).mean(), tests - tests.mean()]))
        if len(tests) >= LEAST_CELLS and np.ptp(ranks) > 0 and np.ptp(tests) > 0:
            straight = float(scipy_stats.pearsonr(ranks, tests).statistic)
            found.append((metrics.spearman(ranks, tests), metrics.tau_b(ranks, tests), straight))
    whole = np.concatenate(pooled, axis=1) if pooled else np.empty((2, 0))
    together = metrics.spearman(*whole) if whole.shape[1] >= LEAST_CELLS else np.nan
    share = known / total if total else 0.0
    spearman, kendall, pearson = (float(np.mean([own[at] for own in found])) if found else None for at in range(3))
    return Orders(spearman, kendall, pearson, float(together) if np.isfinite(together) else None, len(found), share)


def ordered(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The rows with a column for each correlation. Raises BadRecord where a record keeps no rounds."""
    pairs = zip(rows["key"], rows["visited"], strict=True)
    found = [orders(_rounds(results, key), visited) if visited else None for key, visited in pairs]
    columns = {
        "rank_correlation": "spearman",
        "fade_kendall": "kendall",
        "fade_pearson": "pearson",
        "fade_pooled": "pooled",
        "fade_rounds": "rounds",
        "fade_known": "known",
    }
    values = {
        name: pd.Series([getattr(one, field, None) for one in found], index=rows.index, dtype="float64")
        for name, field in columns.items()
    }
    return rows.assign(**values)


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: a grid for each target."""
    reasons: dict[str, str] = {}
    some = ordered(with_rounds(rows), results)
    grids: list[Grid] = []
    data: list[dict[str, Any]] = []
    for one, part in targets_of(setting, some):
        body = []
        for label, of_label in by_label(part):
            cells = [Cell(printed(label)), runs_cell(of_label), *map(Cell, _kind(of_label))]
            for column in COLUMNS:
                numbers, notes = beside(column, of_label, label, one, reasons)
                cells.append(column.cell(of_label, *notes))
                data.append({**shared(one, label, of_label), "target": one.target, **numbers})
            body.append(tuple(cells))
        heads = ("Method", RUNS, "k", "d", "rounds", "regularisation", "cells drawn", *(c.head for c in COLUMNS))
        grids.append(Grid(f"FaDE-ranks against the truth, {one.target}", heads, tuple(body)))
    texts = (legend(reasons, setting, sorted(set(some["target"]))),)
    return Sheet(
        "fade",
        setting,
        tuple(grids),
        describe("fade", READ, setting, some, results.root, texts, METHODS),
        pd.DataFrame(data),
    )


def _kind(rows: pd.DataFrame) -> Iterator[str]:
    config = rows["method_id"].iloc[0]["config"]
    yield from (str(config[name]) for name in ("cells", "rows", "rounds"))
    yield str(config["inner"]["config"]["regularised"])
    yield str(config["outer"])


def _rounds(results: Results, key: str) -> Sequence[Mapping[str, Any]]:
    record = results.find(key)
    rounds = record.details.get("rounds") if record is not None else None
    if not rounds or any(len(one.get("ranks", ())) != len(one.get("cells", ())) for one in rounds):
        raise BadRecord(f"{results.run_path(key)} keeps no ranks of its rounds; it is of another version, run it again")
    return rounds  # type: ignore[no-any-return]
