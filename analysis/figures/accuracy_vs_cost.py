"""What a search returns against what it costs: one point a search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import answer, caption, figure_files, papers, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, settings
from analysis.output import Drawn, as_frame
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "accuracy_vs_cost"
SIZE = (style.TEXT_WIDTH, 4.0)  # inches
APART = (0.032, 0.045)  # of the axes: how far points stand apart at least

DEFINITIONS = (
    "Each point is a search without its ablations: the median over its runs of the true test accuracy of its own "
    "choice, against the mean number of images that its supernets pass, forward and backward. The bar is the middle "
    "half of its runs, small dots are runs. A run whose choice is below the average architecture has collapsed: "
    "medians hold it, and a number beside the point counts such runs. Lines: the largest architecture, which takes no "
    "search, and the average architecture. The axis begins just below the average architecture: what lies below stands "
    "at its end. Searches with two protocols are drawn with the papers' epochs, where these were run."
)

CHAPTER = "cost"
READ = "A point is the median choice of a search, its bar the middle half of the runs; lines take no search."
"""How the figure is read, in a sentence."""
WORDS = caption.Words(NAME, "Accuracy against cost.", READ)

CHART = Chart(
    x=Axis("images", "images passed, forward + backward", scale="log"),
    y=Axis("test", "true test accuracy of the choice (%)", far=plots.FAR),
    marks=(("median", "marker"), ("run", "dots"), ("level", "level")),
    low="low",
    high="high",
    tell=("n", "collapsed"),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth in which searches pass images, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        of = answer.answer(setting, rows, next(answer.protocols(rows)), answer.NO_CLAIMS)
        labels = [line.label for line in of.lines if line.images > 0 and line.test.mean is not None]
        if not labels:
            missing.append(
                f"{NAME} {setting.slug}: no search passed an image and has a truth; {RESCORE} by a fuller one"
            )
            continue
        data = prepare(stats.done(rows), labels, answer.yardsticks(rows))
        paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths), tuple(missing))


def prepare(rows: pd.DataFrame, labels: list[str], yard: answer.Yardsticks) -> pd.DataFrame:
    """All that is drawn: label, name, kind (`median`, `run`, `level`), seed, images, test (%), low, high (quartiles),
    n, collapsed (runs below the average architecture)."""
    lines: list[dict[str, Any]] = []
    for label in labels:
        own = rows[(rows["label"] == label) & rows["test"].notna()].sort_values("seed")
        images, tests = own["forward_images"] + own["backward_images"], own["test"].to_numpy(np.float64)
        shared = {"label": label, "name": papers.search(label).name}
        low, middle, high = np.percentile(tests, [25, 50, 75])
        below = 0 if yard.random_test is None else int((tests < yard.random_test).sum())
        lines.append(
            {**shared, "kind": "median", "images": images.mean(), "test": middle, "low": low, "high": high,
             "n": len(tests), "collapsed": below}
        )  # fmt: skip
        runs = zip(own["seed"], images, tests, strict=True)
        lines += ({**shared, "kind": "run", "seed": s, "images": x, "test": y} for s, x, y in runs)
    levels = {"largest architecture": yard.largest_test, "average architecture": yard.random_test}
    lines += [
        {"label": "", "name": name, "kind": "level", "test": test} for name, test in levels.items() if test is not None
    ]
    columns = ["label", "name", "kind", "seed", "images", "test", "low", "high", "n", "collapsed"]
    return as_frame(lines, columns, ("seed", "n", "collapsed"))


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: numbered points, their names below."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    medians = data[data["kind"] == "median"]
    levels = data[data["kind"] == "level"]
    low, high = _ends(medians, levels)
    axes.set_ylim(low, high)
    axes.set_xscale("log")
    axes.set_xlim(medians["images"].min() / 1.4, medians["images"].max() * 1.4)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    for name, test in _levels(levels):
        if low <= test <= high:
            dash = style.SOLID if name.startswith("largest") else style.DOTTED
            axes.axhline(test, color="#444444", linestyle=dash, linewidth=0.9, zorder=1)
    for at, ((_, row), x) in enumerate(zip(medians.iterrows(), _apart(axes, medians), strict=True), 1):
        _point(axes, at, x, row, data[(data["label"] == row["label"]) & (data["kind"] == "run")])
    axes.set_xlabel("images passed through supernets, forward + backward")
    axes.set_ylabel("true test accuracy of the choice (%)")
    figure.legend(
        handles=list(_handles(medians, levels)), loc="outside lower center", ncols=3, fontsize=5.5, handlelength=1.4,
        columnspacing=0.9, handletextpad=0.4,
    )  # fmt: skip
    plots.say(figure, partial)
    return figure


def _ends(medians: pd.DataFrame, levels: pd.DataFrame) -> tuple[float, float]:
    """Of the axis: from the lowest quartile, but no lower than the average architecture."""
    top = max([*medians["high"], *levels["test"]])
    average = levels.loc[levels["name"].str.startswith("average"), "test"]
    bottom = max([medians["low"].min(), *average])
    margin = 0.1 * max(top - bottom, 0.1)
    return bottom - margin, top + margin


def _levels(levels: pd.DataFrame) -> Iterator[tuple[str, float]]:
    yield from zip(levels["name"].map(str), levels["test"].astype(float), strict=True)


def _apart(axes: Axes, medians: pd.DataFrame) -> list[float]:
    """The places of points along the axis: one that would lie on an earlier one stands beside it."""
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    wide, tall = (high / low) ** APART[0], APART[1] * (top - bottom)
    places: list[tuple[float, float]] = []
    for x, y in zip(medians["images"], medians["test"].clip(bottom, top), strict=True):
        beside = (x * wide**step for step in (0, 1, -1, 2, -2, 3))
        clear = (
            p for p in beside if all(p / a > wide * 0.99 or a / p > wide * 0.99 or abs(y - b) > tall for a, b in places)
        )
        places.append((next(clear, x), y))
    return [x for x, _ in places]


def _point(axes: Axes, at: int, x: float, row: pd.Series, runs: pd.DataFrame) -> None:
    found = papers.search(row["label"])
    fair = style.FAIR in style.parts(row["label"])[1]
    low, high = axes.get_ylim()
    y = min(max(float(row["test"]), low), high)
    axes.scatter([x] * len(runs), runs["test"], s=5, color=found.ink, alpha=0.45, linewidths=0, zorder=2)
    axes.plot([x, x], [row["low"], row["high"]], color=found.ink, linewidth=1.6, alpha=0.6, zorder=3)
    face = "white" if fair else found.ink
    axes.plot(
        [x], [y], marker="o", markersize=8.5, markerfacecolor=face, markeredgecolor=found.ink, zorder=4, clip_on=False
    )
    axes.annotate(
        str(at), (x, y), ha="center", va="center_baseline", fontsize=5.0, weight="bold",
        color=found.ink if fair else "white", zorder=5,
    )  # fmt: skip
    if row["collapsed"]:
        words = f"{row['collapsed']} of {row['n']}"
        axes.annotate(words, (x, y), (6, 5), textcoords="offset points", fontsize=5.0, color=found.ink, zorder=5)


def _handles(medians: pd.DataFrame, levels: pd.DataFrame) -> Iterator[Any]:
    from matplotlib.lines import Line2D

    for at, (_, row) in enumerate(medians.iterrows(), 1):
        found, fair = papers.search(row["label"]), style.FAIR in style.parts(row["label"])[1]
        face = "white" if fair else found.ink
        ends = ", equal images" if fair else ""
        look: dict[str, Any] = {"marker": "o", "markersize": 5, "markerfacecolor": face, "markeredgecolor": found.ink}
        yield Line2D([], [], linestyle="none", label=f"{at}  {found.name}{ends}", **look)
    for name, test in _levels(levels):
        dash = style.SOLID if name.startswith("largest") else style.DOTTED
        yield plots.stroke("#444444", dash, 0.9, f"{name} {test:.2f} %")
    if (medians["collapsed"] > 0).any():
        yield Line2D([], [], linestyle="none", marker="", label="k of n runs below the average")
