"""Spaces of searched cells: what their operations are, which of them can matter, and how large an architecture is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadSpace
from bench.spaces.layout import Layout, Place, Shape
from bench.spaces.operations import Kernel, Operation, Partial, operation, strided
from bench.spaces.space import CellType, Genotype, Region, Sizes, Space

Used = tuple[tuple[int, ...], ...]
"""The operations that are computed, per edge."""


@dataclass(frozen=True)
class CellSpace(Space):
    """Cells of named operations in the places of a layout. Raises BadSpace, UnknownName for what does not fit.

    share: of a supernet with partial channels (`operations.Partial`), into how many parts they fall; the architectures
    and their sizes are those of 1.
    """

    layout: Layout
    share: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        places = self.layout.places(self.layout.unit)
        types = {place.cell for place in places}
        if types != {cell.name for cell in self.cells}:
            names = ", ".join(sorted(types))
            raise BadSpace(f"the layout of {self.name} has cells of types {names}; the space has {self._types}")
        if not self.operations:
            raise BadSpace(f"{self.name} has no operation")
        for place in places if self.share == 1 else ():  # sizes are stated for all channels
            self._check_widths(place)

    def _check_widths(self, place: Place) -> None:
        """Raises BadSpace where an operation cannot give the channels of a place from those that enter it."""
        for e, _ in self.of_cell(place.cell):
            for op in range(len(self.ops)):
                self.kernels_at(place, e, op)

    @property
    def _types(self) -> str:
        return ", ".join(cell.name for cell in self.cells)

    @property
    def network(self) -> str:
        """That of the layout."""
        return self.layout.network

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """What `ops` stand for. Raises UnknownName."""
        named = tuple(operation(name) for name in self.ops)
        return named if self.share == 1 else tuple(Partial(one.name, one, self.share) for one in named)

    @cached_property
    def holders(self) -> Mapping[int, int]:
        """The operations whose kernels may be parts of another's, each with the largest of its kind, which holds them.

        Raises BadSpace where two are of a kind and neither holds the other.
        """
        found: dict[int, int] = {}
        nesting = [op for op, one in enumerate(self.operations) if one.holds(one)]
        for kind in dict.fromkeys(type(self.operations[op]) for op in nesting):
            alike = [op for op in nesting if type(self.operations[op]) is kind]
            largest = max(alike, key=lambda op: sum(self.operations[op].holds(self.operations[o]) for o in alike))
            for op in alike:
                if not self.operations[largest].holds(self.operations[op]):
                    raise BadSpace(
                        f"{self.ops[op]} is no part of {self.ops[largest]} of {self.name}: its kernel or its width is "
                        "larger; train it on weights of its own"
                    )
                if op != largest:
                    found[op] = largest
        return found

    @cached_property
    def absent(self) -> int | None:
        """The operation that stands for no edge, where there is one."""
        return next((op for op, name in enumerate(self.ops) if operation(name).absent), None)

    def computed(self, ops: Sequence[int]) -> tuple[int, ...]:
        """Of the operations of an edge those that are computed: all but `none`, which gives nothing. With partial
        channels it passes the others on, unless it stands alone: then there is no edge."""
        named = tuple(op for op in ops if op != self.absent)
        return named if self.share == 1 or not named else tuple(ops)

    def stride(self, edge: int) -> int:
        """By how much an edge narrows what it takes."""
        kind = self.cell(self.edges[edge].cell)
        return kind.stride if self.edges[edge].source < kind.inputs else 1

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """`stride` of every edge."""
        return tuple(self.stride(e) for e in range(len(self.edges)))

    def used(self, region: Region) -> Used:
        """Per edge, the allowed operations that can matter: on a way from an input to the output that is not `none`."""
        return _used(self, region)

    def sizes(self, genotype: Genotype) -> Sizes:
        """Of the network of `Layout.unit`: with one channel and one cell a stage, unless the layout says otherwise."""
        weights, costs = self._units
        parameters = sum(weights[e][op] for e, op in enumerate(genotype))
        return Sizes(parameters, sum(costs[e][genotype[e]] for e in self.leading(genotype)))

    def leading(self, genotype: Genotype) -> list[int]:
        """The edges of an architecture that lie on a way from an input to an output, so that they can matter."""
        named = [() if op == self.absent else (op,) for op in genotype]
        return [e for kind in self.cells for e in leading(self, kind, named)]

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        """`[E, O]` in that network."""
        return np.array(self._units[0], dtype=np.int64)

    @cached_property
    def _units(self) -> tuple[list[list[int]], list[list[int]]]:
        """Weights and multiply-adds by edge and operation."""
        each = [[self.kernels(self.layout.unit, e, op) for op in range(len(self.ops))] for e in range(len(self.edges))]
        weights = [[sum(map(self.layout.counted, kernels)) for kernels in ops] for ops in each]
        return weights, [[sum(k.multiply_adds for k in kernels) for kernels in ops] for ops in each]

    def kernels(self, shape: Shape, edge: int, op: int) -> list[Kernel]:
        """The convolutions of an operation on an edge, in all cells of a network."""
        places = [place for place in self.layout.places(shape) if place.cell == self.edges[edge].cell]
        return [kernel for place in places for kernel in self.kernels_at(place, edge, op)]

    def kernels_at(self, place: Place, edge: int, op: int) -> tuple[Kernel, ...]:
        """The convolutions of an operation on an edge, in one cell."""
        kind, operation, stride = self.cell(place.cell), self.operations[op], self.strides[edge]
        if self.edges[edge].source >= kind.inputs:
            return operation.kernels(place.channels, strided(place.side, kind.stride), stride)
        if place.inputs in (0, place.channels):
            return operation.kernels(place.channels, place.side, stride)
        return operation.widening(place.inputs, place.channels, place.side, stride)

    def show(self, genotype: Genotype) -> str:
        """Operation names in edge order, joined by commas."""
        return ",".join(self.ops[op] for op in self.named(genotype))

    def named(self, genotype: Sequence[int]) -> Genotype:
        """`check`, of the architectures that have names here. Raises BadGenotype."""
        return self.check(genotype)

    def parse(self, text: str) -> Genotype:
        """The inverse of `show`. Raises BadGenotype naming the place and the legal operations."""
        names = text.split(",")
        if len(names) != len(self.edges):
            raise BadGenotype(f"{text!r} names {len(names)} operations; a cell of {self.name} takes {len(self.edges)}")
        for at, name in enumerate(names):
            if name not in self.ops:
                raise BadGenotype(f"{name!r} at edge {at} of {text!r} is no operation; legal: {', '.join(self.ops)}")
        return self.named(tuple(self.ops.index(name) for name in names))


@lru_cache(maxsize=16384)
def _used(space: CellSpace, region: Region) -> Used:
    allowed = [space.computed(ops) for ops in region.lists]
    found: list[tuple[int, ...]] = [()] * len(space.edges)
    for kind in space.cells:
        for e in leading(space, kind, allowed):
            found[e] = allowed[e]
    return tuple(found)


def leading(space: CellSpace, kind: CellType, allowed: Sequence[tuple[int, ...]]) -> list[int]:
    """The edges of a cell type that lie on a way from an input to the output; sources come before targets."""
    edges = [(e, edge) for e, edge in space.of_cell(kind.name) if allowed[e]]
    fed, useful = set(range(kind.inputs)), set(kind.results)
    for _, edge in edges:
        if edge.source in fed:
            fed.add(edge.target)
    for _, edge in reversed(edges):
        if edge.source in fed and edge.target in useful:
            useful.add(edge.source)
    return [e for e, edge in edges if edge.source in fed and edge.target in useful]
