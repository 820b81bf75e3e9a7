"""The accuracy of the architecture that a search would choose, as the search goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, figure_files, groups, papers, plots, stats, style
from analysis.answer import is_principal
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, settings
from analysis.output import Drawn, as_frame
from analysis.runs import curve
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "search_progress"
MOST = 8  # panels
BESIDE = 1.4  # percent of the search's images: the markers of final choices stand side by side behind the end
SHORT = 3.0  # percent of the x axis: too short a line to show its dashes

DEFINITIONS = (
    "Each line is the test accuracy, when trained alone, of the architecture that a method would choose at that point "
    "of its search: the median over runs, each held at its last known proposal until the next; bands are the middle "
    "half of three or more runs, and grey lines the medians of the other panels. The x axis is the share of the "
    "images, forward and backward, that the whole search passes, so that searches of unequal cost fit into one panel: "
    "`regret_vs_cost` has the cost. "
    "Outlined markers and dashed lines (fair) have the budget of the base on one supernet. Markers are final choices, "
    "set side by side; ablations are left out. "
    "Proposals without a known truth are skipped; a method whose runs know only the final one, as searches that train "
    f"several supernets in turn do, has its marker alone. {plots.SILENCE} Searches that pass no image are left out. "
    f"{plots.BEYOND}"
)

CHAPTER = "cost"
READ = (
    "A line is the median test accuracy of the choice so far over the share of a search's images, a band the middle "
    "half of its runs, grey the other papers; markers are final choices."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("search_progress", "Choice over the search.", READ)

CHART = Chart(
    x=Axis("share", "share of the search's images (%)"),
    y=Axis("test", "true test accuracy of the choice so far (%)", far=plots.FAR),
    marks=(("run", "thin steps"), ("median", "steps")),
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        data = prepare(stats.done(rows), results)
        if not data.duplicated(["label", "seed"]).any():
            missing.append(f"{NAME} {setting.slug}: no run has two proposals with a truth; {RESCORE} by a fuller one")
            continue
        paths += figure_files.write(WORDS, setting, rows, data, paint, results)
    return Drawn(tuple(paths), tuple(missing))


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, kind (`run`, `median`), seed, share of images (%), test (%), low, high, n (runs)."""
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        of_label = rows[rows["label"] == label].sort_values("seed")
        curves = {int(row["seed"]): curve(row, "test") for _, row in of_label.iterrows()}
        known = {seed: in_percent(points) for seed, points in curves.items() if points and points[-1][0]}
        for seed, points in known.items():
            lines += ({"label": label, "kind": "run", "seed": seed, "share": x, "test": y} for x, y in points)
        lines += ({"label": label, "kind": "median", **point} for point in held(list(known.values())))
    columns = ["label", "kind", "seed", "share", "test", "low", "high", "n"]
    return as_frame(lines, columns, ("seed", "n"))


def in_percent(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(images, test) with the images as percent of the last."""
    return [(100 * images / points[-1][0], test) for images, test in points]


def held(curves: Sequence[Sequence[tuple[float, float]]]) -> list[dict[str, Any]]:
    """Median and middle half of runs, each holding its last value, from where all have begun."""
    if not curves:
        return []
    joined = pd.concat([pd.Series(dict(points)) for points in curves], axis=1).sort_index().ffill().dropna()
    low, middle, high = np.percentile(joined.to_numpy(), [25, 50, 75], axis=1)
    banded = len(curves) >= stats.LEAST_RUNS
    return [
        {
            "share": share,
            "test": float(middle[at]),
            "low": float(low[at]) if banded else np.nan,
            "high": float(high[at]) if banded else np.nan,
            "n": len(curves),
        }
        for at, share in enumerate(joined.index)
    ]


def panels(labels: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Papers with their searches, at most `MOST` of them; ablations only where there is nothing else."""
    known = sorted(
        {label for label in labels if is_principal(label)} or set(labels), key=lambda x: papers.search(x).place
    )
    of: dict[str, list[str]] = {}
    for label in sorted(known, key=lambda label: papers.search(label).place):
        of.setdefault(papers.search(label).paper, []).append(label)
    return list(of.items())[:MOST]


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: a panel a paper, the medians of all others in grey behind it."""
    medians = data[data["kind"] == "median"]
    found = panels(list(medians["label"]))
    figure, grid = plots.grid(len(found), plots.WIDE, 0.15, most=2, sharex=True, sharey=True)
    shown = [label for _, members in found for label in members]
    low, high = plots.ends(medians.loc[medians["label"].isin(shown), ["test", "low"]].to_numpy().ravel())
    of = {label: medians[medians["label"] == label] for label in shown}
    for (title, members), axes in zip(found, grid, strict=True):
        axes.set_xlim(0, 102 + BESIDE * groups.MOST)
        axes.set_ylim(low, high)
        for label in shown:
            if label not in members:
                plots.steps(axes, of[label]["share"], of[label]["test"], color="#C9CDD3", linewidth=0.6, zorder=1)
        for place, label in enumerate(members):
            _line(axes, label, of[label], place)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel("share of the search's images (%)")
        plots.title(axes, title)
        plots.own_legend(axes, members, {label for label in members if plots.has_line(of[label]["share"], SHORT)})
    figure.supylabel("true test accuracy of the choice so far (%)", fontsize=plots.LABEL)
    plots.say(figure, partial)
    return figure


def _line(axes: Axes, label: str, data: pd.DataFrame, place: int) -> None:
    look = style.look(label)
    share, low, high = (data[name].to_numpy(dtype=float) for name in ("share", "low", "high"))
    for part, known in plots.known_parts(share):
        if known:
            axes.fill_between(
                share[part], low[part], high[part], step="post", color=look.colour, alpha=0.12, linewidth=0
            )
    plots.steps(axes, share, data["test"], **plots.line(look, plots.width(place)), zorder=3)
    test, start = float(data["test"].iloc[-1]), axes.get_ylim()[0]
    end = share[-1] + BESIDE * place
    if test < start:
        plots.beyond(axes, end, start, look, "bottom")
    else:
        axes.plot([end], [test], linestyle="none", zorder=4, **plots.marker(look, 4.5))
