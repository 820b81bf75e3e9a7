"""By what a finalist is chosen, in the layout of GM-NAS, Table 8: the supernet's own accuracy, the benchmark's
validation accuracy, the benchmark's test accuracy (an oracle), and no choice at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.load import RESCORE, Setting, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables.columns import RUNS, Column, by_label, runs_cell, shared
from analysis.tables.grid import Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench.store.record import Results

Finalist = Mapping[str, Any]


def by_validation(finalists: Sequence[Finalist]) -> float | None:
    """Test accuracy of the finalist of highest true validation accuracy; None unless all are known."""
    if not finalists or any(f["valid"] is None or f["test"] is None for f in finalists):
        return None
    return float(max(finalists, key=lambda f: f["valid"])["test"])


def by_test(finalists: Sequence[Finalist]) -> float | None:
    """The highest test accuracy: what looking the answers up gives. None unless all are known."""
    tests = _tests(finalists)
    return None if tests is None else max(tests)


def mean(finalists: Sequence[Finalist]) -> float | None:
    """The mean test accuracy: what choosing by lot gives. None unless all are known."""
    tests = _tests(finalists)
    return None if tests is None else float(np.mean(tests))


def first(finalists: Sequence[Finalist]) -> float | None:
    """Test accuracy of the first finalist."""
    return None if not finalists or finalists[0]["test"] is None else float(finalists[0]["test"])


CRITERIA: Mapping[str, Callable[[Sequence[Finalist]], float | None]] = {
    "by_valid": by_validation,
    "by_test": by_test,
    "by_lot": mean,
    "first": first,
}
COLUMNS = (
    Column("test", "accuracy on shared weights (the method)", "%", 2, interval=True),
    Column("by_valid", "benchmark validation", "%", 2, interval=True),
    Column("by_test", "benchmark test (oracle)", "%", 2, interval=True),
    Column("by_lot", "mean of finalists", "%", 2, interval=True),
    Column("first", "first finalist", "%", 2, interval=True),
    Column("random_best_of_finalists", "random best of as many (oracle)", "%", 2),
    Column("oracle_gain", "oracle's gain (points)", "points", 2, interval=True),
    Column("n_candidates", "finalists", "", 1),
    Column("n_candidates_known", "known", "", 1),
)
CHAPTER = "oracle"
READ = (
    "Each line is a search: the test accuracy (%) of one of its finalists, chosen in different ways; an oracle looks "
    "the answers up, so it is no result of a search."
)
DEFINITIONS = (
    "Test accuracy (%) of one of a search's finalists, trained alone, chosen in different ways: as the method does, "
    "by validation accuracy on shared weights, of the finalist by itself or of the mixture that it comes from; by the "
    "true validation accuracy; by the true test accuracy, which is an oracle and no result of a search; by lot (the "
    "mean of the finalists); the first. Random best of as many is the expected best test accuracy of that many random "
    "architectures, chosen by the same oracle and without any search. The oracle's gain is benchmark test less the "
    "method's. Values over all finalists are left out where the truth lacks one of them; known counts those that it "
    "has. Methods with one finalist in every run are left out. The published table (GM-NAS, Table 8) was not found."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting in which some method has two finalists or more."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        chosen = with_choice(rows)
        if chosen.empty:
            missing.append(
                f"selection {setting.slug}: no run has two finalists; `python -m bench run` a method with a choice, "
                f"such as fewshot, then {RESCORE}"
            )
            continue
        paths += sheet(setting, rows, results).write(results.root)
        missing += lines("selection", setting, rows, sorted(set(chosen["label"])))
    return Drawn(tuple(paths), tuple(missing))


def with_choice(rows: pd.DataFrame) -> pd.DataFrame:
    """All rows of the methods that have two finalists or more in some run."""
    return rows[rows["label"].isin(set(rows.loc[rows["n_candidates"] > 1, "label"]))]


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a column for each criterion, and the oracle's gain."""
    found = rows.copy()
    for name, of in CRITERIA.items():
        found[name] = pd.Series([of(finalists) for finalists in rows["candidates"]], index=rows.index, dtype="float64")
    found["oracle_gain"] = found["by_test"] - found["test"]
    return found


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: a grid for each target."""
    chosen = judged(with_choice(rows))
    grids: list[Grid] = []
    data: list[dict[str, Any]] = []
    for one, part in targets_of(setting, chosen):
        body = []
        for label, of_label in by_label(part):
            body.append((Cell(printed(label)), runs_cell(of_label), *(column.cell(of_label) for column in COLUMNS)))
            data += [
                {**shared(one, label, of_label), "target": one.target, "quantity": column.source, "unit": column.unit}
                | vars(column.mean(of_label))
                for column in COLUMNS
            ]
        heads = ("Method", RUNS, *(column.head for column in COLUMNS))
        grids.append(Grid(f"Choice among the finalists, {one.target}", heads, tuple(body)))
    words = describe("selection", READ, setting, chosen, results.root, methods=sorted(set(chosen["label"])))
    return Sheet("selection", setting, tuple(grids), words, pd.DataFrame(data))


def _tests(finalists: Sequence[Finalist]) -> list[float] | None:
    tests = [f["test"] for f in finalists]
    return None if not tests or any(t is None for t in tests) else [float(t) for t in tests]
