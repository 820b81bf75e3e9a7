"""The NAS-Bench-201 table in the layout of GM-NAS and HEP-NAS: reference rows, then the searches by kind, validation
and test accuracy on every data set as mean ± standard deviation, search cost, and what the papers print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analysis import published
from analysis.load import Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables.beside import beside, cost_beside, legend
from analysis.tables.columns import RUNS, Column, by_label, once_per_run, runs_cell, shared
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench.store.record import Results

SPACE = "nb201"
ACCURACIES = (
    Column("valid", "valid", "%", 2, interval=True, spread=True),
    Column("test", "test", "%", 2, interval=True, spread=True),
)
COSTS = (
    Column("forward_images", "images forward (M)", "millions", 2, 1e-6),
    Column("backward_images", "images backward (M)", "millions", 2, 1e-6),
    Column("device_s", "seconds", "s", 0),
)
SOURCES = (
    "NB201 main table (search on CIFAR-10)",
    "NB201 comparison table of later papers",
    "NB201 comparison table",
    "NB201 main table",
    "single run log in repository history",
)
"""The published tables whose methods are reference rows."""
CHAPTER = "choice"
READ = (
    "Each cell is the accuracy (%) of the method's own choice, trained alone: mean ± standard deviation over seeds, "
    "the interval of the mean, and behind it what a paper prints, with a verdict."
)
DEFINITIONS = (
    "Each cell is the accuracy (%) of the architecture that the method itself chose, trained alone, as the truth "
    "tells it: mean ± standard deviation over seeds, with the interval of the mean. Images are those passed through "
    "supernets; seconds are CPU seconds of the process, or GPU seconds, whose published counterparts are of other "
    "devices. Rows that end in (published) have no counterpart that is run here, or one with other settings; they are "
    "as printed there, with the cost in the seconds that the source gives."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting of the space that these papers search."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame[frame["space"] == SPACE], by_target=False):
        paths += sheet(setting, rows, results).write(results.root)
        missing += lines("nb201", setting, rows)
    return Drawn(tuple(paths), tuple(missing))


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting."""
    reasons: dict[str, str] = {}
    parts = targets_of(setting, rows)
    heads = ["Method", RUNS]
    for one, _ in parts:
        heads += [f"{one.target} {column.head} (%)" for column in ACCURACIES]
    heads += [column.head for column in COSTS]
    body, data = list(_reference([one.target for one, _ in parts], set(rows["label"]))), []
    for label, of_label in by_label(rows):
        cells = [Cell(printed(label)), runs_cell(once_per_run(of_label))]
        for one, part in targets_of(setting, of_label):
            same = {**shared(setting, label, part), "target": one.target}
            for column in ACCURACIES:
                numbers, notes = beside(column, part, label, one, reasons)
                cells.append(column.cell(part, *notes))
                data.append({**same, **numbers})
        run = once_per_run(of_label)
        same = {**shared(setting, label, run), "target": ""}
        for column in COSTS:
            numbers, notes = cost_beside(column, run, label, setting, [one.target for one, _ in parts], reasons)
            cells.append(column.cell(run, *notes))
            data.append({**same, **numbers})
        body.append(tuple(cells))
    names = [one.target for one, _ in parts]
    texts = (legend(reasons, setting, names), _sources(names))
    words = describe("nb201", READ, setting, rows, results.root, texts)
    grid = Grid("NAS-Bench-201: accuracy of the choice and search cost", tuple(heads), tuple(body))
    return Sheet("nb201", setting, (grid,), words, pd.DataFrame(data))


def _reference(targets: list[str], run: set[str]) -> Iterator[tuple[Cell, ...]]:
    """Rows of methods that were not run here, as published: nothing where no paper knows the targets."""
    names: dict[tuple[str, str], None] = {}
    for where in SOURCES:
        for p in published.of_space(SPACE):
            if p.where == where and p.label not in run and p.target in targets and p.quantity in ("valid", "test"):
                names.setdefault((p.name, where))
    for name, where in names:
        known = {(p.target, p.quantity): p for p in published.of_space(SPACE) if (p.name, p.where) == (name, where)}
        cells = [Cell(f"{name} (published)"), Cell(UNKNOWN)]
        for target in targets:
            found = (known.get((target, column.source)) for column in ACCURACIES)
            cells += [Cell(UNKNOWN if p is None else p.text) for p in found]
        cost = known.get(("cifar10", "cost"))
        cells += [Cell(UNKNOWN)] * 2 + [Cell(UNKNOWN if cost is None or cost.value is None else f"{cost.value:,.0f}")]
        yield tuple(cells)


def _sources(targets: list[str]) -> str:
    if not any(p.target in targets for p in published.of_space(SPACE)):
        return ""
    read = {p.source: p.confidence for p in published.of_space(SPACE) if p.where in SOURCES and p.value is not None}
    return f"Published numbers were read in: {'; '.join(f'{s} ({c})' for s, c in read.items())}."
