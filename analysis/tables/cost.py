"""What a search costs, phase by phase: images forward and backward, multiply-adds, seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import caption
from analysis.load import Setting, settings
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables.columns import RUNS, Column, by_label, once_per_run, runs_cell, shared
from analysis.tables.grid import Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench.store.record import Results

TOTAL = "total"
COLUMNS = (
    Column("forward_images", "images forward (thousands)", "thousands", 1, 1e-3),
    Column("backward_images", "images backward (thousands)", "thousands", 1, 1e-3),
    Column("gmacs", "multiply-adds (1e12)", "1e12", 2, 1e-3),
    Column("device_s", "seconds", "s", 1),
    Column("wall_s", "wall seconds", "s", 1),
    Column("peak_bytes", "peak memory (MB)", "MB", 0, 1e-6),
)
PHASES = {
    "search": "what no other phase holds",
    "weights": "training of weights",
    "alpha": "training of architecture weights",
    "unrolled": "all passes for the architecture weights of second-order DARTS",
    "cut": "measuring and making a cut",
    "lesson": "teachers' passes of distillation",
    "compare": "choice of the child that lives on",
    "choose": "choice of the architecture at the end",
}
CHAPTER = "cost"
READ = "Each line is a method or, below it, a phase of its search: means over runs; phases add up to the total."
DEFINITIONS = (
    "Means over the runs that are done. A phase pays for what happens while it is the innermost open one, so phases "
    f"add up to the total: {'; '.join(f'{name}: {what}' for name, what in PHASES.items())}. An image passed once "
    "through a supernet counts once, whatever the supernet's size; multiply-adds count the convolutions that were "
    "computed, and a backward pass as two forward ones, though one for architecture weights alone is half of that. "
    "Seconds are CPU seconds of the process, or GPU seconds; wall seconds depend on "
    "what else the device did. Probing the estimates and scoring are outside the account."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        paths += sheet(setting, rows, results).write(results.root)
        missing += lines("cost", setting, rows)
    return Drawn(tuple(paths), tuple(missing))


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: a line for each phase of each method, the total first."""
    body: list[tuple[Cell, ...]] = []
    data: list[dict[str, Any]] = []
    for label, of_label in by_label(once_per_run(rows)):
        same = shared(setting, label, of_label)
        for phase, part in phases(of_label):
            name = Cell(printed(label) if phase == TOTAL else f"    {phase}")
            runs = runs_cell(of_label) if phase == TOTAL else Cell("")
            body.append((name, runs, *(column.cell(part) for column in COLUMNS)))
            data += [
                {**same, "phase": phase, "quantity": column.source, "unit": column.unit} | vars(column.mean(part))
                for column in COLUMNS
            ]
    heads = ("Method and phase", RUNS, *(column.head for column in COLUMNS))
    words = describe("cost", READ, setting, rows, results.root, (caption.made_with(rows), caption.asked(rows)))
    return Sheet("cost", setting, (Grid("Cost of the search by phase", heads, tuple(body)),), words, pd.DataFrame(data))


def phases(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The total, then every phase that some run has, as frames of one row per run; a run without it spent nothing."""
    costs = list(rows["cost"])
    names = sorted({name for cost in costs for name in cost.get("phases", {})}, key=_order)
    sources = [column.source for column in COLUMNS]
    for phase in (TOTAL, *names):
        spent = [cost if phase == TOTAL else cost.get("phases", {}).get(phase, {}) for cost in costs]
        values = [{name: one.get(name, 0.0 if phase != TOTAL else None) for name in sources} for one in spent]
        frame = pd.DataFrame(values, index=rows.index, columns=sources).astype("float64")
        yield phase, frame.assign(status=rows["status"], key=rows["key"])


def _order(phase: str) -> tuple[int, str]:
    known = list(PHASES)
    return (known.index(phase) if phase in known else len(known)), phase
