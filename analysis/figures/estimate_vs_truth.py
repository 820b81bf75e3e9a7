"""What the supernet thought of architectures against how good they are: one small panel per method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, Setting, settings
from analysis.output import Drawn, write_figure
from analysis.pairs import read_pairs, running_median, sides
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CUT = 2.0  # percentile of the true accuracies below which nothing is shown
NAME_LINE = 0.1  # inches: each further line of a name above a panel
FAR = 3.0  # nor what lies further below the lower quartile than so many interquartile ranges
PANEL = (1.8, 1.55)  # inches
MANY = 13  # panels: from so many on four in a row
NAME_FITS = 23  # letters above a panel
SHARE = "share of the largest (%)"
NO_ACCURACY = {"parameters": SHARE, "multiply-adds": SHARE, "bayes": "value of a regression (%)"}
"""What a panel shows of methods whose estimates are no accuracies on a supernet."""
DARK = "#333333"
DENSE = 2_000  # from this many points on they are an image inside the PDF

DEFINITIONS = (
    "Each point is an architecture of the probe: its test accuracy when trained alone against its validation accuracy "
    "on the supernet's weights, but where the label of a panel names another estimate: the sizes' is a share of the "
    "largest one, that of Bayesian optimisation the value of a regression. Points are of the run with the median tau "
    "(the lower of two middle ones), and so is the panel's τ; where there are more runs, their mean stands behind it, "
    "as tables print it. The dark line is their running median, grey lines those of the other seeds. The star is the "
    "architecture that the run chose, at its estimate on all validation images, where points have the probe's few; a "
    "triangle at the axis is a choice outside the panel or without an estimate. τ is Kendall's tau-b over all n "
    "architectures, top 10 % the same of that run inside the true top tenth, ceiling the tau-b to expect of the truth "
    "with itself, trained again from as many seeds, where there are several. "
    f"The x axis begins at the {CUT:g}nd percentile of the true accuracies, or {FAR:g} interquartile ranges below "
    "their lower quartile if that is higher."
)

READ = (
    "Each panel is one method: a point is an architecture, its true test accuracy to the right and its estimate "
    "upwards; the star is the choice."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("estimate_vs_truth", "Supernet estimate against truth.", READ)

CHART = Chart(
    x=Axis("test", "true test accuracy (%)", cut=CUT, far=FAR),
    y=Axis("estimate", "estimate (%)"),
    marks=(("point", "dots"), ("trend", "trend"), ("choice", "star")),
    panel="label",
    tell=("architecture",),
)


@dataclass(frozen=True)
class Panel:
    """One method: the run of the median tau, its points, and the running medians of all its runs."""

    label: str
    seed: int
    score: pd.Series  # the row of that run
    tau: stats.Mean  # of all runs
    points: pd.DataFrame  # position, test (%), estimate (%)
    trends: dict[int, pd.DataFrame]  # by seed: test (%), estimate (%)

    @property
    def choice(self) -> tuple[float, float]:
        """Test accuracy and estimate of the chosen architecture, percent; NaN where not known."""
        return float(self.score["test"]), 100 * float(self.score["choice_estimate"])


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth that has probe pairs, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        panels = prepare(setting, stats.done(rows), results, missing)
        if not panels:
            missing.append(
                f"estimate_vs_truth {setting.slug}: no run has probe estimates with a truth; {RESCORE} pairs them"
            )
            continue
        stem = results.root / "figures" / f"estimate_vs_truth-{setting.slug}"
        start = first_shown(panels)
        shown = rows[rows["label"].isin([panel.label for panel in panels])]
        partial = groups.mark(setting, rows, [panel.label for panel in panels])
        words = describe(setting, shown, panels, start, results.root, partial)
        with style.page():
            paths += write_figure(stem, paint(panels, start, partial), plotted(panels), words)
    return Drawn(tuple(paths), tuple(missing))


def prepare(setting: Setting, rows: pd.DataFrame, results: Results, missing: list[str]) -> list[Panel]:
    """The panels, baselines first. A method whose side files are not at hand gets a line in `missing` instead."""
    rows = rows[rows["pairs"].notna() & rows["tau"].notna()]
    panels = []
    for label in sorted(set(rows["label"]), key=style.order):
        of_label = rows[rows["label"] == label].sort_values(["tau", "seed"])
        files = {
            int(row.seed): sides(results, str(row.key), setting.truth, setting.target, str(row.truth_checksum))
            for row in of_label.itertuples()
        }
        absent = [path for of in files.values() for path in of.absent]
        if absent:
            missing.append(f"estimate_vs_truth {setting.slug}: {label} lacks {absent[0]}; {RESCORE} makes it again")
            continue
        score = of_label.iloc[(len(of_label) - 1) // 2]
        sizes = dict(zip(of_label["seed"], of_label["probe_n"], strict=True))
        pairs = {seed: read_pairs(of, int(sizes[seed])) for seed, of in files.items()}
        trends = {seed: running_median(pairs[seed]) for seed in sorted(pairs)}
        seed = int(score["seed"])
        panels.append(Panel(label, seed, score, stats.mean_of(of_label["tau"]), pairs[seed], trends))
    return panels


def first_shown(panels: Sequence[Panel]) -> float:
    """Where the shared x axis begins, percent: cells at chance level would squeeze all others."""
    tests = np.concatenate([panel.points["test"] for panel in panels])
    cut, lower, upper = np.percentile(tests, [CUT, 25, 75])
    return float(max(cut, lower - FAR * (upper - lower)))


def plotted(panels: Sequence[Panel]) -> pd.DataFrame:
    """All that is drawn: `kind` is point, trend (of each seed) or choice."""
    parts = []
    for panel in panels:
        choice = pd.DataFrame([panel.choice], columns=["test", "estimate"])
        points = panel.points.assign(architecture=panel.points["architecture"].astype(str))
        kinds = [("point", panel.seed, points), ("choice", panel.seed, choice)]
        kinds += [("trend", seed, trend) for seed, trend in panel.trends.items()]
        parts += [part.assign(label=panel.label, seed=seed, kind=kind) for kind, seed, part in kinds]
    columns = ["label", "seed", "kind", "architecture", "test", "estimate"]
    return pd.concat(parts, ignore_index=True)[columns]


def describe(
    setting: Setting, rows: pd.DataFrame, panels: Sequence[Panel], start: float, root: Path, partial: str = ""
) -> str:
    """The caption, in Markdown."""
    seeds = caption.usually({p.label: str(p.seed) for p in panels})
    counts = caption.usually({p.label: f"{len(p.points):,}" for p in panels})
    left = caption.usually({p.label: f"{_left(p, start):,} of {len(p.points):,}" for p in panels})
    more = f"n: {counts}. Seed that is shown: {seeds}. The x axis begins at {start:.2f} %; points left of it: {left}."
    return caption.text(WORDS, setting, rows, root, partial, more)


def paint(panels: Sequence[Panel], start: float, partial: str = "") -> Figure:
    """The figure: panels in rows of up to three, or four where there are many, one x axis for all."""
    from matplotlib.figure import Figure

    across = len(panels) if len(panels) < 4 else 2 if len(panels) == 4 else 3 if len(panels) < MANY else 4
    down = -(-len(panels) // across)
    width = max(across * PANEL[0], style.COLUMN_WIDTH)
    names = max(len(_name(panel).splitlines()) for panel in panels)
    height = PANEL[1] + NAME_LINE * (names - 1)
    figure = Figure(figsize=(width, down * height + 0.6), layout="constrained")
    grid = figure.subplots(down, across, sharex=True, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    end = max(max(float(p.points["test"].max()), np.nan_to_num(p.choice[0])) for p in panels)
    margin = 0.03 * max(end - start, 1e-6)
    for panel, axes in zip(panels, grid.flat, strict=False):
        axes.set_xlim(start - margin, end + margin)
        _panel(axes, panel, start, names)
        axes.tick_params(labelbottom=True)  # on every panel, so that rows stand equally far apart
    figure.supxlabel("true test accuracy (%)", fontsize=7.5)
    figure.supylabel("estimate: validation accuracy\non the supernet (%)", fontsize=7.5)
    _legend(figure, others=any(len(panel.trends) > 1 for panel in panels))
    plots.say(figure, partial)
    return figure


def _panel(axes: Axes, panel: Panel, start: float, names: int) -> None:
    look = style.look(panel.label)
    n = len(panel.points)
    size, alpha = float(np.clip(1500 / n, 0.6, 8.0)), float(np.clip(500 / n, 0.12, 0.6))
    shown = panel.points[panel.points["test"] >= start]
    axes.scatter(
        shown["test"], shown["estimate"], s=size, alpha=alpha, color=look.colour, linewidths=0, rasterized=n >= DENSE
    )
    for seed, trend in panel.trends.items():
        own = seed == panel.seed
        colour, width = (DARK, 1.1) if own else ("#9A9A9A", 0.6)
        if own and n >= DENSE:
            axes.plot(trend["test"], trend["estimate"], color="white", linewidth=2.2, zorder=3)
        axes.plot(trend["test"], trend["estimate"], color=colour, linewidth=width, zorder=4 if own else 2)
    _mark_choice(axes, panel, start)
    _title(axes, panel, names)
    base = style.parts(panel.label)[0]
    if base in NO_ACCURACY:
        axes.set_ylabel(NO_ACCURACY[base], fontsize=5.5, labelpad=1.5)
    left = _left(panel, start)
    if left:
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
        axes.text(
            0.03, 0.97, f"← {left:,}", transform=axes.transAxes, fontsize=6, color="#555555", va="top", bbox=paper
        )


def _mark_choice(axes: Axes, panel: Panel, start: float) -> None:
    test, estimate = panel.choice
    marks: dict[str, Any] = {
        "color": style.BLACK,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
        "zorder": 6,
        "clip_on": False,
    }
    if np.isnan(test):
        return
    if test < start and not np.isnan(estimate):
        axes.plot([0], [estimate], marker="<", markersize=5, transform=axes.get_yaxis_transform(), **marks)
    elif test < start:
        axes.plot([0], [0], marker="<", markersize=5, transform=axes.transAxes, **marks)
    elif np.isnan(estimate):
        axes.plot([test], [0], marker="^", markersize=5, transform=axes.get_xaxis_transform(), **marks)
    else:
        axes.plot([test], [estimate], marker="*", markersize=8, **marks)


def _title(axes: Axes, panel: Panel, names: int) -> None:
    """Name and numbers; all panels leave room for a name of so many lines."""
    name = _name(panel)
    bold = axes.annotate(name, (0, 1), (0, 20), "axes fraction", "offset points", weight="bold", fontsize=7.0)
    bold.set_in_layout(False)  # the empty first lines of the title keep its place, however long the name
    axes.set_title(" \n" * names + told(panel), fontsize=6.5, pad=3)


def _name(panel: Panel) -> str:
    return plots.broken(style.printed(panel.label), NAME_FITS)


def told(panel: Panel) -> str:
    """The numbers above a panel: tau of its run, and the mean over all runs that tables print."""
    score = panel.score
    mean = (
        f" (mean of {panel.tau.n}: {plots.number(panel.tau.mean)})"
        if panel.tau.mean is not None and panel.tau.n > 1
        else ""
    )
    ceiling = "" if np.isnan(score["ceiling"]) else f", ceiling {plots.number(score['ceiling'])}"
    return f"τ {plots.number(score['tau'])}{mean}\ntop 10 % {plots.number(score['tau_top10'])}{ceiling}"


def _legend(figure: Figure, others: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=2.5, color="#777777", label="architecture"),
        Line2D([], [], color=DARK, linewidth=1.1, label="running median"),
        Line2D([], [], linestyle="none", marker="*", markersize=7, color=style.BLACK, label="choice"),
    ]
    if others:
        handles.insert(2, Line2D([], [], color="#9A9A9A", linewidth=0.6, label="other seeds"))
    figure.legend(
        handles=handles, loc="outside upper center", ncols=4, columnspacing=1.0, handlelength=1.6, handletextpad=0.5
    )


def _left(panel: Panel, start: float) -> int:
    return int((panel.points["test"] < start).sum())
