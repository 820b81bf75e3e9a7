"""The quantities that tables print, and how a mean over runs becomes a cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import stats
from analysis.load import Setting
from analysis.style import order
from analysis.tables.grid import UNKNOWN, Cell

LOST = ("failed", "interrupted", "timeout")
RUNS = "n (done / diverged / failed)"


@dataclass(frozen=True)
class Column:
    """A quantity of a table: the frame's column it averages, and how the mean is printed."""

    source: str
    head: str  # "{among}" stands for the architectures that are ranked
    unit: str
    digits: int = 0
    factor: float = 1.0
    interval: bool = False
    spread: bool = False  # the mean with the standard deviation over runs, as papers print it

    def mean(self, rows: pd.DataFrame) -> stats.Mean:
        """Over the runs that are done, in the column's unit."""
        return stats.mean_of(self._values(rows))

    def std(self, rows: pd.DataFrame) -> float | None:
        """The standard deviation over the runs that are done (n - 1); None of fewer than two."""
        values = self._values(rows)
        values = values[np.isfinite(values)]
        return float(values.std(ddof=1)) if len(values) > 1 else None

    def cell(self, rows: pd.DataFrame, *notes: str) -> Cell:
        """The mean as text, with the number of its values where it is not that of the runs done."""
        mean = self.mean(rows)
        if mean.mean is None:
            return Cell(UNKNOWN, notes=notes)
        fewer = f" (n = {mean.n})" if mean.n < stats.count(rows, "done") else ""
        std = self.std(rows) if self.spread else None
        value = self.text(mean.mean) + ("" if std is None else f" \N{PLUS-MINUS SIGN} {self.text(std)}") + fewer
        return Cell(value, self.interval_of(mean), notes)

    def _values(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        values = rows[self.source].to_numpy(dtype=np.float64)  # plain arrays: this is called for every cell
        done: NDArray[np.float64] = values[rows["status"].to_numpy() == "done"] * self.factor
        return done

    def interval_of(self, mean: stats.Mean) -> str:
        """`[low, high]`, empty where there is none or the column shows none."""
        if not self.interval or mean.low is None or mean.high is None:
            return ""
        return f"[{self.text(mean.low)}, {self.text(mean.high)}]"

    def text(self, value: float) -> str:
        """The number as it is printed."""
        text = f"{value:,.{self.digits}f}"
        return text.removeprefix("-") if not text.strip("-0.") else text  # no minus before a zero


def runs_cell(rows: pd.DataFrame) -> Cell:
    """How many runs are done, diverged, and failed or interrupted."""
    lost = sum(stats.count(rows, status) for status in LOST)
    return Cell(f"{stats.count(rows, 'done')} / {stats.count(rows, 'diverged')} / {lost}")


def counts(rows: pd.DataFrame) -> dict[str, int]:
    """The same as data."""
    lost = sum(stats.count(rows, status) for status in LOST)
    return {"done": stats.count(rows, "done"), "diverged": stats.count(rows, "diverged"), "failed": lost}


def by_label(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each method, in the order in which methods are printed."""
    for label in sorted(set(rows["label"]), key=order):
        yield label, rows[rows["label"] == label]


def once_per_run(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each run, however many targets it was scored on."""
    return rows.drop_duplicates("key")


def shared(setting: Setting, label: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What every line of a table's data says of its setting and runs."""
    return {
        "space": setting.space,
        "dataset": setting.dataset,
        "scale": setting.scale,
        "truth": setting.truth,
        "population": setting.population,
        "label": label,
        **counts(rows),
    }
