"""A chain of rows, each of which takes one of several whole cells: the space inside one FaDE hyper-architecture.

An operation of this space is a cell of another one. d rows of k cells hold k ** d chains.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from bench.errors import BadGenotype, BadSpec
from bench.spaces.space import Edge, Genotype, Space

ARROW = " > "


@dataclass(frozen=True)
class Chain(Space):
    """Row i takes one of `cells[i]`, architectures of `inner`; operation c of a row is its c-th cell."""

    inner: Space
    cells: tuple[tuple[Genotype, ...], ...]

    def path(self, genotype: Genotype) -> tuple[Genotype, ...]:
        """The cell of every row."""
        return tuple(row[op] for row, op in zip(self.cells, self.check(genotype), strict=True))

    def show(self, genotype: Genotype) -> str:
        """The cells in the notation of their own space, first row first."""
        return ARROW.join(self.inner.show(cell) for cell in self.path(genotype))

    def parse(self, text: str) -> Genotype:
        """The inverse of `show`."""
        parts = [self.inner.parse(part) for part in text.split(ARROW)]
        if len(parts) != len(self.cells):
            raise BadGenotype(f"{text!r} names {len(parts)} cells; a chain of {self.name} takes {len(self.cells)}")
        for row, (part, cells) in enumerate(zip(parts, self.cells, strict=True)):
            if part not in cells:
                raise BadGenotype(f"{self.inner.show(part)} is not among the {len(cells)} cells of row {row}")
        return tuple(cells.index(part) for part, cells in zip(parts, self.cells, strict=True))

    def trained_class(self, genotype: Genotype) -> Hashable:
        """Row by row the class of the cell."""
        return tuple(self.inner.trained_class(cell) for cell in self.path(genotype))

    def shared_class(self, genotype: Genotype) -> Hashable:
        """The genotype itself: no two cells of a row share weights."""
        return genotype


def chain(inner: Space, cells: Sequence[Sequence[Genotype]]) -> Chain:
    """The chains that take row i from `cells[i]`.

    Raises BadSpec unless every row has the same number of different cells, BadGenotype for one that is not of `inner`.
    """
    rows = tuple(tuple(inner.check(cell) for cell in row) for row in cells)
    widths = {len(row) for row in rows}
    if len(widths) != 1 or 0 in widths or any(len(set(row)) < len(row) for row in rows):
        raise BadSpec(f"rows of a chain take equally many cells, 1 or more, all different; got {list(map(len, rows))}")
    edges = tuple(Edge("chain", row, row + 1) for row in range(len(rows)))
    return Chain(f"cells of {inner.name}", tuple(map(str, range(widths.pop()))), edges, inner, rows)
