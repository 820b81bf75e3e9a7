"""Rows of whole cells, one of which is taken in each: the space inside one FaDE hyper-architecture.

An operation of this space is an architecture of another one. d rows of k hold k ** d paths.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadSpec
from bench.spaces.cells import CellSpace
from bench.spaces.space import CellType, Edge, Genotype, Sizes, Space

ARROW = " > "


@dataclass(frozen=True)
class Rows(Space):
    """Row i takes one of `rows[i]`, architectures of `inner`; operation c of a row is its c-th."""

    inner: CellSpace
    rows: tuple[tuple[Genotype, ...], ...]

    @property
    def network(self) -> str:
        """The skeleton of `inner` with rows in its stages."""
        return "bench.nets.rows:rowed"

    def path(self, genotype: Genotype) -> tuple[Genotype, ...]:
        """The architecture of every row."""
        return tuple(row[op] for row, op in zip(self.rows, self.check(genotype), strict=True))

    def show(self, genotype: Genotype) -> str:
        """The architectures in the notation of their own space, first row first."""
        return ARROW.join(self.inner.show(cell) for cell in self.path(genotype))

    def parse(self, text: str) -> Genotype:
        """The inverse of `show`."""
        parts = [self.inner.parse(part) for part in text.split(ARROW)]
        if len(parts) != len(self.rows):
            raise BadGenotype(f"{text!r} names {len(parts)} cells; a chain of {self.name} takes {len(self.rows)}")
        for row, (part, cells) in enumerate(zip(parts, self.rows, strict=True)):
            if part not in cells:
                raise BadGenotype(f"{self.inner.show(part)} is not among the {len(cells)} cells of row {row}")
        return tuple(cells.index(part) for part, cells in zip(parts, self.rows, strict=True))

    def trained_class(self, genotype: Genotype) -> Hashable:
        """Row by row the class of the cell."""
        return tuple(self.inner.trained_class(cell) for cell in self.path(genotype))

    def sizes(self, genotype: Genotype) -> Sizes:
        """The sum over rows."""
        each = [self.inner.sizes(cell) for cell in self.path(genotype)]
        return Sizes(sum(s.parameters for s in each), sum(s.multiply_adds for s in each))

    @property
    def weights(self) -> NDArray[np.int64]:
        """`[d, k]` those of the cells."""
        return np.array([[self.inner.sizes(cell).parameters for cell in row] for row in self.rows], dtype=np.int64)


def rows_of(inner: CellSpace, cells: Sequence[Sequence[Genotype]]) -> Rows:
    """The paths that take row i from `cells[i]`.

    Raises BadSpec unless every row has the same number of different cells, BadGenotype for one that is not of `inner`.
    """
    rows = tuple(tuple(inner.check(cell) for cell in row) for row in cells)
    widths = {len(row) for row in rows}
    if len(widths) != 1 or 0 in widths or any(len(set(row)) < len(row) for row in rows):
        raise BadSpec(f"rows of a chain take equally many cells, 1 or more, all different; got {list(map(len, rows))}")
    edges = tuple(Edge("chain", row, row + 1) for row in range(len(rows)))
    chain = CellType("chain", inputs=1, nodes=len(rows), output="last")
    return Rows(f"cells of {inner.name}", tuple(map(str, range(widths.pop()))), edges, (chain,), inner, rows)
