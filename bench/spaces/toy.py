"""A space small enough to check by hand: 3 nodes, 3 edges, 3 operations, 27 cells."""

from __future__ import annotations

from bench.spaces.dag import Dag, dag
from bench.spaces.layout import ResidualStages
from bench.spaces.space import CellType

CELL = CellType("cell", inputs=1, nodes=2, output="last")
SPACE = Dag("toy", ("none", "skip_connect", "nor_conv_3x3"), dag(3), (CELL,), ResidualStages())
