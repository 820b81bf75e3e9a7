"""How the numbers behind a figure are drawn anew where a reader can point at them: in the report's page.

A figure module that offers `CHART` gets a drawing of its CSV beside its picture; one without is shown as printed.
The specification is plain data, so that the page's script needs to know no figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scale = Literal["linear", "log", "symlog", "category"]
Shape = Literal["dots", "line", "steps", "thin", "thin steps", "trend", "marker", "hollow", "star", "level"]


@dataclass(frozen=True)
class Axis:
    """A column of the CSV along an axis. `symlog` is linear below `floor`, so that 0 has a place."""

    column: str
    title: str
    scale: Scale = "linear"
    wide: float = 0.0  # a linear axis becomes logarithmic (symlog with a floor) from this ratio of values on; 0: never
    floor: float = 0.0
    cut: float = 0.0  # percentile of the values below which nothing is shown
    far: float = 0.0  # nor what lies further below the lower quartile than so many interquartile ranges
    whole: str = ""  # the kind of rows that is shown all the same


@dataclass(frozen=True)
class Chart:
    """`marks` are pairs of a value of the column `kind` ("" for all rows, where there is no such column) and a shape.

    Rows of one `series` share a colour and can be filtered; those of one series and `run` are one line, a thin one
    where the series also has a line without a run, its mean. Rows without a value of `panel` are in every panel.
    """

    x: Axis
    y: Axis
    marks: tuple[tuple[str, Shape], ...] = (("", "marker"),)
    series: str = "label"  # nothing where the rows are of no method
    run: str = "seed"  # not every CSV has it
    panel: str = ""  # a column; each of its values gets a panel
    head: str = ""  # a column of words that stand above a panel, in some of its rows
    low: str = ""  # columns of an interval of y
    high: str = ""
    tell: tuple[str, ...] = ()  # further columns told when a value is pointed at
    most: int = 400  # points of one series and kind that the page holds; the CSV has them all

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the chart needs, each once; `kind` only where marks tell kinds apart."""
        kind = "kind" if any(value for value, _ in self.marks) else ""
        axes = (self.x.column, self.y.column, self.low, self.high)
        names = (self.series, self.run, self.panel, self.head, kind, *axes, *self.tell)
        return tuple(dict.fromkeys(name for name in names if name))
