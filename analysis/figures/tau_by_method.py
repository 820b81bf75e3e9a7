"""How well each search ranks, and for how many images: one row a search, yardsticks as lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis import answer, caption, figure_files, papers, plots, style
from analysis.answer import Line
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, settings
from analysis.output import Drawn, as_frame
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "tau_by_method"
ROW = 0.2  # inches
LEVELS = {"parameters": "parameter count", "adds": "multiply-adds", "ceiling": "noise ceiling"}
DASHES: dict[str, style.Dash] = {"parameters": style.SOLID, "adds": style.DASHED, "ceiling": style.DOTTED}
SIDE = 0.13  # of a row: how far below its middle cross-entropy stands

DEFINITIONS = (
    "Rows are searches without their ablations, grouped by paper. Left: tau-b of a search's estimates with true test "
    "accuracies over the probe; a dot is the mean over runs of the ranking by estimated accuracy, the tick below it "
    "that by cross-entropy of the same networks, which fewer estimates tie in; lines are intervals of the means. "
    "Vertical lines: what parameter count and multiply-adds reach without any training, and the tau-b to expect of the "
    "truth with itself, trained again. Right: images passed through supernets, forward and backward, a mean over runs. "
    "Outlined marks are searches at the images of their base on one supernet."
)

CHAPTER = "ranking"
READ = "Dots rank by estimated accuracy, ticks by cross-entropy, vertical lines are the sizes and the noise ceiling."
"""How the figure is read, in a sentence."""
WORDS = caption.Words(NAME, "Ranking and cost by search.", READ)

CHART = Chart(
    x=Axis("images", "images passed, forward + backward", scale="log"),
    y=Axis("tau", "tau-b of estimates"),
    marks=(("accuracy", "marker"), ("level", "level")),
    run="",
    low="low",
    high="high",
    tell=("cross_entropy", "n"),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth in which a search ranks, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        lines = searches(setting, rows)
        if not any(line.tau.mean is not None for line in lines):
            missing.append(f"{NAME} {setting.slug}: no search has an estimate with a truth; {RESCORE} by a fuller one")
            continue
        data = prepare(lines, answer.yardsticks(rows))
        paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths), tuple(missing))


def searches(setting: Any, rows: pd.DataFrame) -> list[Line]:
    """The searches of both protocols, each once, by paper."""
    both = [
        line
        for protocol in answer.protocols(rows)
        for line in answer.answer(setting, rows, protocol, answer.NO_CLAIMS).lines
    ]
    return sorted({line.label: line for line in both}.values(), key=lambda line: line.search.place)


def prepare(lines: list[Line], yard: answer.Yardsticks) -> pd.DataFrame:
    """All that is drawn: label, name, kind (`accuracy`, `entropy`, `level`), tau, low, high, n, images."""
    data: list[dict[str, Any]] = []
    for line in lines:
        shared = {"label": line.label, "name": line.search.name, "images": line.images, "n": line.tau.n}
        entropy = line.cross_entropy
        ends = {"tau": line.tau.mean, "low": line.tau.low, "high": line.tau.high}
        data.append({**shared, "kind": "accuracy", **ends, "cross_entropy": entropy.mean})
        data.append({**shared, "kind": "entropy", "tau": entropy.mean, "low": entropy.low, "high": entropy.high})
    levels = {"parameters": yard.parameters, "adds": yard.multiply_adds, "ceiling": yard.ceiling}
    data += [
        {"label": "", "name": LEVELS[kind], "kind": "level", "tau": tau}
        for kind, tau in levels.items()
        if tau is not None
    ]
    columns = ["label", "name", "kind", "tau", "low", "high", "cross_entropy", "n", "images"]
    return as_frame(data, columns, ("n",))


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: tau at the left, images at the right, a row a search."""
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(data.loc[data["kind"] != "level", "label"]))
    rows = _rows(labels)
    figure = Figure(figsize=(style.TEXT_WIDTH, ROW * (max(rows.values()) + 1) + 0.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2.6, 1))
    _taus(left, data, rows)
    left.axvline(0, color="#BBBBBB", linewidth=0.6)
    _costs(right, data, rows)
    places = dict(sorted((row, label) for label, row in reversed(rows.items())))
    left.set_yticks(list(places), [_told(places[row]) for row in places])
    left.set_ylim(max(rows.values()) + 0.6, -0.6)
    left.tick_params(axis="y", length=0)
    right.tick_params(axis="y", length=0)
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
        of = [papers.search(places[row]).paper for row in sorted(places)]
        firsts = [row for row in range(1, len(of)) if of[row] != of[row - 1]]
        for row in firsts:
            axes.axhline(row - 0.5, color="#DDDDDD", linewidth=0.5, zorder=0)
    _legend(figure, data)
    plots.say(figure, partial)
    return figure


def _rows(labels: list[str]) -> dict[str, int]:
    """The row of each label: those that differ in their protocol alone share one."""
    bases = list(dict.fromkeys(style.parts(label)[0] for label in labels))
    return {label: bases.index(style.parts(label)[0]) for label in labels}


def _told(label: str) -> str:
    return papers.search(label).name


def _taus(axes: Axes, data: pd.DataFrame, rows: dict[str, int]) -> None:
    for kind, name in LEVELS.items():
        for tau in data.loc[(data["kind"] == "level") & (data["name"] == name), "tau"]:
            axes.axvline(tau, color="#333333", linestyle=DASHES[kind], linewidth=0.9, zorder=1)
    for _, row in data[(data["kind"] != "level") & data["tau"].notna()].iterrows():
        label, entropy = str(row["label"]), row["kind"] == "entropy"
        ink, fair = papers.search(label).ink, style.FAIR in style.parts(label)[1]
        if entropy and fair:
            continue  # one tick a row
        tau, low, high = (float(row[name]) for name in ("tau", "low", "high"))
        y = rows[label] + (SIDE if entropy else -SIDE / 2)
        width = 0.7 if entropy or fair else 1.8
        axes.plot([low, high], [y, y], color=ink, linewidth=width, zorder=2, solid_capstyle="butt")
        look: dict[str, Any] = {"marker": "|", "markersize": 5, "markeredgewidth": 1.2, "color": ink}
        if not entropy:
            face = "white" if fair else ink
            look = {"marker": "o", "markersize": 4.5, "markerfacecolor": face, "markeredgecolor": ink}
        axes.plot([tau], [y], linestyle="none", zorder=4 if fair else 3, **look)
    axes.set_xlabel("tau-b of estimates with the truth")


def _costs(axes: Axes, data: pd.DataFrame, rows: dict[str, int]) -> None:
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    known = data[(data["kind"] == "accuracy") & (data["images"] > 0)]
    for label, images in zip(known["label"].map(str), known["images"].astype(float), strict=True):
        ink, fair = papers.search(label).ink, style.FAIR in style.parts(label)[1]
        axes.plot(
            [images], [rows[label]], linestyle="none", marker="o", markersize=4.0, markeredgecolor=ink,
            markerfacecolor="white" if fair else ink,
        )  # fmt: skip
    if len(known):
        axes.set_xscale("log")
        low, high = known["images"].min(), known["images"].max()
        axes.set_xlim(low / 1.6, high * 1.6)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 30 * low else (1.0, 3.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("images passed")


def _legend(figure: Figure, data: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D

    grey = papers.NEUTRAL
    handles = [
        Line2D([], [], marker="o", color=grey, linewidth=1.8, markersize=4.5, label="estimated accuracy"),
        Line2D([], [], marker="|", color=grey, linewidth=0.7, markersize=5, label="cross-entropy"),
    ]
    if any(style.FAIR in style.parts(str(label))[1] for label in data["label"]):
        handles.append(
            Line2D([], [], linestyle="none", marker="o", markerfacecolor="white", color=grey, label="at equal images")
        )
    levels = data[data["kind"] == "level"].set_index("name")["tau"]
    handles += [
        plots.stroke("#333333", DASHES[kind], 0.9, f"{name} {plots.number(levels[name], 3)}")
        for kind, name in LEVELS.items()
        if name in levels
    ]
    plots.legend(figure, handles)
