"""How well estimates rank inside the true top: supernets that order all architectures often do not order the best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, figure_files, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE
from analysis.output import Drawn, as_frame
from analysis.runs import searched
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "tau_top"
COLUMNS = {100: "tau", **{top: f"tau_top{top}" for top in (50, 20, 10, 5, 1)}}  # by percent
SPREAD = 0.07  # of the places of methods beside each other

DEFINITIONS = (
    "τ is Kendall's tau-b between a method's estimates (validation accuracy on supernet weights) and test accuracy "
    "when trained alone, over those architectures of the probe that are in the true top k % of it, ties with the last "
    "of them included; 100 % is the whole probe. A share that holds fewer than two architectures, or estimates that "
    "are all equal there, have no tau; n below a share is the number that it asks for, before ties. Markers are means "
    "over seeds; outlined ones (fair) have the budget of the base on one supernet. Grey lines without markers rank by "
    "size alone. "
    f"{caption.SIZES}"
)

CHAPTER = "ranking"
READ = (
    "A marker is the mean tau-b of a method inside a true top share, of the whole probe at the left; grey lines rank "
    "by size alone."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("tau_top", "Ranking inside the true top.", READ)

CHART = Chart(
    x=Axis("top", "true top (%)", scale="log"),
    y=Axis("tau", "tau-b of estimates with truth"),
    marks=(("run", "dots"), ("mean", "marker")),
    low="low",
    high="high",
    tell=("n",),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in searched(frame):
        data = prepare(stats.done(rows))
        if data.empty:
            missing.append(f"{NAME} {setting.slug}: no run has probe estimates with a truth; {RESCORE} pairs them")
            continue
        paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths), tuple(missing))


def prepare(rows: pd.DataFrame) -> pd.DataFrame:
    """All that is drawn: label, kind (`run`, `mean`), seed, top (percent), n (architectures in it, before
    ties), tau, low, high."""
    lines: list[dict[str, Any]] = []
    rows = rows[rows["tau"].notna() & ~rows["label"].str.match(groups.BEST_OF)]  # these rank as RSPS does
    for label in sorted(set(rows["label"]), key=style.order):
        of_label = rows[rows["label"] == label].sort_values("seed")
        for top, column in COLUMNS.items():
            known = of_label[of_label[column].notna()]
            for seed, n, tau in zip(known["seed"], known["probe_n"], known[column], strict=True):
                size = max(1, round(top * n / 100))
                lines.append({"label": label, "kind": "run", "seed": seed, "top": top, "n": size, "tau": tau})
            mean = stats.mean_of(known[column])
            if mean.mean is not None:
                ends = {"tau": mean.mean, "low": mean.low, "high": mean.high}
                lines.append({"label": label, "kind": "mean", "top": top, **ends})
    columns = ["label", "kind", "seed", "top", "n", "tau", "low", "high"]
    return as_frame(lines, columns, ("seed", "n"))


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: panels of methods that are worth comparing; rankings by size as grey lines in each."""
    means = data[data["kind"] == "mean"]
    counts = data[data["kind"] == "run"].groupby("top")["n"].max()
    ticks = [f"{top}\n{f'{counts[top]:,}' if top in counts else ''}" for top in COLUMNS]
    sizes = [label for label in groups.SIZES if label in set(means["label"])]
    panels = groups.panels(set(means["label"]) - set(sizes)) or [("", [])]
    figure, grid = plots.grid(len(panels), plots.WIDE, plots.below(len(sizes)), most=2, sharey=True)
    for (title, members), axes in zip(panels, grid, strict=True):
        axes.axhline(0, color=plots.QUIET, linewidth=0.6, zorder=1)
        for label in sizes:
            _line(axes, 0.0, label, means[means["label"] == label], bare=True)
        for at, label in enumerate(members):
            _line(axes, SPREAD * (at - (len(members) - 1) / 2), label, means[means["label"] == label])
        axes.set_xticks(range(len(COLUMNS)), ticks)
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("true top (%), n of architectures in it")
        plots.title(axes, title)
        plots.own_legend(axes, members, lines=7.0)
    figure.supylabel("tau-b of estimates with truth", fontsize=plots.LABEL)
    plots.legend(figure, [plots.handle(label, with_marker=False) for label in sizes])
    plots.say(figure, partial)
    return figure


def _line(axes: Axes, shift: float, label: str, data: pd.DataFrame, bare: bool = False) -> None:
    look = style.look(label)
    x = np.array([list(COLUMNS).index(top) for top in data["top"]], dtype=float) + shift
    axes.vlines(x, data["low"], data["high"], color=look.colour, linewidth=0.8, zorder=2)
    mark = {} if bare else plots.marker(look, 4.5)
    axes.plot(x, data["tau"], zorder=1.5 if bare else 3, **{**plots.line(look, 0.8 if bare else 1.0), **mark})
