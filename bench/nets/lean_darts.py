"""The lean form of the cells of `bench.nets.darts`: what leaves a node is shared by its edges.

Per source node: one ReLU, each pooling once, and of all separable convolutions together one depthwise product, one 1x1
product and one normalisation, whose scale is the architecture weight; the same once more for those that are applied
twice. The same function of the same parameters as the plain form: they agree in loss and every gradient to rounding
(tests/test_lean_darts.py). Normalisation is that of the papers, by the batch and without affine, so that a normalised
pooling is the same on all edges.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nets.cell import State
from bench.nets.darts_cell import DartsCell
from bench.nets.maps import Depthwise, Maps, best_for
from bench.nets.mixture import Gates, Item, total
from bench.nets.operations import Conv, FactorisedReduction, Norm, SeparableConv
from bench.spaces.cells import CellSpace, Used
from bench.spaces.operations import Absent, Identity, Pooling, Separable
from bench.spaces.space import CellType, Region


def serves(space: CellSpace, norm: Norm) -> bool:
    """Whether the lean form knows all operations of a space, and its normalisation."""
    return norm == Norm() and all(
        type(one) in (Absent, Identity, Separable) or (type(one) is Pooling and one.size == 3)
        for one in space.operations
    )


class LeanDartsCell(DartsCell):
    """A cell of a space that `serves` allows."""

    def forward(self, state: State, gates: Gates | None, region: Region) -> State:
        """See `Cell.forward`; maps lie in whichever way is the faster here."""
        maps = best_for(state[-1])
        inputs = [self._brought(maps, form, F.relu(maps.of(x))) for form, x in zip(self.inputs, state, strict=True)]
        output = self._nodes(maps, inputs, gates, leaving_nodes(self.space, self.kind, self.space.used(region)))
        return (*state, maps.images(output))[-len(state) :]

    def _brought(self, maps: Maps, form: nn.Module, x: Tensor) -> Tensor:
        if isinstance(form, FactorisedReduction):
            return maps.normalised(self._halved(maps, [form], x))
        assert isinstance(form, Conv)  # of `bench.nets.darts_cell`
        return maps.normalised(maps.joint(x, [form.kernel.to(x.dtype)]))

    def _halved(self, maps: Maps, forms: Sequence[FactorisedReduction], x: Tensor) -> Tensor:
        """Factorised reductions of one map behind its ReLU, one behind the other, before their normalisation."""
        by_half = []
        for k, halves in enumerate(zip(*(form.halves for form in forms), strict=True)):
            y = maps.joint(maps.every_other(x, k), [half.to(x.dtype) for half in halves])
            by_half.append(maps.parts(y, len(halves[0])))
        return maps.joined([part for parts in zip(*by_half, strict=True) for part in parts])

    def _nodes(self, maps: Maps, inputs: Sequence[Tensor], gates: Gates | None, plan: Sequence[Leaving]) -> Tensor:
        """All nodes one behind the other; zero where nothing leads there."""
        terms: list[list[Tensor]] = [[] for _ in plan]
        found: list[Tensor | None] = [*inputs, *[None] * (len(plan) - len(inputs))]
        for node, leaving in enumerate(plan):
            if terms[node]:
                found[node] = total(terms[node])
            x = found[node]
            if x is not None:
                for target, term in self._leaving(maps, x, gates, leaving):
                    terms[target].append(term)
        nodes = [found[node] for node in self.kind.results]
        some = next((node for node in nodes if node is not None), None)
        if some is None:
            x = inputs[-1] if self.kind.stride == 1 else maps.every_other(inputs[-1], 0)
            some = torch.zeros_like(x)
        return maps.joined([torch.zeros_like(some) if node is None else node for node in nodes])

    def _leaving(self, maps: Maps, x: Tensor, gates: Gates | None, leaving: Leaving) -> Iterator[tuple[int, Tensor]]:
        """Terms of later nodes, by target."""
        yield from self._shared(maps, x, gates, leaving)
        if leaving.reduced or leaving.times:
            x = F.relu(x)
        if leaving.reduced:
            forms = [cast(FactorisedReduction, self._weights(item)) for item in leaving.reduced]
            y = self._scaled(maps, self._halved(maps, forms, x), gates, leaving.reduced)
            yield from zip(map(self._target, leaving.reduced), maps.parts(y, self.place.channels), strict=True)
        yield from self._separable(maps, x, gates, leaving)

    def _shared(self, maps: Maps, x: Tensor, gates: Gates | None, leaving: Leaving) -> Iterator[tuple[int, Tensor]]:
        """What is the same on all edges but for its weight: poolings, and the node itself."""
        if not leaving.shared:
            return
        made = [self._one(maps, x, op, leaving.stride) for op in leaving.shared]
        if gates is None:
            for items in leaving.items:
                yield from ((self._target(item), y) for item, y in zip(items, made, strict=True) if item is not None)
            return
        mixed = gates.matrix(leaving.items) @ torch.stack(made).flatten(1)
        yield from zip(leaving.targets, mixed.view(-1, *made[0].shape).unbind(), strict=True)

    def _one(self, maps: Maps, x: Tensor, op: int, stride: int) -> Tensor:
        operation = self.space.operations[op]
        if isinstance(operation, Identity):
            return x
        assert isinstance(operation, Pooling)  # as `_leaving_node` says
        pool = maps.maximum if operation.kind == "maximum" else maps.average
        return maps.normalised(pool(x, stride))

    def _separable(self, maps: Maps, x: Tensor, gates: Gates | None, leaving: Leaving) -> Iterator[tuple[int, Tensor]]:
        """Separable convolutions, time by time; those that go on stand first."""
        width = self.place.channels
        for time, (items, going_on) in enumerate(leaving.times):
            forms = [cast(SeparableConv, self._weights(item)) for item in items]
            kinds = [
                Depthwise([form.depthwise[time].to(x.dtype) for form in some], leaving.stride if time == 0 else 1, d)
                for d, some in _kinds(items, forms)
            ]
            mixing = [form.pointwise[time].to(x.dtype) for form in forms]
            y = maps.separable(x, kinds, mixing, shared=time == 0)
            ending = items[going_on:]
            y = self._scaled(maps, y, gates, (*[None] * going_on, *ending))
            x, *ended = maps.parts(y, [going_on * width, *[width] * len(ending)])
            x = F.relu(x)
            yield from zip(map(self._target, ending), ended, strict=True)

    def _scaled(self, maps: Maps, y: Tensor, gates: Gates | None, items: tuple[Item | None, ...]) -> Tensor:
        """Normalised, each item times its weight."""
        some = gates is not None and any(item is not None for item in items)
        return maps.normalised(y, gates.rows(items, self.place.channels) if some else None)  # type: ignore[union-attr]

    def _weights(self, item: Item) -> nn.Module:
        edge, op = item
        return self.weighted[f"{edge}/{op}"]

    def _target(self, item: Item) -> int:
        return self.space.edges[item[0]].target


@dataclass(frozen=True)
class Leaving:
    """What is computed from one node.

    shared: operations that are the same on all edges; items: `[edges][shared]`, None where an edge does not take one;
    targets: of these edges. reduced: factorised reductions. times: by application, the separable convolutions that are
    applied, kind by kind, and how many of them, the first ones, go on.
    """

    stride: int
    shared: tuple[int, ...]
    items: tuple[tuple[Item | None, ...], ...]
    targets: tuple[int, ...]
    reduced: tuple[Item, ...]
    times: tuple[tuple[tuple[Item, ...], int], ...]


@lru_cache(maxsize=4096)
def leaving_nodes(space: CellSpace, kind: CellType, used: Used) -> tuple[Leaving, ...]:
    """What is computed in a cell of that type, node by node."""
    return tuple(_leaving_node(space, kind, used, node) for node in range(kind.inputs + kind.nodes))


def _leaving_node(space: CellSpace, kind: CellType, used: Used, node: int) -> Leaving:
    edges = [e for e, edge in space.of_cell(kind.name) if edge.source == node]
    stride = kind.stride if node < kind.inputs else 1
    by_op = {op: [(e, op) for e in edges if op in used[e]] for op in range(len(space.ops))}
    by_op = {op: items for op, items in by_op.items() if items}
    reduced = [op for op in by_op if isinstance(space.operations[op], Identity) and stride > 1]
    times = {op: one.times for op in by_op if isinstance(one := space.operations[op], Separable)}
    shared = [op for op in by_op if op not in reduced and op not in times]
    lines = {e: tuple((e, op) if op in used[e] else None for op in shared) for e in edges}
    lines = {e: line for e, line in lines.items() if any(line)}
    ordered = sorted(times, key=lambda op: -times[op])
    left = [
        [item for op in ordered if times[op] > time for item in by_op[op]]
        for time in range(max(times.values(), default=0) + 1)
    ]
    return Leaving(
        stride,
        tuple(shared),
        tuple(lines.values()),
        tuple(space.edges[e].target for e in lines),
        tuple(item for op in reduced for item in by_op[op]),
        tuple((tuple(here), len(later)) for here, later in itertools.pairwise(left)),
    )


def _kinds(items: Sequence[Item], forms: Sequence[SeparableConv]) -> Iterator[tuple[int, list[SeparableConv]]]:
    """The forms of each operation, with its dilation."""
    for _, some in itertools.groupby(zip(items, forms, strict=True), key=lambda pair: pair[0][1]):
        those = [form for _, form in some]
        yield those[0].dilation, those
