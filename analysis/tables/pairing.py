"""Two methods compared seed by seed: what ablations, protocols and claims print of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis import stats
from analysis.tables.columns import Column
from analysis.tables.grid import UNKNOWN, Cell

WORDS = (
    "Differences are paired by seed: mean, Student's 95 % interval, and p of the two-sided sign-flip test (exact up to "
    f"{stats.EXACT_PAIRS} pairs), which with n pairs cannot be below 2^(1 - n). P(better) is the probability that a "
    "run of the first is above one of the second, ties counting half (probability of improvement), with its bootstrap "
    f"interval. Fewer than {stats.LEAST_RUNS} pairs have no interval and no verdict; nor have pairs that all differ "
    "alike, which tell nothing of how runs vary."
)
CHANCE = Column("", "", "", 2, interval=True)


def by_seed(rows: pd.DataFrame, source: str) -> dict[int, float]:
    """The values of the runs that are done, by seed; the mean where a seed has several runs, as of several draws."""
    columns = (rows[name].to_numpy() for name in ("seed", source, "status"))  # plain arrays: this is called often
    known: dict[int, list[float]] = {}
    for seed, value, status in zip(*columns, strict=True):
        if status == "done" and not pd.isna(value):
            known.setdefault(int(seed), []).append(float(value))
    return {seed: sum(values) / len(values) for seed, values in known.items()}


def compared(a: pd.DataFrame, b: pd.DataFrame, source: str) -> tuple[stats.Paired, stats.Mean]:
    """a less b by seed, and the probability that a run of a is above one of b."""
    first, second = by_seed(a, source), by_seed(b, source)
    return stats.paired(first, second), stats.probability_of_improvement(
        [(list(first.values()), list(second.values()))]
    )


def cells(found: stats.Paired, chance: stats.Mean, column: Column) -> tuple[Cell, Cell, Cell]:
    """Difference, p and probability of improvement, printed in the digits of the column."""
    mean = found.difference
    if mean.mean is None:
        return Cell(UNKNOWN), Cell(UNKNOWN), Cell(UNKNOWN)
    text = Column("", "", "", column.digits).text(mean.mean * column.factor)
    interval = ""
    if mean.low is not None and mean.high is not None:
        low, high = (column.text(value * column.factor) for value in (mean.low, mean.high))
        interval = f"[{low}, {high}]"
    p = UNKNOWN if found.p is None else f"{found.p:.3f}"
    likely = Cell(UNKNOWN) if chance.mean is None else Cell(CHANCE.text(chance.mean), CHANCE.interval_of(chance))
    return Cell(text if text.startswith("-") else f"+{text}", interval or f"(n = {mean.n})"), Cell(p), likely


def data(found: stats.Paired, chance: stats.Mean) -> dict[str, Any]:
    """The same as numbers."""
    likely = {f"chance_{name}": value for name, value in vars(chance).items() if name != "n"}
    return {**vars(found.difference), "p": found.p, "verdict": found.verdict, **likely}
