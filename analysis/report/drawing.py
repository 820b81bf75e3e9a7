"""Small drawings inside the page, as SVG text: a cell with its operations, and how a choice changed with cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from bench.spaces.space import Genotype, Space

NODE_GAP, NODE_RADIUS, RISE = 150, 13, 46  # units of the drawing; RISE: of an arc, per node that it passes
MOST_NODES = 6
DOTS = 24  # at most so many points of a curve tell their values
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 200, 62, 14, 12, 40  # of a curve, and its margins

_WORDS = {"nor": "", "conv": "conv", "skip": "skip", "connect": "", "avg": "avg", "pool": "pool"}


def operation(name: str) -> str:
    """An operation's name as people write it: `nor_conv_3x3` is conv 3×3."""
    words = (_WORDS.get(word, word) for word in name.split("_"))
    return " ".join(word for word in words if word).replace("3x3", "3×3").replace("1x1", "1×1")


def cell(space: Space, genotype: Genotype) -> Markup:
    """The cell as nodes in a row and an arc per edge; nothing for a space of several cell types or many nodes.

    An edge that carries no operation is a thin dotted line.
    """
    last = max(edge.target for edge in space.edges)
    if len({edge.cell for edge in space.edges}) != 1 or last >= MOST_NODES:
        return Markup("")
    spans = [edge.target - edge.source for edge in space.edges]
    above = max((s for s, e in zip(spans, space.edges, strict=True) if s > 1 and _rises(e.source)), default=0)
    below = max((s for s, e in zip(spans, space.edges, strict=True) if s > 1 and not _rises(e.source)), default=0)
    middle = 22 + RISE * max(0, above - 1)
    height = middle + 22 + RISE * max(0, below - 1)
    width = last * NODE_GAP + 60
    parts, labels = [], []
    for edge, op in zip(space.edges, genotype, strict=True):
        arc, label = _arc(edge.source, edge.target, middle, space.ops[op], op)
        parts.append(arc)
        labels.append(label)
    for node in range(last + 1):
        x = 30 + node * NODE_GAP
        name = "in" if node == 0 else "out" if node == last else str(node)
        parts.append(f'<circle class="node" cx="{x}" cy="{middle}" r="{NODE_RADIUS}"/>')
        labels.append(f'<text class="name" x="{x}" y="{middle + 4}">{name}</text>')
    words = "; ".join(
        f"{e.source} to {e.target}: {operation(space.ops[op])}" for e, op in zip(space.edges, genotype, strict=True)
    )
    return Markup(  # all of it is numbers and the names of operations
        f'<svg class="cell" viewBox="0 0 {width} {height}" role="img" aria-label="Cell, {words}">'
        f"{''.join(parts)}{''.join(labels)}</svg>"
    )


def _rises(source: int) -> bool:
    return source % 2 == 0


def _arc(source: int, target: int, middle: int, name: str, op: int) -> tuple[str, str]:
    """The line of an edge with its arrow head, and its label."""
    x1, x2 = 30 + source * NODE_GAP, 30 + target * NODE_GAP
    rise = RISE * (target - source - 1) * (-1 if _rises(source) else 1)
    at_x, at_y = (x1 + x2) / 2, middle + 2 * rise  # the control point: the arc reaches half as far
    start, end = _edge_of(x1, middle, at_x, at_y), _edge_of(x2, middle, at_x, at_y)
    kind = "none" if name == "none" else f"op{op}"
    line = f'<path class="edge {kind}" d="M{_p(start)}Q{_p((at_x, at_y))} {_p(end)}"/>'
    if name != "none":
        angle = math.atan2(end[1] - at_y, end[0] - at_x)
        wings = [(end[0] - 9 * math.cos(angle + turn), end[1] - 9 * math.sin(angle + turn)) for turn in (-0.4, 0.4)]
        line += f'<path class="head {kind}" d="M{_p(end)}L{_p(wings[0])}L{_p(wings[1])}Z"/>'
    text = f'<text class="op {kind}" x="{at_x:.0f}" y="{middle + rise + 4}">{operation(name)}</text>'
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
