"""A skeleton with rows of whole cells in the places of its cells: FaDE's hyper-architecture.

No two architectures share a weight. What leaves a row is the sum of what leaves its stacks, by architecture weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

from torch import nn

from bench.errors import BadSpec
from bench.nets.cell import Cell, State
from bench.nets.mixture import Gates, weighted_sum
from bench.nets.supernet import Supernet, network_of
from bench.spaces.cells import CellSpace
from bench.spaces.layout import Place
from bench.spaces.rows import Rows
from bench.spaces.space import Region


class Stacks(nn.Module):
    """k stacks of cells; `cells[c]` is the stack of the row's c-th architecture, `alone[c]` the region of that."""

    def __init__(self, row: int, cells: list[nn.ModuleList], alone: list[Region]) -> None:
        super().__init__()
        self.row, self.alone = row, alone
        self.cells = nn.ModuleList(cells)

    def forward(self, state: State, gates: Gates | None, region: Region) -> State:
        """The state behind the row; gates None means weight 1 on every allowed stack."""
        outputs = [(op, self._through(op, state)) for op in region.lists[self.row]]
        summed = []
        for parts in zip(*(output for _, output in outputs), strict=True):
            gated = zip(outputs, parts, strict=True)
            terms = [] if gates is None else [(y, gates.scalar(self.row, op)) for (op, _), y in gated]
            total = weighted_sum(parts if gates is None else [], terms)
            assert total is not None  # a region has a stack in every row
            summed.append(total)
        return tuple(summed)

    def _through(self, op: int, state: State) -> State:
        for cell in self.cells[op]:  # type: ignore[attr-defined]  # a ModuleList
            state = cell(state, None, self.alone[op])
        return state

    def owned(self) -> Iterator[tuple[int, int, nn.Parameter]]:
        """All parameters, with the row and the stack."""
        for op, stack in enumerate(self.cells):
            yield from ((self.row, op, p) for p in stack.parameters())

    def multiply_adds(self, region: Region) -> int:
        """Of all stacks that a region allows, of one image."""
        cells = [(cell, op) for op in region.lists[self.row] for cell in self.cells[op]]  # type: ignore[attr-defined]
        return sum(cell.multiply_adds(self.alone[op]) for cell, op in cells)


class Rowed(Supernet):
    """To be put before a skeleton: rows are spread evenly over its stages; of three rows each is a stage."""

    maskable = False
    space: Rows

    @property
    def inner(self) -> CellSpace:
        """The space of the cells."""
        return self.space.inner

    def stretch(self, stage: int) -> nn.ModuleList:
        """The rows of a stage."""
        stages, rows = self.inner.layout.stages, len(self.space.rows)
        here = [row for row in range(rows) if row * stages // rows == stage]
        if rows != stages and any(kind.inputs > 1 or kind.stride > 1 for kind in self.inner.cells):
            raise BadSpec(f"cells of {self.inner.name} stand in rows of whole stages: set {stages} rows, not {rows}")
        places = [place for place in self.places if place.stage == stage]
        return nn.ModuleList(self._row(row, places) for row in here)

    def _row(self, row: int, places: list[Place]) -> Stacks:
        alone = [self.inner.alone(genotype) for genotype in self.space.rows[row]]
        stacks = [nn.ModuleList(self._stack(row, c, places, region)) for c, region in enumerate(alone)]
        return Stacks(row, stacks, alone)

    def _stack(self, row: int, stack: int, places: list[Place], region: Region) -> Iterator[Cell]:
        for layer, place in enumerate(places):
            yield self.made(replace(place, stream=f"row{row}/cell{stack}/layer{layer}"), region)


@lru_cache
def _kind(skeleton: type[Supernet]) -> type[Supernet]:
    return type(f"Rowed{skeleton.__name__}", (Rowed, skeleton), {})


def rowed(space: Rows, *made: Any, **how: Any) -> Supernet:
    """The supernet of a `Rows` space: the skeleton of its inner space with rows of cells."""
    skeleton = cast(type[Supernet], network_of(space.inner))
    return _kind(skeleton)(space, *made, **how)
