"""The cells that the searches chose, drawn as graphs: one small multiple per method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, groups, plots, stats, style
from analysis.load import Setting
from analysis.output import Drawn, as_frame, write_figure
from analysis.runs import record_of, searched
from bench import spaces
from bench.spaces.cells import CellSpace
from bench.spaces.space import Space
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "cells"
ACROSS = 5  # cells in a row
WIDTH, HEIGHT = 3.9, 3.3  # of a cell's place below a name of one line; nodes are 1 apart
LETTERS, NAME_LINE = 23, 0.36  # letters in a line of a name, and its height
INCH = 0.335  # of one such unit
LOOKS = {  # by operation: short name, colour, dash, width
    "none": ("", "#B8B8B8", style.DOTTED, 0.7),
    "skip_connect": ("skip", style.GREEN, style.DASHED, 1.1),
    "nor_conv_1x1": ("1×1", style.VERMILLION, style.DASH_DOT, 1.1),
    "nor_conv_3x3": ("3×3", style.BLUE, style.SOLID, 1.5),
    "avg_pool_3x3": ("pool", style.BLACK, style.DOTTED, 1.2),
}
PALE = 0.35  # of edges that cannot matter

MEANING = (
    "Each graph is the cell that a run chose by its own estimates: of the run with the median test accuracy (the lower "
    "of two middle ones; the lowest seed where no truth is known). Nodes are sums of the edges into them, node 0 is "
    "the input and the last node the output. Edges are operations: 3×3 and 1×1 are ReLU, convolution and batch "
    "normalisation, pool is the average over 3×3, skip the identity; thin grey ones carry nothing. Pale "
    "edges lie on no path from input to output that carries anything, so they cannot matter. Below each name: the "
    "seed, the test accuracy of the cell when trained alone and its rank in the truth."
)

READ = "Each graph is the cell that one run chose; numbers are its nodes, and pale edges cannot matter."
"""How the figure is read, in a sentence."""


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth, below `figures/`; truths are of the searched data set."""
    paths: list[Path] = []
    for one, part in searched(frame):
        data = prepare(one, stats.done(part), results)
        if data.empty:
            continue
        shown = part[part["label"].isin(data["label"])]
        partial = groups.mark(one, part, data["label"])
        words = caption.text("Chosen cells.", one, shown, MEANING, results.root, partial, intervals=False)
        with style.page():
            stem = results.root / "figures" / f"{NAME}-{one.slug}"
            paths += write_figure(stem, paint(data, partial), data, words)
    return Drawn(tuple(paths))


def prepare(setting: Setting, rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, seed, test (%), rank, ranked, edge, source, target, operation, live."""
    space = spaces.get(setting.space)
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        row = middle(rows[rows["label"] == label])
        genotype = record_of(results, str(row["key"])).genotype
        if genotype is None:
            continue
        live = _live(space, genotype)
        shared = {"label": label, **{name: row[name] for name in ("seed", "test", "rank", "ranked")}}
        for number, (edge, op) in enumerate(zip(space.edges, genotype, strict=True)):
            ends = {"edge": number, "source": edge.source, "target": edge.target}
            lines.append({**shared, **ends, "operation": space.ops[op], "live": live[number]})
    columns = ["label", "seed", "test", "rank", "ranked", "edge", "source", "target", "operation", "live"]
    return as_frame(lines, columns)


def middle(rows: pd.DataFrame) -> pd.Series:
    """The run of the median test accuracy, the lower of two middle ones; the lowest seed where none is known."""
    known = rows[rows["test"].notna()].sort_values(["test", "seed"])
    return known.iloc[(len(known) - 1) // 2] if len(known) else rows.sort_values("seed").iloc[0]


def _live(space: Space, genotype: tuple[int, ...]) -> list[bool]:
    """Which edges can matter."""
    leading = space.leading(genotype) if isinstance(space, CellSpace) else range(len(genotype))
    return [op == space.absent or e in set(leading) for e, op in enumerate(genotype)]


def paint(data: pd.DataFrame, partial: str) -> Figure:
    """The figure: cells in rows, one key of operations below them."""
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(data["label"]))
    across = min(ACROSS, len(labels))
    down = -(-len(labels) // across)
    more = NAME_LINE * max(_name(label).count("\n") for label in labels)
    height = HEIGHT + more
    operations = [op for op in LOOKS if op in set(data["operation"])]
    columns = ACROSS if across == ACROSS else max(2, across - 1)  # of the key, which is wider than so many cells
    lines = -(-len(operations) // columns)
    size = (max(across * WIDTH * INCH, style.COLUMN_WIDTH), down * height * INCH + 0.15 + 0.15 * lines)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(-0.5, across * WIDTH - 0.4)
    axes.set_ylim(-down * height + more + 1.9, 2.35 + more)
    for at, label in enumerate(labels):
        row, column = divmod(at, across)
        _cell(axes, column * WIDTH, -row * height, data[data["label"] == label])
    plots.say(figure, partial)
    _key(figure, operations, columns)
    return figure


def _cell(axes: Axes, x: float, y: float, data: pd.DataFrame) -> None:
    first = data.iloc[0]
    name = _name(str(first["label"]))
    axes.text(x - 0.35, y + 1.94, name, fontsize=6.0, weight="bold", va="bottom", linespacing=1.0)
    rank = "" if np.isnan(first["rank"]) else f", rank {first['rank']:,.0f}"
    test = "no truth" if np.isnan(first["test"]) else f"{first['test']:.2f} %{rank}"
    axes.text(x - 0.35, y + 1.72, f"seed {first['seed']}: {test}", fontsize=5.3, color=plots.QUIET, va="center")
    for edge in data.to_dict("records"):
        _edge(axes, x, y, edge["source"], edge["target"], edge["operation"], edge["live"])
    for node in sorted({*data["source"], *data["target"]}):
        axes.text(
            x + node, y, str(node), fontsize=5.0, ha="center", va="center", zorder=4,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": "#444444", "linewidth": 0.6},
        )  # fmt: skip


def _name(label: str) -> str:
    return plots.broken(style.printed(label), LETTERS)


def _edge(axes: Axes, x: float, y: float, source: int, target: int, operation: str, live: bool) -> None:
    """Neighbours are joined straight, others by arcs: above, where the source is even, else below."""
    from matplotlib.patches import FancyArrowPatch

    short, colour, dash, width = LOOKS.get(operation, (operation, style.PURPLE, style.DASHED, 1.0))
    reach = target - source
    height = 0.0 if reach == 1 else (0.62 * (reach - 1) + 0.08) * (1 if source % 2 == 0 else -1)
    alpha = 1.0 if live else PALE
    axes.add_patch(
        FancyArrowPatch(
            (x + source, y), (x + target, y), connectionstyle=f"arc3,rad={-2 * height / reach}", shrinkA=4.2,
            shrinkB=4.2, arrowstyle="-|>,head_length=1.6,head_width=0.9", color=colour, linestyle=dash,
            linewidth=width, alpha=alpha, zorder=2,
        )
    )  # fmt: skip
    if operation == "none":
        return
    straight = reach == 1  # too short for a name on it, which would hide line and arrow
    paper = {"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    axes.text(
        x + (source + target) / 2, y + (0.09 if straight else height), short, fontsize=4.8, ha="center",
        va="bottom" if straight else "center", zorder=3, color=colour, alpha=alpha if live else 0.6,
        bbox=None if straight else paper,
    )  # fmt: skip


def _key(figure: Figure, operations: list[str], columns: int) -> None:
    handles = [
        plots.stroke(colour, dash, width, label=f"{short} = {operation}" if short else operation)
        for operation in operations
        for short, colour, dash, width in [LOOKS[operation]]
    ]
    plots.legend(figure, handles, columns)
