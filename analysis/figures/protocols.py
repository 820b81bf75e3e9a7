"""Two protocols side by side: the papers' budgets and equal ones, own choice and the oracle's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, settings
from analysis.output import Drawn, as_frame, write_figure
from bench.store.bases import BASES
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "protocols"
ALONE = ("rsps", "darts", "darts-2nd", "snas", *dict.fromkeys(BASES.values()))  # one supernet
CUT = ("fewshot", "fewshot-snas", "fewshot-rsps", "gm-darts", "gm-snas", "gm-rsps", "hep")
WANTED = ALONE + CUT + tuple(groups.fair(CUT))
COLUMNS = (30, 60)  # points from the panel to the right ends of the columns beside it
LINE = 0.155  # inches: height of a row

DEFINITIONS = (
    "Large markers are the test accuracy, when trained alone, of the architecture that a method chose by its own "
    "estimates, as means over seeds; bars are their intervals. The arrow leads to the best of the method's finalists "
    "by the truth (oracle): what some papers print, and no result of the search, since it looks the answers up. No "
    "arrow: one finalist, the choice was the best, or, with a question mark behind the finalists, the truth lacks some "
    "of them. Filled markers: the paper's budget; outlined ones (fair): everything shrunk until the search passes as "
    "many images as its base on one supernet. At the right: images passed through supernets, forward and "
    "backward, and finalists, both as means. Vertical lines, where they lie on the axis: the mean of all known "
    "architectures (dotted), the largest architecture (dash-dotted), the best known one (solid). "
    f"{plots.BEYOND}"
)

CHAPTER = "protocols"
READ = (
    "The horizontal axis is true test accuracy (%); a marker is the mean choice of a method, and its arrow leads to "
    "the best of its finalists by the truth."
)
"""How the figure is read, in a sentence, where its chart is another drawing."""
WORDS = caption.Words("protocols", "Protocols and the oracle.", READ)

CHART = Chart(
    x=Axis("images", "images passed, forward + backward", scale="log"),
    y=Axis("choice", "true test accuracy of the choice (%)", far=plots.FAR),
    low="low",
    high="high",
    tell=("oracle", "gain", "finalists", "n"),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        data = prepare(stats.done(rows))
        two = set(data["protocol"]) & {"paper", "fair"}
        missing += groups.gaps(NAME, setting, rows, WANTED)
        if not two:
            if set(rows["protocol"]) & {"paper", "fair"}:
                missing.append(f"{NAME} {setting.slug}: no choice has a truth; {RESCORE} by a fuller one")
            continue
        partial, further = groups.mark(setting, rows, WANTED), groups.further(setting, rows, WANTED)
        shown = rows[rows["label"].isin(data["label"])]
        more = " ".join(filter(None, (_base_row(data), further)))
        words = caption.text(WORDS, setting, shown, results.root, partial, more)
        with style.page():
            stem = results.root / "figures" / f"{NAME}-{setting.slug}"
            paths += write_figure(stem, paint(data, partial), data, words)
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def _base_row(data: pd.DataFrame) -> str:
    """What the caption says of the rows of the bases, as far as there are any."""
    rows = [BASES[base] in set(data["label"]) for base in data.loc[data["protocol"] == "fair", "base"] if base in BASES]
    if not any(rows):
        return ""
    return f"The row of a base{'' if all(rows) else ', where there is one,'} says how that is trained on one supernet."


def prepare(rows: pd.DataFrame) -> pd.DataFrame:
    """All that is drawn, a row per method: base, label, protocol, choice (%), low, high, oracle (%) and gain (points)
    where every run knows them, n (runs), finalists, images; and as lines of reference labels without a protocol:
    random_mean, largest, optimum."""
    lines: list[dict[str, Any]] = []
    known = rows[rows["test"].notna()]
    for label in sorted(set(known["label"]), key=style.order):
        of_label = known[known["label"] == label]
        base, protocol = of_label["base"].iloc[0], of_label["protocol"].iloc[0]
        if base not in CUT and label not in ALONE:
            continue
        choice, oracle = stats.mean_of(of_label["test"]), of_label["test_best_candidate"].mean(skipna=False)
        numbers = {
            "choice": choice.mean, "low": choice.low, "high": choice.high,
            "oracle": oracle, "gain": (of_label["test_best_candidate"] - of_label["test"]).mean(skipna=False),
            "n": choice.n, "finalists": of_label["n_candidates"].mean(),
            "images": (of_label["forward_images"] + of_label["backward_images"]).mean(),
        }  # fmt: skip
        lines.append({"base": base, "label": label, "protocol": protocol, **numbers})
    largest = known.loc[known["label"] == "largest", "test"]
    marks = {
        "random_mean": known["random_mean"].dropna(), "largest": largest, "optimum": known["optimum"].dropna()
    }  # fmt: skip
    lines += ({"label": name, "choice": values.mean()} for name, values in marks.items() if len(values))
    columns = ["base", "label", "protocol", "choice", "low", "high", "oracle", "gain", "n", "finalists", "images"]
    return as_frame(lines, columns, ("n",))


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: one row per method, the fair protocol below the paper's."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    methods = data[data["protocol"].notna()]
    figure = Figure(figsize=(style.TEXT_WIDTH, max(LINE * len(methods) + 0.75, 1.5)), layout="constrained")
    axes = figure.subplots()
    lines = data.loc[data["protocol"].isna(), "choice"]
    axes.set_xlim(*plots.ends([*methods[["choice", "low", "high", "oracle"]].to_numpy().ravel(), *lines]))
    engineering = EngFormatter(sep="", places=1)
    for y, row in enumerate(methods.to_dict("records")):
        _method(axes, y, row)
        finalists = f"{row['finalists']:.0f}" + ("?" if np.isnan(row["oracle"]) else "")
        _beside(axes, y, (engineering(row["images"]), finalists), "black")
    _beside(axes, -1.1, ("images", "finalists"), plots.QUIET)
    for name, dash in (("random_mean", style.DOTTED), ("largest", style.DASH_DOT), ("optimum", style.SOLID)):
        for value in data.loc[data["label"] == name, "choice"]:
            axes.axvline(value, color=plots.QUIET, linestyle=dash, linewidth=0.8, zorder=1)
    axes.set_yticks(range(len(methods)), [style.printed(str(label)) for label in methods["label"]])
    axes.set_ylim(len(methods) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("true test accuracy (%)")
    bases = methods["base"].tolist()
    for y in range(1, len(bases)):
        if bases[y] != bases[y - 1]:
            axes.axhline(y - 0.5, color="#E4E4E4", linewidth=0.5, zorder=0)
    plots.say(figure, partial)
    return figure


def _beside(axes: Axes, y: float, words: tuple[str, str], colour: str) -> None:
    for x, said in zip(COLUMNS, words, strict=True):
        axes.annotate(
            said, (1, y), (x, 0), axes.get_yaxis_transform(), "offset points",
            ha="right", va="center", fontsize=6, color=colour, annotation_clip=False,
        )  # fmt: skip


def _method(axes: Axes, y: int, row: Mapping[Any, Any]) -> None:
    look = style.look(row["label"])
    if not np.isnan(row["low"]):
        axes.hlines(y, row["low"], row["high"], color=look.colour, linewidth=1.0, alpha=0.6, zorder=2)
    start = axes.get_xlim()[0]
    choice = max(row["choice"], start)
    if row["oracle"] > choice:
        arrow = {"arrowstyle": "-|>,head_length=0.25,head_width=0.13", "color": "#222222", "linewidth": 0.8}
        ends = {"shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (row["oracle"], y), (choice, y), arrowprops={**arrow, **ends}, zorder=3)
    if row["choice"] < start:
        plots.beyond(axes, start, y, look, "left")
    else:
        axes.plot([choice], [y], linestyle="none", zorder=4, **plots.marker(look, 5.5))
