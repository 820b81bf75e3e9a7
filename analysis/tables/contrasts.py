"""Pairs of methods that claims are about, however many: by every measure, in what they choose, and in how they vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis import power, stats
from analysis.load import Setting
from analysis.style import printed
from analysis.tables import pairing
from analysis.tables.columns import Column, shared
from analysis.tables.grid import UNKNOWN, Cell, Grid
from analysis.tables.judging import Judged, without_draws
from analysis.tables.measures import EVERY, TEST, Measure

CHOICE_HEADS = (
    "First",
    "Second",
    "n runs",
    "median regret, first (points)",
    "median regret, second (points)",
    "collapsed, first",
    "collapsed, second",
    "P(first chooses better)",
)
SPREAD_HEADS = (
    "First",
    "Second",
    "measure",
    "n pairs",
    "one parent",
    "sd of the paired difference",
    "sd, were they not paired",
    "could show",
    "could show, not paired",
    "pairs for a difference that matters",
)
SAID = {True: "yes", False: "no", None: UNKNOWN}
"""Whether both sides begin with one parent."""


def pairs_of(ran: Sequence[Judged]) -> list[Judged]:
    """Every two methods that can be compared, once, however many claims are about them."""
    found: dict[tuple[str, str], Judged] = {}
    for one in ran:
        if one.claim.second and not one.why:
            found.setdefault((one.claim.first, one.claim.second), one)
    return list(found.values())


def names(one: Judged) -> tuple[Cell, Cell]:
    """Both sides as they are printed; a side with several draws says how many."""
    return Cell(_name(one.claim.first, one.first)), Cell(
        _name(one.claim.second, one.second) if one.claim.second else f"{one.claim.chance:g}"
    )


def _name(label: str, rows: pd.DataFrame) -> str:
    draws = rows.groupby("seed")["key"].nunique().max() if len(rows) else 1
    said = printed(without_draws(str(rows["label"].iloc[0]))) if len(rows) else printed(label)
    return said if draws < 2 else f"{said} ({draws} draws)"


def by_every_measure(setting: Setting, pairs: Sequence[Judged], measured: Sequence[Sequence[stats.Paired]]) -> Grid:
    """First less second of every pair, by all of `EVERY`."""
    heads = ("First", "Second", "n pairs", *(measure.head for measure in EVERY))
    body = []
    for one, found in zip(pairs, measured, strict=True):
        n = max(each.difference.n for each in found)
        cells = (pairing.cells(each, one.chance, measure)[0] for each, measure in zip(found, EVERY, strict=True))
        body.append((*names(one), Cell(str(n)), *cells))
    return Grid(f"The same pairs by every measure, {setting.target}", heads, tuple(body))


def choices(one: Judged) -> tuple[Cell, ...]:
    """Medians and collapses of both sides, which a mean over few runs hides."""
    sides = [stats.done(rows).dropna(subset=["regret_test"]) for rows in (one.first, one.second)]
    medians = [None if rows.empty else float(rows["regret_test"].median()) for rows in sides]
    lost = [f"{collapsed(rows)} of {len(rows)}" for rows in sides]
    _, chance = pairing.compared(one.first, one.second, TEST.source)
    likely = UNKNOWN if chance.mean is None else pairing.CHANCE.text(chance.mean)
    numbers = (Cell(" / ".join(str(len(rows)) for rows in sides)), *(number(value, TEST) for value in medians))
    return (*names(one), *numbers, *map(Cell, lost), Cell(likely, pairing.CHANCE.interval_of(chance)))


def collapsed(rows: pd.DataFrame) -> int:
    """How many choices are worse than the mean of all architectures."""
    return int((rows["test"] < rows["random_mean"]).sum())


def spread(one: Judged) -> tuple[Cell, ...]:
    """How differences vary between pairs, and what would be left of the power without pairing."""
    measure, found = one.claim.measure, one.found
    apart = unpaired(one)
    shown = None if not apart else power.smallest_difference(apart, found.difference.n, one.level)
    low, high = stats.interval_of_sd(found.sd or 0.0, found.difference.n)
    needed = power.pairs_needed(measure.margin, found.sd or 0.0, one.level) if measure.margin and found.sd else None
    return (
        *names(one),
        Cell(measure.head),
        Cell(str(found.difference.n)),
        Cell(SAID[one.one_parent]),
        Cell(measure.text(found.sd or 0.0), f"[{measure.text(low)}, {measure.text(high)}]"),
        number(apart, measure),
        number(one.shown, measure),
        number(shown, measure),
        Cell(UNKNOWN if needed is None else f"{needed:,}"),
    )


def unpaired(one: Judged) -> float | None:
    """The standard deviation of a difference of unrelated runs of both sides; None against chance."""
    if not one.claim.second:
        return None
    sides = (list(pairing.by_seed(rows, one.claim.measure.source).values()) for rows in (one.first, one.second))
    variances = [float(np.var(values, ddof=1)) for values in sides if len(values) > 1]
    return float(np.sqrt(sum(variances))) if len(variances) == 2 and sum(variances) > 0 else None


def number(value: float | None, column: Column) -> Cell:
    """In the digits of the column."""
    return Cell(UNKNOWN if value is None else column.text(value))


def measured(setting: Setting, one: Judged, found: Sequence[stats.Paired]) -> list[dict[str, Any]]:
    """A pair by every measure, and what both sides choose, as numbers: no claims, so without a paper or a verdict."""
    told = []
    for measure, each in zip(EVERY, found, strict=True):
        line = {**described(setting, one, measure, "measure"), **vars(each.difference)}
        told.append({**line, "p": each.p, "p_student": each.student, "sd": each.sd})
    for name, rows in (("first", one.first), ("second", one.second)):
        known = stats.done(rows).dropna(subset=["regret_test"])
        line = {**described(setting, one, Measure(f"median_regret_{name}", "", "points"), "choice"), "n": len(known)}
        told.append({**line, "mean": float(known["regret_test"].median()) if len(known) else None})
        line = {**described(setting, one, Measure(f"collapsed_{name}", "", "runs"), "choice"), "n": len(known)}
        told.append({**line, "mean": collapsed(known)})
    return told


def described(setting: Setting, one: Judged, measure: Measure, role: str) -> dict[str, Any]:
    """What every line of the numbers says of a pair and a measure."""
    return {
        **shared(setting, one.claim.first, one.first),
        "target": setting.target,
        "role": role,
        "second": one.claim.second,
        "quantity": measure.source,
        "unit": measure.unit,
    }
