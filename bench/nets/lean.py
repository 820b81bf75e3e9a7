"""The lean form of a cell of one input without strides, whose operations are skips, average pooling and convolutions.

Per source node: one ReLU, one pooling, and one convolution of each size over all outgoing edges, with one normalisation
of each whose scale is the architecture weight. The same function of the same parameters as the plain form: they agree
in loss and every gradient to rounding (tests/test_supernet.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.nets.cell import Cell, State
from bench.nets.convolve import average_pool, convolve
from bench.nets.mixture import Gates, Group, weighted_sum
from bench.nets.operations import Conv, batch_norm
from bench.spaces.cells import CellSpace, Used
from bench.spaces.dag import Dag
from bench.spaces.operations import Convolution


def serves(space: CellSpace) -> bool:
    """Whether the lean form knows all operations of a space."""
    if not isinstance(space, Dag):
        return False
    others = [one for op, one in enumerate(space.operations) if op not in (space.none, space.skip, space.pool)]
    return all(type(one) is Convolution for one in others)  # a class of its own may have a form of its own


class LeanCell(Cell):
    """A cell of a space that `serves` allows."""

    space: Dag

    def conv(self, edge: int, op: int) -> Conv:
        """The weights of a convolution."""
        return self.weighted[f"{edge}/{op}"]  # type: ignore[return-value]

    def output(self, inputs: State, gates: Gates | None, used: Used) -> Tensor:
        """The last node."""
        (x,) = inputs
        plan = leaving_nodes(self.space, used)
        groups = tuple(group for leaving in plan for group in leaving.groups)
        width, last = x.shape[1], self.space.output
        scales: dict[Group, Tensor] = {}
        if gates is not None and groups:
            scales = dict(zip(groups, gates.scales(groups, width), strict=True))
        whole: list[list[Tensor]] = [[] for _ in range(last + 1)]  # terms of weight 1, by target node
        gated: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(last + 1)]  # terms with their weight
        for node, leaving in enumerate(plan):
            h = x if node == 0 else weighted_sum(whole[node], gated[node])
            if h is None:
                continue
            for op, edges in leaving.linear:
                y = average_pool(h) if op == self.space.pool else h
                for e in edges:
                    target = self.space.edges[e].target
                    if gates is None:
                        whole[target].append(y)
                    else:
                        gated[target].append((y, gates.scalar(e, op)))
            rectified = F.relu(h) if leaving.groups else h
            for group in leaving.groups:
                convs = [self.conv(e, group.op) for e in group.edges]
                y = convolve(rectified, _joined([c.kernel for c in convs]))
                y = batch_norm(y, [c.norm for c in convs], scales.get(group), self.training)
                for e, part in zip(group.edges, y.split(width, dim=1), strict=True):
                    whole[self.space.edges[e].target].append(part)
        output = weighted_sum(whole[last], gated[last])
        return torch.zeros_like(x) if output is None else output


@dataclass(frozen=True)
class Leaving:
    """What is computed from one node: skips and pooling with their edges, and groups of convolutions."""

    linear: tuple[tuple[int, tuple[int, ...]], ...]
    groups: tuple[Group, ...]


@lru_cache(maxsize=4096)
def leaving_nodes(space: Dag, used: Used) -> tuple[Leaving, ...]:
    """What is computed, node by node."""
    found = []
    for node in range(space.output):
        out = [e for e, edge in enumerate(space.edges) if edge.source == node]
        by_op = [(op, tuple(e for e in out if op in used[e])) for op in range(len(space.ops))]
        some = [(op, edges) for op, edges in by_op if edges]
        linear = tuple((op, edges) for op, edges in some if op in (space.skip, space.pool))
        found.append(Leaving(linear, tuple(Group(op, edges) for op, edges in some if (op, edges) not in linear)))
    return tuple(found)


def _joined(kernels: Sequence[Tensor]) -> Tensor:
    return kernels[0] if len(kernels) == 1 else torch.cat(tuple(kernels))
