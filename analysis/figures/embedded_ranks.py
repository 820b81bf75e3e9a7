"""The embedded table beside CIFAR-10: the rank of every cell in both, from the data sheet's `ranks.csv`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from analysis import caption, style
from analysis.chart import Axis, Chart
from analysis.output import Drawn, write_figure
from bench.errors import BadRecord
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SOURCE = Path("embedded") / "ranks.csv"
SHEET = "`python -m bench.truth.sheet --official TABLE`"
BINS = 10  # groups of equal number of cells: finer ones jump from group to group
SIZE = 3.2  # inches
XLABEL, YLABEL = "rank in the embedded table (1 is best)", "rank on CIFAR-10 (1 is best)"
BY_SETTING = False
_COLUMNS = ["position", "embedded", "cifar10"]

CHART = Chart(
    x=Axis("embedded", XLABEL),
    y=Axis("cifar10", YLABEL),
    marks=(("", "dots"),),
    series="",
    run="",
    tell=("position",),
    most=2_000,
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure, below `figures/`, where the data sheet was made with an official table."""
    path = results.root / SOURCE
    if not path.exists():
        return Drawn((), (f"embedded_ranks: there is no {path}; {SHEET} makes it",))
    ranks = read(path)
    with style.page():
        stem = results.root / "figures" / "embedded_ranks"
        return Drawn(write_figure(stem, paint(ranks), ranks, describe(ranks, results.root)))


def read(path: Path) -> pd.DataFrame:
    """`position` and the two ranks of every cell. Raises BadRecord where the file is not what the sheet writes."""
    try:
        ranks = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise BadRecord(f"{path} is no table of ranks ({str(error).splitlines()[0]}); {SHEET} again") from None
    numbers = ranks.select_dtypes("number").dropna()
    if list(numbers.columns) != _COLUMNS or numbers.shape != ranks.shape or len(ranks) < 2:
        raise BadRecord(f"{path} is no table of ranks (columns {', '.join(_COLUMNS)}, all known); {SHEET} again")
    return ranks


def tau(ranks: pd.DataFrame) -> float:
    """tau-b of the two rankings."""
    return float(kendalltau(ranks["embedded"], ranks["cifar10"]).statistic)


def quartiles(ranks: pd.DataFrame) -> pd.DataFrame:
    """Mean CIFAR-10 rank, and the quartiles around it, in groups of equal number by embedded rank."""
    ordered = ranks.sort_values(["embedded", "position"])
    bins = max(1, min(BINS, len(ordered) // 5))
    bin_of = np.arange(len(ordered)) * bins // len(ordered)
    middle = ordered["embedded"].groupby(bin_of).median()
    official = ordered["cifar10"].groupby(bin_of)
    spread = {"cifar10": official.mean(), "low": official.quantile(0.25), "high": official.quantile(0.75)}
    return pd.DataFrame({"embedded": middle, **spread})


def describe(ranks: pd.DataFrame, root: Path) -> str:
    """The caption, in Markdown."""
    return caption.folded(
        f"**The embedded table ranks like CIFAR-10, up to a point.** The tau-b of the two orders of {len(ranks):,} "
        f"cells is {tau(ranks):.3f}. A point is a cell, 1 is best; the line is the mean of {BINS} equal groups, the "
        "band their quartiles. It holds for test accuracies: on the project's own images, and on CIFAR-10 "
        "after 200 epochs.",
        f"Ties stand at their mean rank. Checksums of both tables, and what else the embedded one ranks like: "
        f"`{root.as_posix()}/embedded/sheet.md`, made by {SHEET}.\n\nMade by: `{caption.command(root)}`\n",
    )


def paint(ranks: pd.DataFrame) -> Figure:
    """Points and their running quartiles; the best cells at the lower left."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(SIZE, SIZE), layout="constrained")
    axes = figure.subplots()
    n = len(ranks)
    size, alpha = float(np.clip(4_000 / n, 0.8, 8.0)), float(np.clip(2_500 / n, 0.15, 0.6))
    axes.scatter(
        ranks["embedded"], ranks["cifar10"], s=size, alpha=alpha, color=style.BLUE, linewidths=0, rasterized=n >= 2_000
    )
    trend = quartiles(ranks)
    axes.fill_between(trend["embedded"], trend["low"], trend["high"], color=style.GREY, alpha=0.3, linewidth=0)
    axes.plot(trend["embedded"], trend["cifar10"], color=style.BLACK, linewidth=1.2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10]))
        axis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(XLABEL)
    axes.set_ylabel(YLABEL)
    axes.set_title(f"τ = {tau(ranks):.2f}, {n:,} cells")
    axes.set_aspect("equal")
    return figure
