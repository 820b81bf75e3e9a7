"""How far below the best architecture a search stands, against the images it has cost so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import caption, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.load import RESCORE, Setting, settings
from analysis.output import Drawn, as_frame, lay_out, write_figure
from analysis.runs import curve
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

WIDE = 30.0  # from this ratio of largest to smallest on, an axis is logarithmic
PANEL = (2.85, 2.35)  # inches
FLOOR = 0.1  # points of regret below which a logarithmic axis is linear, so that 0 has a place
_WORDS = {"linear": "linear", "log": "logarithmic", "symlog": "logarithmic"}

DEFINITIONS = (
    "Regret is in percentage points of test accuracy below the best architecture of the truth; cost is the number of "
    "images passed through supernets, forward and backward passes counted alike. Thin lines are runs, each held at its "
    "last known proposal until the next; the thick line is their mean, from where all have one until the first ends. "
    f"{plots.SILENCE} Dots are the final choices of runs, the large marker their mean. A run whose proposals on the "
    "way have no known truth shows its final choice alone. Outlined markers and dashed lines (fair) are partition "
    "searches at the budget of their base on one supernet; filled ones have their paper's budget. Horizontal lines are "
    "baselines that train no supernet, at their mean; that of a random architecture is over all known ones, not over a "
    "few draws."
)

CHAPTER = "cost"
READ = (
    "A line is the mean regret of a method's proposals as its images grow, the large marker that of its final choice; "
    "horizontal lines are baselines that train nothing."
)
"""How the figure is read, in a sentence."""
WORDS = caption.Words("regret_vs_cost", "Regret against cost.", READ)

CHART = Chart(
    x=Axis("images", "images passed, forward + backward", wide=WIDE),
    y=Axis("regret", "regret (percentage points)", wide=WIDE, floor=FLOOR),
    marks=(
        ("curve", "thin steps"),
        ("curve_mean", "steps"),
        ("final", "dots"),
        ("final_mean", "marker"),
        ("level", "level"),
    ),
    low="low",
    high="high",
)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, target, scale and truth that knows a regret, below `figures/`."""
    paths: list[Path] = []
    missing: list[str] = []
    for setting, rows in settings(frame, by_target=True):
        data = prepare(stats.done(rows), results)
        if data.empty:
            missing.append(f"regret_vs_cost {setting.slug}: no run has a known regret; {RESCORE} with a fuller truth")
            continue
        if not rows[["forward_images", "backward_images"]].to_numpy().any():
            missing.append(f"regret_vs_cost {setting.slug}: no run passed an image; a study with supernets has a cost")
            continue
        stem = results.root / "figures" / f"regret_vs_cost-{setting.slug}"
        partial = groups.mark(setting, rows, data["label"])
        shown = rows[rows["label"].isin(data["label"])]
        with style.page():
            paths += write_figure(
                stem, paint(data, partial), data, describe(setting, shown, data, results.root, partial)
            )
    return Drawn(tuple(paths), tuple(missing))


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, kind, seed, images, regret (points), low and high of the interval.

    `kind`: `curve` and `final` of a seed, `curve_mean` and `final_mean` over seeds, `level` for a baseline.
    """
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        of_label = rows[(rows["label"] == label) & rows["regret_test"].notna()].sort_values("seed")
        if of_label.empty:
            continue
        regret = stats.mean_of(of_label["regret_test"])
        images = of_label["forward_images"] + of_label["backward_images"]
        ends = {"regret": regret.mean, "low": regret.low, "high": regret.high}
        if not images.any():
            exact = float(of_label["optimum"].iloc[0] - of_label["random_mean"].iloc[0])
            known = label == "random" and np.isfinite(exact)
            lines.append({"label": label, "kind": "level", "regret": exact if known else regret.mean})
            continue
        curves = {int(row["seed"]): curve(row, "regret_test") for _, row in of_label.iterrows()}
        known = {seed: points for seed, points in curves.items() if len(points) > 1}
        for seed, points in known.items():
            lines += ({"label": label, "kind": "curve", "seed": seed, "images": x, "regret": y} for x, y in points)
        if known:
            lines += (
                {"label": label, "kind": "curve_mean", "images": x, "regret": y} for x, y in mean_steps(known.values())
            )
        finals = zip(of_label["seed"], images, of_label["regret_test"], strict=True)
        lines += ({"label": label, "kind": "final", "seed": s, "images": x, "regret": y} for s, x, y in finals)
        lines.append({"label": label, "kind": "final_mean", "images": images.mean(), **ends})
    data = as_frame(lines, ["label", "kind", "seed", "images", "regret", "low", "high"])
    return data.astype({"seed": "Int64"})


def mean_steps(curves: Iterable[list[tuple[float, float]]]) -> Iterator[tuple[float, float]]:
    """The mean of step functions, each holding its last value, where all have begun and none has ended."""
    held = [pd.Series(dict(points)).sort_index() for points in curves]
    start, end = max(points.index[0] for points in held), min(points.index[-1] for points in held)
    joined = pd.concat(held, axis=1).sort_index().ffill().loc[start:end]
    yield from zip(joined.index, joined.mean(axis=1), strict=True)


def describe(setting: Setting, rows: pd.DataFrame, data: pd.DataFrame, root: Path, partial: str = "") -> str:
    """The caption, in Markdown."""
    images, regret = _scales(data)
    across, up = _WORDS[images], _WORDS[regret]
    axes = f"Both axes are {up}" if across == up else f"The cost axis is {across}, the regret axis {up}"
    axes += f" (regret linear below {FLOOR:g} points)." if regret == "symlog" else "."
    return caption.text(WORDS, setting, rows, root, partial, axes)


def paint(data: pd.DataFrame, partial: str = "") -> Figure:
    """The figure: panels of methods that are worth comparing on the same axes; baselines named at the right of each."""
    methods = data.loc[data["kind"] == "final_mean", "label"].tolist()
    levels = data[data["kind"] == "level"]
    panels = groups.panels(methods) or [("", [])]
    figure, grid = plots.grid(len(panels), PANEL, most=2, extra=0.15, sharex=True, sharey=True)
    for (title, members), axes in zip(panels, grid, strict=True):
        _set_scales(axes, data)
        of = {label: data[data["label"] == label] for label in members}
        for place, (label, rows) in enumerate(of.items()):
            _method(axes, label, rows, place)
        for label, regret in zip(levels["label"], levels["regret"], strict=True):
            look = style.look(label)
            axes.axhline(regret, color=look.colour, linestyle=look.dash, linewidth=0.9, zorder=1)
        axes.set_xlabel("images passed, forward + backward")
        plots.title(axes, title)
        means = {label: rows.loc[rows["kind"] == "curve_mean", "images"].tolist() for label, rows in of.items()}
        plots.own_legend(axes, members, {label for label in members if plots.has_line(means[label])})
    figure.supylabel("regret (percentage points)", fontsize=plots.LABEL)
    plots.say(figure, partial)
    _name_levels(figure, grid, levels)
    return figure


def _scales(data: pd.DataFrame) -> tuple[str, str]:
    """linear or log for images; linear, log or symlog for regret; by the range of what is drawn."""
    images, regret = _known(data, "images"), _known(data, "regret", "low", "high")
    images = images[images > 0]
    wide = regret.max() >= WIDE * max(regret.min(), FLOOR)
    return (
        "log" if images.size and images.max() >= WIDE * images.min() else "linear",
        ("symlog" if regret.min() < FLOOR else "log") if wide else "linear",
    )


def _known(data: pd.DataFrame, *columns: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = data[list(columns)].to_numpy(np.float64).ravel()
    return values[~np.isnan(values)]


def _set_scales(axes: Axes, data: pd.DataFrame) -> None:
    from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, MaxNLocator, NullLocator

    across, up = _scales(data)
    images, regret = _known(data, "images"), _known(data, "regret", "low", "high")
    axes.set_xscale(across)
    if across == "log":
        low, high = images[images > 0].min(), images.max()
        axes.set_xlim(low / 1.25, high * 1.25)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
    else:
        axes.set_xlim(0, 1.06 * images.max(initial=1))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_locator(NullLocator())
    if up == "linear":
        span = max(regret.max(), FLOOR)
        axes.set_ylim(-0.03 * span if regret.min() < 0.05 * span else 0, 1.06 * span)
        return
    axes.set_yscale(up, **({"linthresh": FLOOR, "linscale": 0.4} if up == "symlog" else {}))
    axes.set_ylim(-0.02 if up == "symlog" else regret.min() / 1.25, regret.max() * 1.25)
    ticks = [0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]
    bottom, top = axes.get_ylim()
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if bottom <= tick <= top]))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _method(axes: Axes, label: str, data: pd.DataFrame, place: int) -> None:
    look = style.look(label)
    for _, run in data[data["kind"] == "curve"].groupby("seed"):
        plots.steps(axes, run["images"], run["regret"], color=look.colour, alpha=0.25, linewidth=0.5)
    mean = data[data["kind"] == "curve_mean"]
    plots.steps(axes, mean["images"], mean["regret"], **plots.line(look, plots.width(place, 1.7)), zorder=3)
    finals = data[data["kind"] == "final"]
    axes.scatter(finals["images"], finals["regret"], s=5, color=look.colour, alpha=0.5, linewidths=0, zorder=2)
    end = data.loc[data["kind"] == "final_mean", ["images", "regret", "low", "high"]].iloc[0].astype(float)
    axes.vlines(end["images"], end["low"], end["high"], color=look.colour, linewidth=1.0, zorder=4)
    axes.plot(
        [end["images"]], [end["regret"]], linestyle="none", zorder=5, **plots.marker(look, plots.size(place, 6.2))
    )


def _name_levels(figure: Figure, grid: Sequence[Axes], levels: pd.DataFrame) -> None:
    """The baselines' names beside the right end of their lines, moved apart where they would overlap."""
    ordered = levels.sort_values("regret")
    names = [[_name(axes, str(label)) for label in ordered["label"]] for axes in grid]
    lay_out(figure)  # with the names, so that there is room for them, and heights are known
    gap = 1.25 * 6 * figure.dpi / 72 / grid[0].get_window_extent().height
    for axes, of_axes in zip(grid, names, strict=True):
        inside = axes.transData + axes.transAxes.inverted()
        places = [float(inside.transform((1, y))[1]) for y in ordered["regret"]]
        for name, place, moved in zip(of_axes, places, spread(places, gap), strict=True):
            name.xy, name.xyann = (1, place), (1.04, moved)


def _name(axes: Axes, label: str) -> Annotation:
    line = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
    return axes.annotate(
        style.printed(label), (1, 0.5), (1.04, 0.5), "axes fraction", "axes fraction",
        va="center", fontsize=6, color="#444444", annotation_clip=False, arrowprops=line,
    )  # fmt: skip


def spread(places: list[float], gap: float) -> list[float]:
    """The ascending places moved as little as is simple so that neighbours are `gap` apart and none is above 1."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    highest = 1.0
    for at in reversed(range(len(moved))):
        moved[at] = min(moved[at], highest)
        highest = moved[at] - gap
    return moved
