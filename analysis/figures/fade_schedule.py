"""FaDE's regularisation factor over the training of a hyper-architecture, as the runs were set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.output import Drawn, as_frame, write_figure
from analysis.runs import config, searches
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "fade_schedule"
WANTED = ("fade", "fade-dependent")
TITLES = {"independent": "one factor for all rows", "dependent": "a factor per row"}
DEPTHS = (
    (style.BLUE, style.SOLID), (style.ORANGE, style.DASHED), (style.GREEN, style.DASH_DOT),
    (style.PURPLE, style.DOTTED), (style.VERMILLION, style.LONG_DASHED), (style.BLACK, style.DOTTED),
)  # fmt: skip
"""Colour and dash of the rows of a hyper-architecture, the first row first."""
STEPS = 50

DEFINITIONS = (
    "A hyper-architecture of d rows of cells is trained with the loss CE + s · Σ_i r_i Σ_c p_i[c]² for the "
    "architecture weights, where p_i are the weights of row i and s the strength. Shown is the factor r_i over the "
    "epochs of one training, as the settings of the runs have it: while r is positive the weights are spread, while it "
    "is negative they are sharpened. r = 1 - 2t for a share t of the training, or for row i of d, "
    "r_i = max(-1, 1 - 2 t v_i) with v_i falling from 2 in the first row to 1 in the last. This is a schedule, not a "
    "measurement. Epochs are those of the settings; the scale shrinks them all by one factor."
)

CHAPTER = "parts"
READ = (
    "Each panel is one mode: the factor over the epochs of one training, positive while weights are spread, negative "
    "while they are sharpened."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("fade_schedule", "Regularisation factor of FaDE.", READ)

CHART = Chart(
    x=Axis("epoch", "epoch"),
    y=Axis("factor", "regularisation factor"),
    marks=(("", "line"),),
    run="row",
    panel="label",
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set and scale, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searches(frame):
        data = prepare(stats.done(rows))
        missing += groups.gaps(NAME, setting, rows, WANTED)
        if data.empty:
            continue
        shown = rows[rows["label"].isin(data["label"])]
        strength = data.groupby("label")["strength"].first()
        strengths = "; ".join(f"{style.printed(str(label))}: {s:g}" for label, s in strength.items())
        words = caption.text(WORDS, setting, shown, results.root, more=f"Strengths: {strengths}.")
        with style.page():
            stem = results.root / "figures" / f"{NAME}-{setting.slug}"
            paths += write_figure(stem, paint(data), data, words)
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def prepare(rows: pd.DataFrame) -> pd.DataFrame:
    """All that is drawn: label, mode, strength, row (1 is the first), epoch, factor; one label for each mode."""
    lines: list[dict[str, Any]] = []
    seen: set[str] = set()
    for label in sorted(set(rows["label"]), key=style.order):
        method = rows.loc[rows["label"] == label, "method_id"].iloc[0]
        mode = config(method, "inner", "regularised")
        if mode not in TITLES or mode in seen:
            continue
        seen.add(mode)
        epochs, depth = config(method, "inner", "training")["epochs"], config(method, "rows")
        shared = {"label": label, "mode": mode, "strength": config(method, "inner", "strength")}
        for t in np.linspace(0, 1, STEPS + 1):
            for row, factor in enumerate(factors(depth, float(t), mode), 1):
                lines.append({**shared, "row": row, "epoch": t * epochs, "factor": factor})
    return as_frame(lines, ["label", "mode", "strength", "row", "epoch", "factor"])


def factors(rows: int, progress: float, mode: str) -> list[float]:
    """r_i of every row after a share `progress` of the training (Neumeyer et al., arXiv 2404.16218, Fig. 2)."""
    speeds = np.linspace(2, 1, rows) if mode == "dependent" else np.ones(rows)
    return [max(-1.0, 1 - 2 * progress * float(speed)) for speed in speeds]


def paint(data: pd.DataFrame) -> Figure:
    """The figure: a panel per mode, a line per row where rows differ."""
    modes = [mode for mode in TITLES if mode in set(data["mode"])]
    figure, panels = plots.grid(len(modes), (1.9, 1.5), 0.1, sharey=True)
    for mode, axes in zip(modes, panels, strict=True):
        of_mode = data[data["mode"] == mode]
        axes.axhline(0, color=plots.QUIET, linewidth=0.6)
        for row in sorted(set(of_mode["row"])) if mode == "dependent" else [1]:
            line = of_mode[of_mode["row"] == row]
            alike = mode == "independent"
            colour, dash = (style.BLACK, style.SOLID) if alike else DEPTHS[(row - 1) % len(DEPTHS)]
            name = "all rows" if alike else f"row {row}"
            axes.plot(line["epoch"], line["factor"], color=colour, linestyle=dash, linewidth=1.3, label=name)
        axes.set_xlabel("epoch")
        axes.legend(loc="upper right", borderaxespad=0)
        plots.title(axes, TITLES[mode])
    panels[0].set_ylabel("regularisation factor")
    return figure
