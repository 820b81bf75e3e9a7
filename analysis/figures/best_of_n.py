"""What choosing the best of N is worth without any search, and where the searches stand with their N finalists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, settings
from analysis.output import Drawn, as_frame, write_figure
from bench.scoring.panel import DRAWS
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "best_of_n"
XLABEL = "N: random draws, or finalists"
ASKED = "N: random draws, or networks asked for"
APART = 1.075  # the factor between methods of one N beside each other

DEFINITIONS = (
    "The curve is the expected test accuracy of the truly best of N architectures that are drawn uniformly and "
    "without replacement from the population, as far as the truth knows it: exact, from their order statistics, at "
    "the dots. It needs N look-ups in the truth and no search. Markers are the mean over seeds of the architecture "
    "that a method chose by its own estimates, with its interval; the tick that a line joins to it is the mean of "
    "the best of its finalists by the truth (oracle), where every run knows it. They stand at the number of "
    "finalists, moved apart where methods share it. "
    f"{plots.BEYOND} The curve is always shown whole."
)

CHAPTER = "oracle"
READ = (
    "The curve is the expected test accuracy of the best of N random architectures; a marker is the mean choice of a "
    "method at its number of finalists, and the tick that is joined to it the best of them by the truth."
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
    said = (HELD_ASKED if asked else HELD, asked, f"Horizontal lines: the best known architecture (solid){largest}.")
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
    """The figure: the same curve in every panel, methods that are worth comparing on it."""
    chosen = data[data["kind"] == "choice"]
    methods = set(chosen["label"]) - {*groups.UNTRAINED, *groups.SIZES}  # random is the curve at N = 1
    panels = groups.panels(methods) or [("", [])]
    figure, grid = plots.grid(len(panels), plots.WIDE, 0.15, most=2, sharex=True, sharey=True)
    drawn = data[data["kind"] != "oracle"]
    low, high = plots.ends([*drawn["test"], *data.loc[data["kind"] == "oracle", "test"]])
    curve = data[data["kind"] == "random"]
    low = min([low, *(curve["test"] - 0.05 * (high - curve["test"]))])  # the curve is shown whole
    for (title, members), axes in zip(panels, grid, strict=True):
        axes.plot(curve["finalists"], curve["test"], "o-", color=style.GREY, linewidth=1.4, markersize=1.8, zorder=2)
        for test in chosen.loc[chosen["label"] == "largest", "test"]:
            axes.axhline(test, color=style.GREY, linestyle=style.DASH_DOT, linewidth=0.9, zorder=1)
        for test in data.loc[data["kind"] == "optimum", "test"]:
            axes.axhline(test, color=plots.QUIET, linewidth=0.7, zorder=1)
        axes.set_ylim(low, high)
        _methods(axes, members, data)
        axes.set_xscale("log")
        ticks = [n for n in (1, 2, 4, 8, 16, 64) if n <= curve["finalists"].max()] if len(curve) else [1]
        axes.set_xticks(ticks, [str(n) for n in ticks])
        axes.minorticks_off()
        axes.set_xlabel(xlabel)
        plots.title(axes, title)
        plots.own_legend(axes, members, with_line=False)
    figure.supylabel("true test accuracy (%)", fontsize=plots.LABEL)
    plots.say(figure, partial)
    return figure


def apart(finalists: Sequence[float]) -> list[float]:
    """The places of methods: where neighbours are closer than by the factor `APART` they are moved apart by it."""
    places = list(finalists)
    clusters: list[list[int]] = []
    for at in sorted(range(len(places)), key=places.__getitem__):
        if clusters and places[at] < APART * places[clusters[-1][-1]]:
            clusters[-1].append(at)
        else:
            clusters.append([at])
    for cluster in clusters:
        middle = float(np.exp(np.mean(np.log([finalists[at] for at in cluster]))))
        for number, at in enumerate(cluster):
            places[at] = middle * APART ** (number - (len(cluster) - 1) / 2)
    return places


def _methods(axes: Axes, members: list[str], data: pd.DataFrame) -> None:
    """Choice and oracle of every method, methods of one N beside each other."""
    of = {label: data[data["label"] == label].set_index("kind") for label in members}
    places = apart([max(float(rows["finalists"].iloc[0]), 1.0) for rows in of.values()])
    for x, (label, rows) in zip(places, of.items(), strict=True):
        look = style.look(label)
        choice, low, high = map(float, rows.loc["choice", ["test", "low", "high"]])
        oracle, start = float(rows["test"].get("oracle", np.nan)), axes.get_ylim()[0]
        if not np.isnan(low):
            axes.vlines(x, low, high, color=look.colour, linewidth=2.4, alpha=0.25, zorder=2)
        if oracle > max(choice, start):
            axes.plot([x, x], [choice, oracle], color=look.colour, linewidth=0.9, zorder=3)
            axes.plot([x], [oracle], marker="_", markersize=5, color="#222222", zorder=4)
        if choice < start:
            plots.beyond(axes, x, start, look, "bottom")
        else:
            axes.plot([x], [choice], linestyle="none", zorder=5, **plots.marker(look, 4.5))
