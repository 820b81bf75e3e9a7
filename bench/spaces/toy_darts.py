"""A DARTS space small enough to list: two cell types of two inputs and two nodes, 10 edges, 2,304 architectures.

It has what NAS-Bench-201 lacks: a second cell type, two inputs, concatenation, strides, a rule, operations of several
kernels, edges that may take different operations, and a population that is a sample.
"""

from __future__ import annotations

from bench.spaces.layout import TwoInputCells
from bench.spaces.space import CellType, Edge
from bench.spaces.two_inputs import TwoInputs, two_input_dag

NODES = 2
CELLS = (
    CellType("normal", inputs=2, nodes=NODES, output="concatenated"),
    CellType("reduce", inputs=2, nodes=NODES, output="concatenated", stride=2),
)
OPS = ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3")
SKIP, POOL, SEPARABLE = OPS[1:]
_BY_SOURCE = ((SKIP, POOL), (POOL, SEPARABLE), (SKIP, SEPARABLE))  # in reduction cells
_EDGES = tuple(Edge(*edge) for cell in CELLS for edge in two_input_dag(cell.name, cell.inputs, cell.nodes))

SPACE = TwoInputs(
    "toy-darts",
    OPS,
    _EDGES,
    CELLS,
    TwoInputCells(NODES),
    may=tuple((SKIP, SEPARABLE) if edge.cell == "normal" else _BY_SOURCE[edge.source] for edge in _EDGES),
    sampled=240,
)
