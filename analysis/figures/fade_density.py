"""How far FaDE's training spreads the weights of the cells: their density, one colour per depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde

from analysis import caption, figure_files, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.figures.fade_schedule import DEPTHS
from analysis.output import Drawn, as_frame
from analysis.runs import rounds, runs, searches
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "fade_density"
WANTED = ("fade", "fade-dependent", "fade-unregularised", "fade-random")
POINTS = 160  # of a density curve

DEFINITIONS = (
    "p is the architecture weight of a cell in its row of a trained hyper-architecture; the weights of the k cells of "
    "a row add up to 1, so that p = 1/k (vertical line) where none is preferred. Curves are Gaussian kernel densities "
    "(Scott's bandwidth) of p over all cells, rounds and runs, one for each row of the hyper-architecture: row 1 is "
    "the first that the image passes. The ticks below are the weights themselves."
)

CHAPTER = "parts"
READ = "Each panel is one method: the density of its cells' weights, a curve for each row of the hyper-architecture."
"""How the figure is read, in a sentence."""
WORDS = caption.Words("fade_density", "Density of FaDE's weights.", READ)

CHART = Chart(
    x=Axis("p", "weight of a cell"),
    y=Axis("density", "density"),
    marks=(("density", "line"),),
    run="row",
    panel="label",
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set and scale, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searches(frame):
        data = prepare(stats.done(rows), results)
        missing += groups.gaps(NAME, setting, rows, WANTED)
        if data.empty:
            continue
        paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, row, kind (`weight` of a cell, `density` on a grid), seed, round, cells (k), p,
    density."""
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        weights: dict[int, list[float]] = {}
        for row, record in runs(rows[rows["label"] == label], results):
            for number, one in enumerate(rounds(record), 1):
                for depth, values in enumerate(one["weights"], 1):
                    weights.setdefault(depth, []).extend(values)
                    shared = {"label": label, "row": depth, "kind": "weight", "seed": row["seed"], "round": number}
                    lines += ({**shared, "cells": len(values), "p": p} for p in values)
        lines += (
            {"label": label, "row": depth, "kind": "density", "p": p, "density": d}
            for depth, values in weights.items()
            for p, d in density(values)
        )
    columns = ["label", "row", "kind", "seed", "round", "cells", "p", "density"]
    return as_frame(lines, columns, ("seed", "round", "cells"))


def density(values: list[float]) -> list[tuple[float, float]]:
    """(p, density) on a grid around the values; empty where they are all equal."""
    spread = float(np.std(values))
    if len(values) < 2 or spread < 1e-9:
        return []
    grid = np.linspace(max(0.0, min(values) - 1.5 * spread), min(1.0, max(values) + 1.5 * spread), POINTS)
    return list(zip(grid.tolist(), gaussian_kde(values)(grid).tolist(), strict=True))


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: a panel per method."""
    from matplotlib.ticker import MaxNLocator

    labels = list(dict.fromkeys(data["label"]))
    figure, panels = plots.grid(len(labels), (2.1, 1.5), 0.3, sharex=True)
    for label, axes in zip(labels, panels, strict=True):
        _panel(axes, data[data["label"] == label])
        plots.title(axes, style.printed(label))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel("weight p of a cell in its row")
    figure.supylabel("density", fontsize=plots.LABEL)
    depths = sorted(set(data["row"]))
    handles = []
    for depth in depths:
        colour, dash = DEPTHS[(depth - 1) % len(DEPTHS)]
        handles.append(plots.stroke(colour, dash, 1.3, label=f"row {depth}"))
    plots.legend(figure, handles, columns=len(handles))
    plots.say(figure, partial)
    return figure


def _panel(axes: Axes, data: pd.DataFrame) -> None:
    weights = data[data["kind"] == "weight"]
    axes.axvline(1 / int(weights["cells"].iloc[0]), color=plots.QUIET, linewidth=0.7, zorder=1)
    depths = sorted(set(weights["row"]))
    for at, depth in enumerate(depths):
        colour, dash = DEPTHS[(depth - 1) % len(DEPTHS)]
        curve = data[(data["row"] == depth) & (data["kind"] == "density")]
        axes.plot(curve["p"], curve["density"], color=colour, linestyle=dash, linewidth=1.2, zorder=3)
        p = weights.loc[weights["row"] == depth, "p"]
        low, high = (-0.035 * (len(depths) - at), -0.035 * (len(depths) - at - 1))
        axes.vlines(
            p, low, high, color=colour, linewidth=0.3, alpha=0.6, transform=axes.get_xaxis_transform(), clip_on=False
        )
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="x", pad=2 + 2.5 * len(depths), length=0)
    axes.spines["bottom"].set_visible(False)
