"""Cells as graphs: where nodes stand, how edges bend and what they are called, for figures and the page of a run.

A cell of one input whose last node is its output is a row of nodes. In any other cell inputs stand one above the other
at the left, the other nodes in a row, and a node `out` at the right stands for the output.
"""

from __future__ import annotations

from bench.spaces.space import CellType, Edge, Genotype, Space

APART = 1.4  # levels of the outermost inputs above and below the row
OUTER, INNER = 0.5, 0.8  # levels that an edge rises for each node that it passes: from an input, from another node

Place = tuple[float, float]
"""Steps from the left, and levels above the row."""


def is_row(kind: CellType) -> bool:
    """Whether the nodes are all there is to draw: the first is the input and the last the output."""
    return kind.inputs == 1 and kind.output == "last"


def places(kind: CellType) -> dict[int, Place]:
    """Where each node stands."""
    inputs, last = kind.inputs, kind.inputs - 1
    outer = {node: (0.0, APART * (1 - 2 * node / last) if last else 0.0) for node in range(inputs)}
    return outer | {node: (float(node - last), 0.0) for node in range(inputs, inputs + kind.nodes)}


def out(kind: CellType) -> Place:
    """Where the output stands, in cells that are no row."""
    return kind.nodes + 1.0, 0.0


def bend(kind: CellType, edge: Edge) -> float:
    """Levels by which the middle of an edge lies above the straight line between its nodes; below it if negative.

    Edges of an upper input pass above the nodes between, those of a lower one below; others by turns.
    """
    where = places(kind)
    (start, level), (end, _) = where[edge.source], where[edge.target]
    passed = end - start - 1
    if is_row(kind):
        return passed if edge.source % 2 == 0 else -passed
    if level:
        return OUTER * passed if level > 0 else -OUTER * passed
    return INNER * passed if (edge.source - kind.inputs) % 2 == 0 else -INNER * passed


def span(space: Space, kind: CellType) -> tuple[float, float]:
    """The lowest and the highest level that an edge or a node of the cell type can reach."""
    where = places(kind)
    middles = [
        (where[edge.source][1] + where[edge.target][1]) / 2 + bend(kind, edge) for _, edge in space.of_cell(kind.name)
    ]
    levels = [*middles, *(level for _, level in where.values())]
    return min(levels), max(levels)


def shown(space: Space, kind: CellType, genotype: Genotype) -> list[tuple[int, Edge]]:
    """The edges of a cell type that are drawn, with their numbers. Nodes of several inputs drop most of their edges:
    those that carry no operation are left out there."""
    return [(e, edge) for e, edge in space.of_cell(kind.name) if is_row(kind) or genotype[e] != space.absent]


def edge_name(space: Space, edge: int) -> str:
    """`3 ← 0`, target and source; `normal 3 ← 0` where the space has several cell types."""
    one = space.edges[edge]
    name = f"{one.target} ← {one.source}"
    return f"{one.cell} {name}" if len(space.cells) > 1 else name
