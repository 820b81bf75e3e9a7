"""Small drawings inside the page, as SVG text: a cell with its operations, and how a choice changed with cost."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from markupsafe import Markup

from analysis import graphs
from bench.spaces.space import CellType, Genotype, Space

NODE_GAP, NODE_RADIUS, RISE = 150, 13, 46  # units of the drawing; RISE: of a level of edges
MARGIN, NAMED, JOINED = 22, 20, 30  # around the nodes; more for the name of a cell type, and for the lines to an output
WIDE = 600  # from here on a cell gets more of the page
KINDS = 8  # colours of operations in the style sheet
DOTS = 24  # at most so many points of a curve tell their values
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 200, 62, 14, 12, 40  # of a curve, and its margins

_WORDS = {"nor": "", "connect": ""}


def operation(name: str) -> str:
    """An operation's name as people write it: `nor_conv_3x3` is conv 3×3."""
    words = (_WORDS.get(word, word) for word in name.split("_"))
    return re.sub(r"(\d)x(\d)", "\\1×\\2", " ".join(word for word in words if word))


def cell(space: Space, genotype: Genotype) -> Markup:
    """A drawing for each cell type: nodes in a row, inputs at the left where there are several, and an arc per edge.

    An edge that carries no operation is a thin dotted line; where nodes drop edges it is left out. The nodes that an
    output is made of are shaded and joined with it.
    """
    return Markup("").join(_graph(space, kind, genotype) for kind in space.cells)


def _graph(space: Space, kind: CellType, genotype: Genotype) -> Markup:
    low, high = graphs.span(space, kind)
    row, named = graphs.is_row(kind), len(space.cells) > 1
    middle = MARGIN + RISE * high + (NAMED if named else 0)
    height = middle + MARGIN - RISE * low + (0 if row else JOINED)
    places = {node: _place(place, middle) for node, place in graphs.places(kind).items()}
    end = _place(graphs.out(kind), middle)
    width = (max(x for x, _ in places.values()) if row else end[0]) + 30
    shown = graphs.shown(space, kind, genotype)
    drawn = [
        _arc(
            places[edge.source],
            places[edge.target],
            -RISE * graphs.bend(kind, edge),
            space.ops[genotype[e]],
            genotype[e],
        )
        for e, edge in shown
    ]
    lines = "" if row else _joined([places[node] for node in kind.results], end, height - MARGIN + NODE_RADIUS)
    nodes = [_node(places[node], name, not row and node in kind.results) for node, name in _names(kind).items()]
    nodes += [] if row else [_node(end, "out", False)]
    title = f'<text class="kind" x="4" y="14">{kind.name}</text>' if named else ""
    words = "; ".join(f"{edge.source} to {edge.target}: {operation(space.ops[genotype[e]])}" for e, edge in shown)
    return Markup(  # all of it is numbers and the names of cell types and operations
        f'<svg class="cell{" wide" if width > WIDE else ""}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="Cell{f" {kind.name}" if named else ""}, {words}">'
        f"{title}{lines}{''.join(line for line, _ in drawn)}{''.join(circle for circle, _ in nodes)}"
        f"{''.join(text for _, text in drawn)}{''.join(text for _, text in nodes)}</svg>"
    )


def _names(kind: CellType) -> dict[int, str]:
    """What each node is called."""
    every = range(kind.inputs + kind.nodes)
    ends = {0: "in", every[-1]: "out"} if graphs.is_row(kind) else {}
    return {node: ends.get(node, str(node)) for node in every}


def _place(place: graphs.Place, middle: float) -> tuple[float, float]:
    return 30 + NODE_GAP * place[0], middle - RISE * place[1]


def _node(place: tuple[float, float], name: str, marked: bool) -> tuple[str, str]:
    """A node, and its name."""
    x, y = place
    circle = f'<circle class="node{" result" if marked else ""}" cx="{x:g}" cy="{y:g}" r="{NODE_RADIUS}"/>'
    return circle, f'<text class="name" x="{x:g}" y="{y + 4:g}">{name}</text>'


def _joined(nodes: Sequence[tuple[float, float]], end: tuple[float, float], below: float) -> str:
    """Lines from the nodes that an output is made of to the output: straight from one, else joined below the graph."""
    if len(nodes) == 1:
        return f'<path class="joined" d="M{_p(nodes[0])}L{_p(end)}"/>'
    down = "".join(f"M{_p(place)}V{below:.1f}" for place in (*nodes, end))
    return f'<path class="joined" d="{down}M{nodes[0][0]:.1f},{below:.1f}H{end[0]:.1f}"/>'


def _arc(start: tuple[float, float], end: tuple[float, float], sag: float, name: str, op: int) -> tuple[str, str]:
    """The line of an edge with its arrow head, and its label. sag: of its middle below the straight line."""
    (x1, y1), (x2, y2) = start, end
    length = math.hypot(x2 - x1, y2 - y1)
    away = (-sag * (y2 - y1) / length, sag * (x2 - x1) / length)
    middle = ((x1 + x2) / 2 + away[0], (y1 + y2) / 2 + away[1])
    at = (middle[0] + away[0], middle[1] + away[1])  # the control point: the arc reaches half as far
    first, last = _edge_of(*start, *at), _edge_of(*end, *at)
    kind = "none" if name == "none" else f"op{op if op < KINDS else 1 + op % (KINDS - 1)}"
    line = f'<path class="edge {kind}" d="M{_p(first)}Q{_p(at)} {_p(last)}"/>'
    if name != "none":
        angle = math.atan2(last[1] - at[1], last[0] - at[0])
        wings = [(last[0] - 9 * math.cos(angle + turn), last[1] - 9 * math.sin(angle + turn)) for turn in (-0.4, 0.4)]
        line += f'<path class="head {kind}" d="M{_p(last)}L{_p(wings[0])}L{_p(wings[1])}Z"/>'
    text = f'<text class="op {kind}" x="{middle[0]:.0f}" y="{middle[1] + 4:.0f}">{operation(name)}</text>'
    return line, text


def _edge_of(x: float, y: float, towards_x: float, towards_y: float) -> tuple[float, float]:
    """The point of a node's rim that faces a point."""
    angle = math.atan2(towards_y - y, towards_x - x)
    return x + (NODE_RADIUS + 2) * math.cos(angle), y + (NODE_RADIUS + 2) * math.sin(angle)


def _p(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def curve(points: Sequence[tuple[float, float]], x_title: str, y_title: str, held: bool) -> Markup:
    """A line through (x, y) in order of x, each point with its values under the pointer.

    `held`: y stays until the next point, as a proposal does; else the points are joined. Nothing for fewer than two x.
    """
    if len({x for x, _ in points}) < 2:
        return Markup("")
    from matplotlib.ticker import MaxNLocator

    xs, ys = zip(*points, strict=True)
    flat = max(ys) == min(ys)
    low, high = (min(ys) - 1, max(ys) + 1) if flat else (min(ys), max(ys))
    across, up = MaxNLocator(5).tick_values(0, max(xs)), MaxNLocator(4).tick_values(low, high)
    across = [tick for tick in across if 0 <= tick <= max(xs)]
    low, high = min(low, up[0]), max(high, up[-1])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * x / (max(xs) or 1),
            TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low),
        )

    parts = []
    for tick in up:
        x, y = place(0, tick)
        parts.append(f'<path class="grid" d="M{LEFT},{y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick y" x="{LEFT - 6}" y="{y + 4:.1f}">{tick:g}</text>')
    for tick in across:
        x, _ = place(tick, low)
        parts.append(f'<text class="tick x" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}">{short(tick)}</text>')
    path = ""
    for at, (x, y) in enumerate(points):
        px, py = place(x, y)
        path += f"M{px:.1f},{py:.1f}" if not at else f"H{px:.1f}V{py:.1f}" if held else f"L{px:.1f},{py:.1f}"
    parts.append(f'<path class="line" d="{path}"/>')
    for x, y in points[:: -(-len(points) // DOTS)]:
        px, py = place(x, y)
        tip = f"{x:,.0f} {x_title}: {y:.4g}"
        parts.append(f'<circle class="dot" cx="{px:.1f}" cy="{py:.1f}" r="3"><title>{tip}</title></circle>')
    parts.append(f'<text class="tick x" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">{x_title}</text>')
    words = f"{y_title}: {ys[0]:.4g} at {xs[0]:,.0f} {x_title}, {ys[-1]:.4g} at {xs[-1]:,.0f}"
    turned = f'transform="rotate(-90 12 {HEIGHT / 2 - 14})"'
    parts.append(f'<text class="tick x" x="12" y="{HEIGHT / 2 - 14}" {turned}>{y_title}</text>')
    return Markup(
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">{"".join(parts)}</svg>'
    )


def short(value: float) -> str:
    """A number of images in few letters: 40000 is 40k."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
