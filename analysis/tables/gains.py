"""What a choice is worth beside a random one: relative improvement, range used, and summaries over data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from analysis import stats
from analysis.load import Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables import pairing
from analysis.tables.columns import RUNS, Column, by_label, once_per_run, runs_cell, shared
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench.scoring import panel
from bench.store.record import Results

COLUMNS = (
    Column("relative_improvement", "RI (%)", "%", 2, interval=True),
    Column("range_used", "range used", "", 3, interval=True),
)
RANGE, CHANCE = COLUMNS[1], pairing.CHANCE
CHAPTER = "choice"
READ = (
    "Each line is a method: RI is what its choice gains over a random architecture; range used is 0 for the mean "
    "random architecture and 1 for the best."
)
DEFINITIONS = (
    f"RI, the relative improvement over a random architecture, is {panel.DEFINITIONS['relative_improvement']}; range "
    f"used is {panel.DEFINITIONS['range_used']}, 0 for the mean random architecture and 1 for the best that the table "
    "holds (a choice that was trained beside an incomplete table can lie above it): the random mean "
    f"is {panel.DEFINITIONS['random_mean']}, the optimum {panel.DEFINITIONS['optimum']}. IQM is the interquartile mean "
    "of range used over all seeds and targets, with a bootstrap that draws runs, each with all its targets, since "
    f"they share its choice; P(beats random) is {panel.DEFINITIONS['beaten']}, the mean over seeds and targets with an "
    "interval of that kind: exact, and no comparison with a few draws. The mean architecture lies far below the median "
    "one, so that range used flatters."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        paths += sheet(setting, rows, results).write(results.root)
        missing += lines("gains", setting, rows)
    return Drawn(tuple(paths), tuple(missing))


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting."""
    parts = targets_of(setting, rows)
    body: list[tuple[Cell, ...]] = []
    data: list[dict[str, Any]] = []
    for label, of_label in by_label(rows):
        cells = [Cell(printed(label)), runs_cell(once_per_run(of_label))]
        same = shared(setting, label, once_per_run(of_label))
        for one, _ in parts:
            part = of_label[of_label["target"] == one.target]
            for column in COLUMNS:
                cells.append(column.cell(part))
                line = {**same, "target": one.target, "quantity": column.source, "unit": column.unit}
                data.append({**line, **vars(column.mean(part))})
        for name, found, column in (("iqm", middle(of_label), RANGE), ("chance", beats(of_label), CHANCE)):
            cells.append(_cell(found, column))
            data.append({**same, "target": "", "quantity": name, "unit": "", **vars(found)})
        body.append(tuple(cells))
    heads = ["Method", RUNS, *(f"{one.target} {column.head}" for one, _ in parts for column in COLUMNS)]
    grid = Grid("What a choice is worth", (*heads, "IQM of range used", "P(beats random)"), tuple(body))
    words = describe("gains", READ, setting, rows, results.root)
    return Sheet("gains", setting, (grid,), words, pd.DataFrame(data))


def middle(rows: pd.DataFrame) -> stats.Mean:
    """The interquartile mean of range used over runs and targets."""
    return stats.by_run([pairing.by_seed(part, "range_used") for _, part in rows.groupby("target")])


def beats(rows: pd.DataFrame) -> stats.Mean:
    """The probability that a choice is better than an architecture drawn at random, over runs and targets."""
    return stats.by_run([pairing.by_seed(part, "beaten") for _, part in rows.groupby("target")], "mean")


def _cell(found: stats.Mean, column: Column) -> Cell:
    return Cell(UNKNOWN) if found.mean is None else Cell(column.text(found.mean), column.interval_of(found))
