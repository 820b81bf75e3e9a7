"""What both forms of a card share: heads, notes, the text of cells, and the axis of tau that the table draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis import answer, power, stats
from analysis.card.content import Card, Row, Tested
from analysis.plots import number
from analysis.tables.grid import UNKNOWN
from bench.errors import counted

STEP = 0.2  # between ticks
HEADS = (
    "Method", "n", "images", "tau, accuracy", "tau, cross-entropy", "test (%)", "rank", "collapsed",
)  # fmt: skip
"""Of the table."""
TRACK = 3
"""Before which of them the axis stands."""
TESTED_HEADS = ("Comparison", "by", "n", "images", "first less second", "p", "could show", "verdict")
NOTHING_TESTED = "Nothing: neither a claim of a paper nor a baseline at about its images has runs beside it here."


def table_note(card: Card, axis: Axis | None) -> str:
    """How the table is read, in a sentence or two."""
    yards = f" Lines: {', '.join(words for _, words, _ in axis.yards)}." if axis and axis.yards else ""
    marks = " Dots: tau-b by accuracy, ticks below: by cross-entropy." if axis else ""
    few = (
        f"; fewer than {stats.LEAST_RUNS} runs get none"
        if any(line.done < stats.LEAST_RUNS for line in card.lines)
        else ""
    )
    return (
        f"Means over seeds with {stats.CONFIDENCE:.0%} bootstrap intervals{few}.{marks}{yards} Collapsed: "
        "choices worse than the mean architecture. Images are those passed through supernets, forward and backward."
    ).replace("%", " %")


def tested_note(card: Card) -> str:
    """How the comparisons are read."""
    return (
        f"Differences are paired by seed, with Student's {stats.CONFIDENCE:.0%} interval; images: of the first, in "
        "those of the second; p: corrected within its group (Holm). Could show: the true difference that so many pairs "
        f"find with power {power.WANTED:g}: an undecided comparison says nothing of smaller ones."
    ).replace("%", " %")


def tested(card: Card) -> tuple[tuple[str, tuple[Tested, ...]], ...]:
    """The comparisons under their titles."""
    return (
        (f"Claims of the papers, corrected for the {counted(card.corrected, 'claim')} of this setting", card.claims),
        (f"Against baselines, corrected for {counted(len(card.beside), 'comparison')}", card.beside),
        (
            f"Against one drawn at random, which beats half of all, corrected for {counted(card.methods, 'method')}",
            card.random,
        ),
    )


@dataclass(frozen=True)
class Axis:
    """From the lowest to the highest tau that is drawn, with ticks and yardsticks."""

    low: float
    high: float
    ticks: tuple[tuple[str, float], ...]
    yards: tuple[tuple[str, str, float], ...]  # kind, words, tau

    def at(self, tau: float) -> float:
        """Where a tau stands, as a share of the width."""
        return (tau - self.low) / (self.high - self.low)

    def percent(self, tau: float) -> str:
        """The same for a style sheet."""
        return f"{100 * self.at(tau):.2f}%"

    def span(self, mean: stats.Mean) -> tuple[float, float] | None:
        """Begin and length of an interval as shares of the width; None without one."""
        if mean.low is None or mean.high is None:
            return None
        return self.at(mean.low), self.at(mean.high) - self.at(mean.low)


def axis_of(card: Card) -> Axis | None:
    """The axis of everything that ranks; None where nothing does."""
    rows = [row for group in card.groups for row in group.rows]
    means = [mean for row in rows for mean in (row.line.tau, row.line.cross_entropy) if mean.mean is not None]
    if not means:
        return None
    known = (
        ("parameters", "parameter count", card.yard.parameters),
        ("adds", "multiply-adds", card.yard.multiply_adds),
        ("ceiling", "noise ceiling", card.yard.ceiling),
    )
    yards = tuple((kind, f"{words} {number(tau, 3)}", tau) for kind, words, tau in known if tau is not None)
    values = [v for mean in means for v in (mean.mean, mean.low, mean.high) if v is not None]
    values += [tau for _, _, tau in yards]
    low, high = min([0.0, *values]), max([STEP, *values])
    low, high = low - 0.02 * (high - low), high + 0.02 * (high - low)
    ticks = (at * STEP for at in range(math.ceil(low / STEP), math.floor(high / STEP) + 1))
    return Axis(low, high, tuple((number(tick, 1), tick) for tick in ticks), yards)


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, one for each of `HEADS`."""
    line = row.line
    return (
        row.name,
        f"{line.done}{f' ({line.lost} lost)' if line.lost else ''}",
        answer.millions(line.images) if line.images > 0 else ("0" if line.images == 0 else UNKNOWN),
        _told(line.tau, 3),
        _told(line.cross_entropy, 3),
        _told(line.test, 2),
        _told(line.rank, 0),
        row.collapsed,
    )


def _told(mean: stats.Mean, digits: int) -> str:
    return UNKNOWN if mean.mean is None else answer.told(mean, digits)
