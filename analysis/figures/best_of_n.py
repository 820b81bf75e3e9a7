"""What choosing the best of N is worth without any search, and where the searches stand with their N finalists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, papers, plots, stats, style
from analysis.answer import is_principal
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, settings
from analysis.output import Drawn, as_frame, write_figure
from bench.scoring.panel import DRAWS
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "best_of_n"
XLABEL, ASKED = "finalists", "networks asked for"
ROW = 0.19  # inches
DIGIT = 0.025  # of the width of the axis, that a digit above it takes

DEFINITIONS = (
    "The curve is the expected test accuracy of the truly best of N architectures that are drawn uniformly and "
    "without replacement from the population, as far as the truth knows it: exact, from their order statistics, at "
    "the dots. It needs N look-ups in the truth and no search. Markers are the mean over seeds of the architecture "
    "that a method chose by its own estimates, with its interval; the tick that a line joins to it is the mean of "
    "the best of its finalists by the truth (oracle), where every run knows it. Vertical lines are the curve at its "
    "N; the number of finalists stands behind a name. Ablations are left out. "
    f"{plots.BEYOND} The curve is always shown whole."
)

CHAPTER = "oracle"
READ = (
    "A marker is the mean choice of a search, the tick joined to it the best of its finalists by the truth; grey lines "
    "are the expected best of N random architectures."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("best_of_n", "Best of N without a search.", READ)
HELD = "An oracle's choice is to be held against the curve at its N, an own choice against its left end."
HELD_ASKED = (
    "Searches that ask for the accuracies of trained networks stand at the number of different ones that they asked "
    "for instead, the mean over runs, and are to be held against the curve there."
)
LARGEST = " and the largest (dash-dotted), which the methods `parameters` and `multiply-adds` choose too"

CHART = Chart(
    x=Axis("finalists", XLABEL, scale="log"),
    y=Axis("test", "true test accuracy (%)", far=plots.FAR, whole="random"),
    marks=(("random", "line"), ("choice", "marker"), ("oracle", "hollow"), ("optimum", "level")),
    low="low",
    high="high",
    tell=("n",),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        data = prepare(stats.done(rows))
        if data.empty:
            missing.append(f"{NAME} {setting.slug}: the truth knows no architecture; {RESCORE} by a fuller one")
            continue
        partial = groups.mark(setting, rows, data["label"])
        shown = rows[rows["label"].isin(data["label"])]
        more = f"Random architectures are drawn from {caption.among(rows)}. {described(rows, data)}"
        words = caption.text(WORDS, setting, shown if len(shown) else rows, results.root, partial, more)
        with style.page():
            stem = results.root / "figures" / f"{NAME}-{setting.slug}"
            figure = paint(data, partial, ASKED if stats.done(shown)["asked"].notna().any() else XLABEL)
            paths += write_figure(stem, figure, data, words)
    return Drawn(tuple(paths), tuple(missing))


def described(rows: pd.DataFrame, data: pd.DataFrame) -> str:
    """What markers are to be held against, and the lines that are drawn."""
    asked = caption.asked(rows)
    largest = LARGEST if "largest" in set(data["label"]) else ""
    said = (HELD_ASKED if asked else HELD, asked, f"Black lines: the best known architecture (solid){largest}.")
    return " ".join(filter(None, said))


def prepare(rows: pd.DataFrame) -> pd.DataFrame:
    """All that is drawn: label, kind (`random`, `optimum`; of a method `choice`, `oracle`), finalists (N; of a search
    on a table the networks whose accuracies it asked for), test (%), low, high, n (runs)."""
    lines: list[dict[str, Any]] = []
    known = rows[rows["random_mean"].notna()]
    if len(known):
        first = known.iloc[0]
        curve = [(n, first[f"random_best_of_{n}"]) for n in DRAWS]
        lines += ({"label": "", "kind": "random", "finalists": n, "test": test} for n, test in curve if test == test)
        lines.append({"label": "", "kind": "optimum", "test": first["optimum"]})
    for label in sorted(set(known.loc[known["test"].notna(), "label"]), key=style.order):
        of_label = known[(known["label"] == label) & known["test"].notna()]
        finalists = of_label["asked"].fillna(of_label["n_candidates"]).mean()
        shared = {"label": label, "finalists": finalists}
        for kind, column in (("choice", "test"), ("oracle", "test_best_candidate")):
            mean = stats.mean_of(of_label[column])
            if mean.n == len(of_label):  # both of the same runs
                ends = {"test": mean.mean, "low": mean.low, "high": mean.high, "n": mean.n}
                lines.append({**shared, "kind": kind, **ends})
    columns = ["label", "kind", "finalists", "test", "low", "high", "n"]
    return as_frame(lines, columns, ("n",))


def paint(data: pd.DataFrame, partial: str, xlabel: str = XLABEL) -> Figure:
    """The figure: a row a search, and a line for the best of each N of the curve."""
    from matplotlib.figure import Figure

    chosen = data[data["kind"] == "choice"]
    labels = _shown(list(chosen["label"]))
    low, high = plots.ends(
        [*data.loc[data["label"].isin(labels), "test"], *data.loc[data["kind"] == "optimum", "test"]]
    )
    curve = data[data["kind"] == "random"]
    low = min([low, *(curve["test"] - 0.05 * (high - curve["test"]))])  # the curve is shown whole
    figure = Figure(figsize=(style.TEXT_WIDTH, ROW * max(len(labels), 4) + 0.95), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(low, high)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    _lines(axes, data)
    names = []
    for row, label in enumerate(labels):
        own = data[data["label"] == label].set_index("kind")
        _row(axes, row, label, own)
        found, fair = papers.search(label), style.FAIR in style.parts(label)[1]
        names.append(f"{found.name}{', equal images' if fair else ''}  ({float(own['finalists'].iloc[0]):,.0f})")
    axes.set_yticks(range(len(labels)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.set_xlabel("true test accuracy (%)")
    plots.legend(figure, list(_handles(xlabel)))
    plots.say(figure, partial)
    return figure


def _shown(labels: Sequence[str]) -> list[str]:
    """The searches without their ablations, by paper; all methods where there is no other. Random is the curve."""
    methods = [label for label in labels if label not in (*groups.UNTRAINED, *groups.SIZES)]
    principal = [label for label in methods if is_principal(label)]
    return sorted(principal or methods, key=lambda label: papers.search(label).place)


def _lines(axes: Axes, data: pd.DataFrame) -> None:
    """Of the curve, its N above; of the best known architecture and the largest."""
    low, high = axes.get_xlim()
    right = low - (high - low)  # where the last number ends
    curve = data[data["kind"] == "random"]
    for count, test in zip(curve["finalists"].astype(float), curve["test"].astype(float), strict=True):
        axes.axvline(test, color=style.GREY, linewidth=0.8, zorder=1)
        half = DIGIT * len(f"{count:.0f}") * (high - low) / 2
        if test - half > right:  # else the numbers touch
            place = axes.get_xaxis_transform()
            axes.text(test, 1.01, f"{count:.0f}", transform=place, ha="center", fontsize=6)
            right = test + half
    largest = (data["label"] == "largest") & (data["kind"] == "choice")
    for which, dash in ((data["kind"] == "optimum", style.SOLID), (largest, style.DASH_DOT)):
        for test in data.loc[which, "test"].astype(float):
            axes.axvline(test, color=style.BLACK, linestyle=dash, linewidth=0.9, zorder=1)


def _row(axes: Axes, row: int, label: str, own: pd.DataFrame) -> None:
    """Choice with its interval, and the oracle as a tick that a line joins to it."""
    look = style.look(label)
    choice, low, high = map(float, own.loc["choice", ["test", "low", "high"]])
    oracle, start = float(own["test"].get("oracle", np.nan)), axes.get_xlim()[0]
    if not np.isnan(low):
        axes.hlines(row, low, high, color=look.colour, linewidth=2.4, alpha=0.25, zorder=2)
    if oracle > max(choice, start):
        axes.plot([choice, oracle], [row, row], color=look.colour, linewidth=0.9, zorder=3)
        axes.plot([oracle], [row], marker="|", markersize=6, color="#222222", zorder=4)
    if choice < start:
        plots.beyond(axes, start, row, look, "left")
    else:
        axes.plot([choice], [row], linestyle="none", zorder=5, **plots.marker(look, 4.5))


def _handles(xlabel: str) -> Iterator[Any]:
    from matplotlib.lines import Line2D

    yield Line2D([], [], linestyle="none", marker="o", markersize=4.5, color=style.GREY, label="own choice")
    yield Line2D(
        [], [], linestyle="none", marker="|", markersize=6, color="#222222", label="best finalist by the truth"
    )
    yield plots.stroke(style.GREY, style.SOLID, 0.8, "best of N at random, N above")
    yield plots.stroke(style.BLACK, style.DASH_DOT, 0.9, "largest architecture")
    yield plots.stroke(style.BLACK, style.SOLID, 0.9, "best known architecture")
    yield Line2D([], [], linestyle="none", marker="", label=f"(n) {xlabel}")
