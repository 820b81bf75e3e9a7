"""A figure of some runs of a setting, written with the caption that all such figures share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from analysis import caption, findings, groups, style
from analysis.load import Setting
from analysis.output import write_figure
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(
    words: caption.Words,
    setting: Setting,
    rows: pd.DataFrame,
    data: pd.DataFrame,
    paint: Callable[[pd.DataFrame, str], Figure],
    results: Results,
    more: str = "",
) -> tuple[Path, ...]:
    """Paint `data`, whose `label` says which methods of the setting's `rows` are in it, and write it below `figures/`.

    paint: gets the data and the mark of a study that is not whole. more: what is special about this one.
    """
    partial = groups.mark(setting, rows, data["label"])
    shown = rows[rows["label"].isin(data["label"])]
    found = findings.found(words.name, setting, rows)
    text = caption.text(words, setting, shown, results.root, partial, more, found)
    with style.page():
        return write_figure(results.root / "figures" / f"{words.name}-{setting.slug}", paint(data, partial), data, text)
