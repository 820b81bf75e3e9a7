"""The searched cell of a supernet: every edge a weighted sum of the operations its region allows.

This is the plain form, edge by edge and operation by operation, for every cell type: the definition. Lean forms that
compute the same with fewer kernels stand beside it (`bench.nets.lean`) and are held to it by tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from torch import Tensor, nn

from bench.nets.mixture import Gates
from bench.nets.nested import part_of
from bench.nets.operations import Form, Norm, Site, form
from bench.spaces.cells import CellSpace, Used
from bench.spaces.layout import Place
from bench.spaces.space import Region

Draw = Callable[[str, int, int, int], Tensor]
"""The initial kernel `[outputs, inputs, size, size]` of a place, given as (place, outputs, inputs, size)."""

State = tuple[Tensor, ...]
"""What goes from cell to cell: the outputs of as many cells before as a cell has inputs, the last one last."""


class Cell(nn.Module):
    """One cell on shared weights, drawn from streams named after its place; `region` is all that it will be asked for,
    by default what the space allows, and only its operations have weights. nested: whether the kernels of an operation
    are parts of those of a larger one of its kind, where there is one."""

    def __init__(
        self,
        space: CellSpace,
        place: Place,
        norm: Norm,
        draw: Draw,
        region: Region | None = None,
        pools_normalised: bool = False,
        nested: bool = False,
    ) -> None:
        super().__init__()
        self.space, self.place, self.kind = space, place, space.cell(place.cell)
        self.edges = space.of_cell(place.cell)
        self.forms: dict[tuple[int, int], Form] = {}
        self.weighted = nn.ModuleDict()
        allowed = space.region if region is None else region
        holders = space.holders if nested else {}
        for e, _ in self.edges:
            site = self._site(e, norm, pools_normalised)
            ops = space.computed(allowed.lists[e])
            held = {op: holders[op] for op in ops if op in holders}
            for op in sorted({*ops, *held.values()} - held.keys()):
                self._build(e, op, site, draw)
            for op, holder in held.items():
                kernels = space.kernels_at(place, e, op)
                made = self.forms[e, op] = part_of(self.weighted[f"{e}/{holder}"], kernels, norm)
                self.weighted[f"{e}/{op}"] = made

    def _site(self, edge: int, norm: Norm, pools_normalised: bool) -> Site:
        enters = self.space.edges[edge].source < self.kind.inputs
        widens = enters and self.place.inputs not in (0, self.place.channels)
        return Site(self.place.channels, self.space.strides[edge], norm, pools_normalised, widens)

    def _build(self, edge: int, op: int, site: Site, draw: Draw) -> None:
        """Kernels of an operation have the name of the operation, and a number where there are several."""
        operation, wanted = self.space.operations[op], self.space.kernels_at(self.place, edge, op)
        name = f"{self.place.streams}/edge{edge}/op{op}"
        names = [name] if len(wanted) == 1 else [f"{name}/{k}" for k in range(len(wanted))]
        kernels = [draw(n, k.outputs, k.inputs // k.groups, k.size) for n, k in zip(names, wanted, strict=True)]
        made = self.forms[edge, op] = form(operation, kernels, site)
        if isinstance(made, nn.Module):
            self.weighted[f"{edge}/{op}"] = made

    def owned(self) -> Iterator[tuple[int, int, nn.Parameter]]:
        """The parameters of operations, with their edge and operation."""
        for name, module in self.weighted.items():
            edge, op = map(int, name.split("/"))
            yield from ((edge, op, p) for p in module.parameters())

    def multiply_adds(self, region: Region) -> int:
        """Of the operations that a region computes, of one image."""
        used = self.space.used(region)
        return sum(self._costs[e, op] for e, _ in self.edges for op in used[e])

    @cached_property
    def _costs(self) -> dict[tuple[int, int], int]:
        return {
            (e, op): sum(kernel.multiply_adds for kernel in self.space.kernels_at(self.place, e, op))
            for e, _ in self.edges
            for op in range(len(self.space.ops))
        }

    def forward(self, state: State, gates: Gates | None, region: Region) -> State:
        """The state behind the cell; gates None means weight 1 on every allowed operation.

        Operations outside the region, and edges that lead from no input or to no output within it, are not computed.
        """
        output = self.output(self.brought(state), gates, self.space.used(region))
        return (*state, output)[-len(state) :]

    def brought(self, state: State) -> State:
        """The inputs of the cell, at its width."""
        return state

    def output(self, inputs: State, gates: Gates | None, used: Used) -> Tensor:
        """The last node, or all nodes one behind the other; zero where nothing leads there."""
        nodes: list[Tensor | None] = [*inputs, *[None] * self.kind.nodes]
        for e, edge in self.edges:
            source = nodes[edge.source]
            if source is None:
                continue
            for op in used[e]:
                y = self.forms[e, op](source)
                nodes[edge.target] = _plus(nodes[edge.target], y if gates is None else gates.scalar(e, op) * y)
        results = [nodes[node] for node in self.kind.results]
        found = [self._nothing(inputs[0]) if result is None else result for result in results]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)

    def _nothing(self, x: Tensor) -> Tensor:
        step = self.kind.stride
        x = torch.zeros_like(x[:, :, ::step, ::step])
        return x[:, :1].expand(-1, self.place.channels, -1, -1) if self.place.inputs else x


def _plus(total: Tensor | None, term: Tensor) -> Tensor:
    return term if total is None else total + term
