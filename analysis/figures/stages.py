"""What a search that keeps the best child leaves of the space, stage by stage, and how its children compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, figure_files, groups, plots, stats, style
from analysis.chart import Axis, Chart
from analysis.output import Drawn, as_frame
from analysis.runs import runs, searches
from bench.store.record import Record, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "stages"
WANTED = ("hep", "hep-no-smd", "hep-parent", "hep-siblings")
MOST = 11  # methods: four rows of panels with that of the sizes

DEFINITIONS = (
    "First panel: the number of architectures that are left in the search space after each stage (logarithmic), one "
    "thin line per run, markers at their geometric mean; stage 0 is the whole space. Other panels, one per method: the "
    "accuracy of every child of a stage on the validation images, as a mixture of its operations, just before all but "
    "the best are dropped. Boxes hold the middle half of a stage's children over all runs, with the median as a line "
    "and whiskers to the furthest child within 1.5 box lengths; filled points are the children that were kept, "
    "outlined ones those that were dropped. A grey dash below or above a point is the accuracy of the one architecture "
    "that the child would propose, on the same images, where it was measured. The numbers above the axis count the "
    "children of a run (their mean). SMD is search space mutual distillation: by parent and siblings in HEP-NAS, by "
    "one of them or none in its ablations."
)

CHAPTER = "parts"
READ = (
    "The first panel has the architectures left after each stage; each other panel has the accuracy of the children of "
    "one method, filled where they were kept."
)
"""How the figure is read, in a sentence, where its chart is another drawing."""
WORDS = caption.Words("stages", "Stages of the search.", READ)

CHART = Chart(
    x=Axis("stage", "stage"),
    y=Axis("accuracy", "accuracy of a child (%)"),
    marks=(("", "dots"),),
    panel="label",
    tell=("node", "size", "kept"),
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
        data, left_out = groups.fitting(data, WANTED, MOST)
        paths += figure_files.write(WORDS, setting, rows, data, paint, results, left_out.strip())
    return Drawn(tuple(paths), tuple(dict.fromkeys(missing)))


def prepare(rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """What can be drawn: label, seed, stage, node, size (architectures), kept, and in percent the accuracy of a child's
    mixture and of the architecture that it would propose (discretised), NaN where not measured."""
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        for row, record in runs(rows[rows["label"] == label], results):
            lines += ({"label": label, "seed": row["seed"], **node} for node in compared(record))
    columns = ["label", "seed", "stage", "node", "size", "kept", "accuracy", "discretised"]
    return as_frame(lines, columns)


def compared(record: Record) -> list[dict[str, Any]]:
    """The nodes of a search whose children were compared, in order; nothing for other searches."""
    tree = record.details.get("tree", ())
    if all(node["accuracy"] is None for node in tree):
        return []
    return [
        {
            "stage": node["depth"],
            "node": node["name"],
            "size": node["size"],
            "kept": bool(node["kept"]),
            "accuracy": _percent(node["accuracy"]),
            "discretised": _percent(node.get("discretised")),
        }
        for node in tree
    ]


def _percent(share: float | None) -> float:
    return np.nan if share is None else 100 * share


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: space sizes first, then the children of one method per panel."""
    labels = list(dict.fromkeys(data["label"]))
    figure, panels = plots.grid(1 + len(labels), (1.9, 1.65), plots.below(len(labels)))
    _sizes(panels[0], data, labels)
    measured = data[["accuracy", "discretised"]].to_numpy()
    limits = np.nanmin(measured), np.nanmax(measured)
    margin = 0.06 * max(limits[1] - limits[0], 1.0)
    across = plots.rows_of(len(panels))[1]
    for at, (label, axes) in enumerate(zip(labels, panels[1:], strict=True), 1):
        _children(axes, label, data[data["label"] == label])
        axes.set_ylim(limits[0] - 2.5 * margin, limits[1] + margin)
        if at == 1 or at % across == 0:
            axes.set_ylabel("validation accuracy (%)")
    plots.legend(figure, [plots.handle(label) for label in labels])
    plots.say(figure, partial)
    return figure


def _sizes(axes: Axes, data: pd.DataFrame, labels: list[str]) -> None:
    kept = data[data["kept"]]
    shift = 0.05
    for at, label in enumerate(labels):
        look = style.look(label)
        of_label = kept[kept["label"] == label]
        for _, run in of_label.groupby("seed"):
            axes.plot(run["stage"], run["size"], color=look.colour, linewidth=0.4, alpha=0.4)
        logs = of_label.assign(log=np.log(of_label["size"].astype(float))).groupby("stage")["log"]
        means = np.exp(logs.mean())
        x = means.index.to_numpy(dtype=float) + shift * (at - (len(labels) - 1) / 2)
        axes.plot(x, means, **{**plots.line(look, 0.9), **plots.marker(look, 4.5)})
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xticks(sorted(set(kept["stage"])))
    axes.set_xlabel("stage")
    axes.set_ylabel("architectures left")
    plots.title(axes, "Search space")


def _children(axes: Axes, label: str, data: pd.DataFrame) -> None:
    look = style.look(label)
    children = data[data["accuracy"].notna()]
    stages = sorted(set(children["stage"]))
    columns = [children.loc[children["stage"] == stage, "accuracy"].to_numpy() for stage in stages]
    axes.boxplot(
        columns, positions=stages, widths=0.62, showfliers=False,
        boxprops={"color": "#888888", "linewidth": 0.7}, medianprops={"color": "#333333", "linewidth": 1.0},
        whiskerprops={"color": "#888888", "linewidth": 0.7}, capprops={"color": "#888888", "linewidth": 0.7},
    )  # fmt: skip
    for stage in stages:
        here = children[children["stage"] == stage]
        x = stage + np.linspace(-0.22, 0.22, len(here)) if len(here) > 1 else np.array([float(stage)])
        for kept, colour in ((False, "white"), (True, look.colour)):
            mask = (here["kept"] == kept).to_numpy()
            axes.scatter(
                x[mask], here["accuracy"][mask], s=11 if kept else 6, facecolor=colour, edgecolor=look.colour,
                linewidth=0.5, zorder=4 if kept else 3,
            )  # fmt: skip
        axes.scatter(x, here["discretised"], s=10, marker="_", color="#777777", linewidth=0.6, zorder=2)
        runs_ = here["seed"].nunique()
        axes.annotate(f"{len(here) / runs_:.2g}", (stage, 0.02), xycoords=axes.get_xaxis_transform(), ha="center",
                      fontsize=5.5, color=plots.QUIET)  # fmt: skip
    axes.set_xlim(min(stages) - 0.5, max(stages) + 0.5)
    axes.set_xticks(stages, [str(stage) for stage in stages])
    axes.set_xlabel("stage")
    axes.grid(visible=False, axis="x")
    plots.title(axes, look.name)
