"""The cells that the searches chose, drawn as graphs: a small multiple per method, with a graph for each of its cell
types."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis import caption, graphs, groups, plots, stats, style
from analysis.load import Setting
from analysis.output import Drawn, as_frame, write_figure
from analysis.runs import record_of, searched
from bench import spaces
from bench.spaces.cells import CellSpace
from bench.spaces.operations import MOBILE
from bench.spaces.space import CellType, Edge, Space
from bench.store.record import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "cells"
WIDEST = 6.6  # inches
INCH = 0.335  # of a unit of the drawing: a node stands one from the next in a row, `SPREAD` in other cells
SPREAD, BESIDE = 1.55, 0.9
LEVEL, CLEAR = 0.62, 0.08  # of edges that pass above nodes: a level, and what the first lies higher
TITLE, ABOVE, BELOW, END = 0.63, 0.40, 0.25, 0.45  # heights: over the seed, around a graph, under the last cells
NAMED, JOINED = 0.5, 0.42  # more height for the name of a cell type, and for the line to an output
LETTERS, NAME_LINE = 5.9, 0.36  # letters of a name on a unit, and the height of a line of it
LOOKS: dict[str, tuple[str, str, style.Dash, float]] = {  # by operation: short name, colour, dash, width
    "none": ("", "#B8B8B8", style.DOTTED, 0.7),
    "skip_connect": ("skip", style.GREEN, style.DASHED, 1.1),
    "nor_conv_1x1": ("1×1", style.VERMILLION, style.DASH_DOT, 1.1),
    "nor_conv_3x3": ("3×3", style.BLUE, style.SOLID, 1.5),
    "avg_pool_3x3": ("pool", style.BLACK, style.DOTTED, 1.2),
    "max_pool_3x3": ("max", style.ORANGE, style.DOTTED, 1.2),
    "sep_conv_3x3": ("sep 3×3", style.BLUE, style.SOLID, 1.1),
    "sep_conv_5x5": ("sep 5×5", style.VERMILLION, style.SOLID, 1.5),
    "dil_conv_3x3": ("dil 3×3", style.PURPLE, style.LONG_DASHED, 1.1),
    "dil_conv_5x5": ("dil 5×5", style.SKY, style.LONG_DASHED, 1.5),
    "id": ("id", style.GREEN, style.DASHED, 1.1),
    "ir_3x3_t3": ("MB 3×3", style.BLUE, style.SOLID, 1.1),
    "ir_5x5_t6": ("MB 5×5", style.VERMILLION, style.SOLID, 1.5),
    **{
        one.name: (
            one.name,
            style.BLUE if one.size == 3 else style.VERMILLION,
            style.DASHED if one.squeezed else style.SOLID,
            0.5 + 0.4 * one.layers,
        )
        for one in MOBILE
    },
}
OTHER: tuple[str, style.Dash, float] = (style.GREY, style.SOLID, 1.1)
"""Colour, dash and width of any other operation, which is printed under its own name."""
PALE = 0.35  # of edges that cannot matter

DEFINITIONS = (
    "Each graph is a cell of the architecture that a run chose by its own estimates: of the run with the median "
    "test accuracy (the lower of two middle ones; the lowest seed where no truth is known). Nodes are sums of the "
    "edges into them, edges are operations as the key names them. Pale edges lie on no path from an input to the "
    "output that carries anything, so they cannot matter. Below each name: the seed, the test accuracy of the "
    "architecture when trained alone and its rank. Where a cell is a row, node 0 is the input and the last node the "
    "output, and thin grey edges carry nothing. In other cells the nodes at the left are inputs, `out` is made of "
    "the shaded nodes, and edges that a node drops are left out."
)

CHAPTER = "choice"
READ = "Each graph is a cell that one run chose; numbers are its nodes, and pale edges cannot matter."
"""How the figure is read, in a sentence."""
WORDS = caption.Words("cells", "Chosen cells.", READ)


def draw(frame: pd.DataFrame, results: Results) -> Drawn:
    """One figure per space, image set, scale and truth, below `figures/`; truths are of the searched data set."""
    paths: list[Path] = []
    for one, part in searched(frame):
        data = prepare(one, stats.done(part), results)
        if data.empty:
            continue
        shown = part[part["label"].isin(data["label"])]
        partial = groups.mark(one, part, data["label"])
        space = spaces.get(one.space)
        words = caption.text(WORDS, one, shown, results.root, partial, f"Ranks are among {caption.among(part)}.")
        with style.page():
            stem = results.root / "figures" / f"{NAME}-{one.slug}"
            paths += write_figure(stem, paint(space, data, partial), data, words)
    return Drawn(tuple(paths))


def prepare(setting: Setting, rows: pd.DataFrame, results: Results) -> pd.DataFrame:
    """All that is drawn: label, seed, test (%), rank, ranked, cell, edge, source, target, operation, live."""
    space = spaces.get(setting.space)
    lines: list[dict[str, Any]] = []
    for label in sorted(set(rows["label"]), key=style.order):
        row = middle(rows[rows["label"] == label])
        genotype = record_of(results, str(row["key"])).genotype
        if genotype is None:
            continue
        live = _live(space, genotype)
        shared = {"label": label, **{name: row[name] for name in ("seed", "test", "rank", "ranked")}}
        for number, edge in (one for kind in space.cells for one in graphs.shown(space, kind, genotype)):
            ends = {"cell": edge.cell, "edge": number, "source": edge.source, "target": edge.target}
            lines.append({**shared, **ends, "operation": space.ops[genotype[number]], "live": live[number]})
    columns = ["label", "seed", "test", "rank", "ranked", "cell", "edge", "source", "target", "operation", "live"]
    return as_frame(lines, columns)


def middle(rows: pd.DataFrame) -> pd.Series:
    """The run of the median test accuracy, the lower of two middle ones; the lowest seed where none is known."""
    known = rows[rows["test"].notna()].sort_values(["test", "seed"])
    return known.iloc[(len(known) - 1) // 2] if len(known) else rows.sort_values("seed").iloc[0]


def _live(space: Space, genotype: tuple[int, ...]) -> list[bool]:
    """Which edges can matter."""
    leading = set(space.leading(genotype) if isinstance(space, CellSpace) else range(len(genotype)))
    return [op == space.absent or e in leading for e, op in enumerate(genotype)]


def paint(space: Space, data: pd.DataFrame, partial: str) -> Figure:
    """The figure: architectures in rows, one key of operations below them."""
    from matplotlib.figure import Figure

    labels = list(dict.fromkeys(data["label"]))
    width = max(map(_width, space.cells))
    most = max(1, int(WIDEST / (width * INCH)))
    across = min(most, len(labels))
    down = -(-len(labels) // across)
    names = {label: plots.broken(style.printed(label), int(LETTERS * width)) for label in labels}
    more = NAME_LINE * max(name.count("\n") for name in names.values())
    height = TITLE + sum(up + low for up, low in (_heights(space, kind) for kind in space.cells)) + more
    operations = sorted(set(data["operation"]), key=lambda op: (op not in LOOKS, [*LOOKS, op].index(op)))
    columns = max(3, most) if across == most else max(2, across - 1)  # of the key, which is wider than so many cells
    lines = -(-len(operations) // columns)
    size = (max(across * width * INCH, style.COLUMN_WIDTH), down * height * INCH + 0.15 + 0.15 * lines)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(-0.5, across * width - 0.4)
    axes.set_ylim(-down * height + TITLE + more - END, TITLE + more)
    for at, label in enumerate(labels):
        row, column = divmod(at, across)
        _architecture(axes, (column * width, -row * height), names[label], space, data[data["label"] == label])
    plots.say(figure, partial)
    _key(figure, operations, columns)
    return figure


def _step(kind: CellType) -> float:
    return 1.0 if graphs.is_row(kind) else SPREAD


def _width(kind: CellType) -> float:
    """Of the place of a cell."""
    last = kind.nodes if graphs.is_row(kind) else graphs.out(kind)[0]
    return last * _step(kind) + BESIDE


def _high(level: float) -> float:
    """The height of a level of edges above the row."""
    return 0.0 if level == 0 else LEVEL * level + (CLEAR if level > 0 else -CLEAR)


def _heights(space: Space, kind: CellType) -> tuple[float, float]:
    """Of what stands above the row of a cell's nodes, and below."""
    low, high = graphs.span(space, kind)
    named, joined = NAMED if len(space.cells) > 1 else 0.0, 0.0 if graphs.is_row(kind) else JOINED
    return _high(high) + ABOVE + named, BELOW + joined - _high(low)


def _architecture(axes: Axes, at: tuple[float, float], name: str, space: Space, data: pd.DataFrame) -> None:
    """Name and numbers at a place, and a graph for each cell type below them."""
    x, y = at
    first = data.iloc[0]
    axes.text(x - 0.35, y + 0.22, name, fontsize=6.0, weight="bold", va="bottom", linespacing=1.0)
    rank = "" if np.isnan(first["rank"]) else f", rank {first['rank']:,.0f}"
    test = "no truth" if np.isnan(first["test"]) else f"{first['test']:.2f} %{rank}"
    axes.text(x - 0.35, y, f"seed {first['seed']}: {test}", fontsize=5.3, color=plots.QUIET, va="center")
    for kind in space.cells:
        above, below = _heights(space, kind)
        if len(space.cells) > 1:
            axes.text(x - 0.35, y - NAMED, kind.name, fontsize=5.3, style="italic", va="center")
        y -= above
        _graph(axes, (x, y), kind, data[data["cell"] == kind.name])
        y -= below


def _graph(axes: Axes, at: tuple[float, float], kind: CellType, data: pd.DataFrame) -> None:
    """A cell whose row of nodes begins at a place."""
    places = {n: (at[0] + _step(kind) * step, at[1] + LEVEL * up) for n, (step, up) in graphs.places(kind).items()}
    for one in data.to_dict("records"):
        edge = Edge(kind.name, one["source"], one["target"])
        height = _high(graphs.bend(kind, edge))
        _edge(axes, places[edge.source], places[edge.target], height, one["operation"], one["live"])
    marked = [] if graphs.is_row(kind) else list(kind.results)
    for node, place in places.items():
        _node(axes, place, str(node), "#D9D9D9" if node in marked else "white")
    if marked:
        end = (at[0] + _step(kind) * graphs.out(kind)[0], at[1])
        _joined(axes, [places[node] for node in marked], end, at[1] + _high(_lowest(data, kind)) - JOINED)
        _node(axes, end, "out", "white")


def _lowest(data: pd.DataFrame, kind: CellType) -> float:
    """The lowest level of a cell's inputs and edges."""
    where = graphs.places(kind)
    edges = [Edge(kind.name, source, target) for source, target in zip(data["source"], data["target"], strict=True)]
    middles = [(where[edge.source][1] + where[edge.target][1]) / 2 + graphs.bend(kind, edge) for edge in edges]
    return min(0.0, *middles, *(level for _, level in where.values()))


def _node(axes: Axes, place: tuple[float, float], name: str, colour: str) -> None:
    axes.text(
        *place, name, fontsize=5.0, ha="center", va="center", zorder=4,
        bbox={"boxstyle": "circle,pad=0.25", "facecolor": colour, "edgecolor": "#444444", "linewidth": 0.6},
    )  # fmt: skip


def _joined(axes: Axes, nodes: list[tuple[float, float]], end: tuple[float, float], below: float) -> None:
    """Lines from the nodes that the output is made of to the output: straight from one, else joined below the graph."""
    line: dict[str, Any] = {"color": "#A8A8A8", "linewidth": 0.6, "zorder": 1}
    if len(nodes) == 1:
        axes.plot([nodes[0][0], end[0]], [nodes[0][1], end[1]], **line)
        return
    for x, y in (*nodes, end):
        axes.plot([x, x], [y, below], **line)
    axes.plot([nodes[0][0], end[0]], [below, below], **line)


def _look(operation: str) -> tuple[str, str, style.Dash, float]:
    """Short name, colour, dash and width."""
    return LOOKS.get(operation, (operation, *OTHER))


def _edge(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], height: float, operation: str, live: bool
) -> None:
    """An arrow whose middle lies so high above the straight line, with its operation."""
    from matplotlib.patches import FancyArrowPatch

    short, colour, dash, width = _look(operation)
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    alpha = 1.0 if live else PALE
    axes.add_patch(
        FancyArrowPatch(
            start, end, connectionstyle=f"arc3,rad={-2 * height / length}", shrinkA=4.2,
            shrinkB=4.2, arrowstyle="-|>,head_length=1.6,head_width=0.9", color=colour, linestyle=dash,
            linewidth=width, alpha=alpha, zorder=2,
        )
    )  # fmt: skip
    if operation == "none":
        return
    level = height == 0 and start[1] == end[1]  # too short for a name on it, which would hide line and arrow
    paper = {"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    x = (start[0] + end[0]) / 2 - height * (end[1] - start[1]) / length
    y = (start[1] + end[1]) / 2 + height * (end[0] - start[0]) / length
    axes.text(
        x, y + (0.09 if level else 0), short, fontsize=4.8, ha="center",
        va="bottom" if level else "center", zorder=3, color=colour, alpha=alpha if live else 0.6,
        bbox=None if level else paper,
    )  # fmt: skip


def _key(figure: Figure, operations: list[str], columns: int) -> None:
    handles = [
        plots.stroke(colour, dash, width, label=operation if short in ("", operation) else f"{short} = {operation}")
        for operation in operations
        for short, colour, dash, width in [_look(operation)]
    ]
    plots.legend(figure, handles, columns)
