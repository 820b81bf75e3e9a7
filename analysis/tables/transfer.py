"""Transfer, in the layout of HEP-NAS: what was chosen on one data set, trained alone on the others; and how far the
truths of these data sets agree, which is as far as any transfer can go."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.load import Setting, is_searched, settings, targets_of
from analysis.missing import lines
from analysis.output import Drawn
from analysis.style import printed
from analysis.tables.columns import RUNS, Column, by_label, runs_cell, shared
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.sheet import Sheet, describe
from bench import metrics
from bench.errors import BadRecord
from bench.scoring import truths
from bench.store.record import Results

ACCURACY = Column("test", "%", "%", 2, interval=True, spread=True)
PLACE = Column("beaten", "better than (%)", "%", 1, 100.0, interval=True)
COLUMNS = (ACCURACY, PLACE, Column("regret_test", "regret (points)", "points", 2))
TENTH = 0.1
CHAPTER = "choice"
READ = (
    "Each line is a search on one data set: the accuracy (%) of its choice on every data set of the truth, and the "
    "share of all architectures that it is better than there."
)
DEFINITIONS = (
    "The choice of a search is scored on every data set that the truth knows; the one that was searched, in this form "
    "or another, is marked. Accuracies of different data sets have no common scale. So each is followed by the share "
    "of the known architectures that the choice is better than, ties counting half: 50 % for one drawn at random. "
    "Truths agree: tau is Kendall's tau-b of the accuracies on both data sets, over the architectures of the probes; "
    "in the top 10 %, over those in the first one's true upper tenth. Best there, here: what the best of these "
    "architectures on the first data set has on the second, and the share that it is better than. A search that knew "
    "the truth of the first would transfer so. Where the truth is named `transfer-…`, networks of one space stand for "
    "those of another by a correspondence that is ours and no paper's (docs/official.md)."
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """Write one table for each setting whose truth knows a data set that was not searched."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=False):
        if any(not is_searched(setting.dataset, target) for target in set(rows["target"])):
            paths += sheet(setting, rows, results).write(results.root)
            missing += lines("transfer", setting, rows)
    return Drawn(tuple(paths), tuple(missing))


def sheet(setting: Setting, rows: pd.DataFrame, results: Results) -> Sheet:
    """The table of one setting: choices, then truths."""
    parts = targets_of(setting, rows)
    grids = [_choices(setting, parts)]
    data = [
        {**shared(one, label, of_label), "target": one.target, "searched": is_searched(one.dataset, one.target)}
        | {"quantity": column.source, "unit": column.unit, **vars(column.mean(of_label))}
        for one, part in parts
        for label, of_label in by_label(part)
        for column in COLUMNS
    ]
    agreements = list(_agreements(rows, [one.target for one, _ in parts], results))
    if agreements:
        grids.append(_truths(agreements))
        data += ({**_of(setting), **agreement} for agreement in agreements)
    words = describe("transfer", READ, setting, rows, results.root)
    return Sheet("transfer", setting, tuple(grids), words, pd.DataFrame(data))


def _choices(setting: Setting, parts: Sequence[tuple[Setting, pd.DataFrame]]) -> Grid:
    heads = ["Method", RUNS]
    for one, _ in parts:
        mark = ", searched" if is_searched(one.dataset, one.target) else ""
        heads += [f"{one.target}{mark} (%)", f"{one.target}: {PLACE.head}"]
    body = []
    for label, of_label in by_label(parts[0][1]):
        cells = [Cell(printed(label)), runs_cell(of_label)]
        for _, part in parts:
            own = part[part["label"] == label]
            cells += [ACCURACY.cell(own), PLACE.cell(own)]
        body.append(tuple(cells))
    return Grid(f"Choice found on {setting.dataset}, and its transfer", tuple(heads), tuple(body))


def _agreements(rows: pd.DataFrame, targets: Sequence[str], results: Results) -> Iterator[dict[str, Any]]:
    """Of every two data sets whose truths lie there, for the same architectures: how far they agree."""
    known = {target: _truth(rows[rows["target"] == target], results) for target in targets}
    for first, second in itertools.permutations(targets, 2):
        (keys, one), (others, other) = known[first], known[second]
        common, a, b = np.intersect1d(keys, others, assume_unique=True, return_indices=True)
        here, there = one[a], other[b]
        if len(common) < 2:
            continue
        best = there[int(here.argmax())]
        yield {
            "target": first,
            "to": second,
            "architectures": len(common),
            "tau": _or_none(metrics.tau_b(here, there)),
            "tau_top10": _or_none(metrics.tau_top(there, here, TENTH)),
            "best_there_here": float(best),
            "best_beaten": float((np.sign(best - there) + 1).mean() / 2),
        }


def _truth(rows: pd.DataFrame, results: Results) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The architectures that a truth was asked for, and their test accuracies (%); none where the file is not there, is
    of another truth, or cannot be trusted."""
    nothing: tuple[NDArray[Any], NDArray[np.float64]] = (np.zeros(0, dtype=np.int32), np.zeros(0))
    with_pairs = rows[rows["pairs"].notna()]
    if with_pairs.empty:
        return nothing
    first = with_pairs.iloc[0]
    path = results.truths_path(str(first["truth"]), str(first["target"]))
    try:
        found = truths.read(path) if path.exists() else None
    except BadRecord:
        return nothing  # named among the damaged by whoever reads pairs
    if found is None or found.checksum != first["truth_checksum"]:
        return nothing
    test = found.columns["test"].astype(np.float64)
    there = np.isfinite(test)
    return found.keys[there], test[there]


def _truths(agreements: Sequence[dict[str, Any]]) -> Grid:
    heads = ("From", "To", "architectures", "tau", "tau in top 10 %", "best there, here (%)", "better than (%)")
    body = [
        (
            Cell(row["target"]),
            Cell(row["to"]),
            Cell(f"{row['architectures']:,}"),
            Cell(_text(row["tau"])),
            Cell(_text(row["tau_top10"])),
            Cell(f"{row['best_there_here']:.2f}"),
            Cell(f"{100 * row['best_beaten']:.1f}"),
        )
        for row in agreements
    ]
    return Grid("How far the truths agree", heads, tuple(body))


def _text(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _of(setting: Setting) -> dict[str, str]:
    return {
        "space": setting.space,
        "dataset": setting.dataset,
        "scale": setting.scale,
        "truth": setting.truth,
        "population": setting.population,
    }
