"""The numbers of a chart as they lie inside the page: columns, words coded once, few dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.chart import Axis, Chart
from bench.errors import BadRecord

DIGITS = 6  # significant ones; the CSV has more


@dataclass(frozen=True)
class Plot:
    """What the page's script draws, as JSON values, and how many rows of the CSV it holds."""

    content: dict[str, Any]
    shown: int
    rows: int


def read(path: Path, chart: Chart) -> Plot:
    """The chart of a figure's CSV. Raises BadRecord where a column that it draws is not there."""
    data = pd.read_csv(path, dtype={chart.series: "string"} if chart.series else None)
    if chart.run not in data:
        chart = replace(chart, run="")
    absent = [name for name in chart.columns if name not in data]
    if absent:
        raise BadRecord(f"{path} lacks the columns {', '.join(absent)} that its chart draws; draw it again")
    if "kind" in chart.columns:
        data = data[data["kind"].isin([kind for kind, _ in chart.marks])]
    some = thinned(data, chart)
    return Plot(
        {
            "x": _axis(chart.x, data),
            "y": _axis(chart.y, data),
            "marks": [list(mark) for mark in chart.marks],
            **{name: getattr(chart, name) for name in ("series", "run", "panel", "head", "low", "high")},
            "tell": list(chart.tell),
            "columns": {name: _column(some[name]) for name in chart.columns},
        },
        len(some),
        len(data),
    )


def thinned(data: pd.DataFrame, chart: Chart) -> pd.DataFrame:
    """At most `chart.most` rows of a series and panel that are drawn as dots, evenly spread; all other rows."""
    dots = [kind for kind, shape in chart.marks if shape == "dots"]
    if not dots:
        return data
    is_dot = data["kind"].isin(dots) if "kind" in chart.columns else pd.Series(True, index=data.index)
    by = [name for name in dict.fromkeys((chart.series, chart.panel)) if name]
    keep = ~is_dot
    dotted = data[is_dot]
    parts = dotted.groupby(by, sort=False, dropna=False).indices.values() if by else [np.arange(len(dotted))]
    for places in parts:
        rows = dotted.index[places]
        chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), chart.most)).round().astype(int))
        keep[rows[chosen]] = True
    return data[keep]


def _axis(axis: Axis, data: pd.DataFrame) -> dict[str, Any]:
    """The axis, its scale settled by the range of its values."""
    content = asdict(axis)
    if axis.scale == "category":
        return content
    values = data[axis.column].dropna().to_numpy(np.float64)
    scale = axis.scale
    if axis.wide and values.size:
        least = max(values.min(), axis.floor) if axis.floor else values[values > 0].min(initial=np.inf)
        if np.isfinite(least) and values.max() >= axis.wide * least:
            scale = "symlog" if axis.floor and values.min() < axis.floor else "log"
    start = None
    if (axis.cut or axis.far) and values.size:
        cut, lower, upper = np.percentile(values, [axis.cut, 25, 75])
        start = float(max(cut, lower - axis.far * (upper - lower))) if axis.far else float(cut)
        if axis.whole:
            start = min([start, *data.loc[data["kind"] == axis.whole, axis.column]])
    return {**{name: content[name] for name in ("column", "title", "floor")}, "scale": scale, "start": start}


def _column(values: pd.Series) -> Any:
    """Numbers as a list, text as its words and the place of each row's word; None where nothing is known."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return [None if pd.isna(value) else _rounded(float(value)) for value in values]
    codes, words = pd.factorize(values)
    return {"words": [str(word) for word in words], "at": [None if code < 0 else int(code) for code in codes]}


def _rounded(value: float) -> float | int:
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short


def decoded(column: Any) -> Sequence[Any]:
    """The values of a column as `_column` wrote it."""
    if isinstance(column, list):
        return column
    return [None if at is None else column["words"][at] for at in column["at"]]
