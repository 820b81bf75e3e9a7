"""Many cells on one trained supernet of the NAS-Bench-201 skeleton, sharing what they have in common.

What is shared, and why nothing is lost:

- All first cells see one input. Architectures are visited in lexicographic order, as the leaves of a tree of edge
  choices: a node's value and what leaves it are computed once for all that have the choices before it in common, in
  NAS-Bench-201 5 values of node 1 and 125 of node 2. One branch is held at a time, not a table.
- Where the first cell is the only one of its stage, the linear shortcut behind it is taken of its terms, too.
- Inside a cell one ReLU and one pooling per node; kernels laid out once, in the fastest form (`bench.nets.prepared`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.nets.convolve import halved
from bench.nets.lean import LeanCell, serves
from bench.nets.nb201 import NB201Network, Reduction
from bench.nets.prepared import EvaluatedNorm, Map, convolution, linear, pooling
from bench.nets.supernet import Supernet
from bench.spaces.dag import Dag, dag
from bench.spaces.operations import strided
from bench.spaces.space import Genotype

HEADS = 32  # architectures whose heads are computed together

Value = tuple[Tensor, ...]
"""A node or a term of one, followed by what the shortcut behind the cell makes of it where that is wanted."""


def known(supernet: Supernet) -> bool:
    """Whether a supernet is of this skeleton, of lean cells with all edges in the order of `dag`."""
    space = supernet.space
    if type(supernet) is not NB201Network or not isinstance(space, Dag):
        return False
    return supernet.lean and not supernet.nested and serves(space) and space.edges == dag(space.output + 1)


class Prepared:
    """A supernet in evaluation mode, with its kernels laid out for scoring."""

    def __init__(self, supernet: NB201Network, space: Dag) -> None:
        self.supernet, self.space = supernet, space
        size = supernet.shape.image_size
        self.stages: list[list[_PreparedCell]] = []
        self.reductions: list[_PreparedReduction] = []
        for stage, cells in enumerate(supernet.stages):
            if stage:
                self.reductions.append(_PreparedReduction(supernet.reductions[stage - 1], size))  # type: ignore[arg-type]
                size = strided(size, 2)
            self.stages.append([_PreparedCell(space, cell, size) for cell in cells])  # type: ignore[attr-defined]

    def logits(self, images: Tensor, genotypes: Sequence[Genotype], kept_bytes: int) -> Iterator[Tensor]:
        """`[A, B, classes]` of the next A genotypes, until all are done; genotypes live and in lexicographic order."""
        net = self.supernet
        images = images.contiguous(memory_format=torch.channels_last)
        x = net.stem_norm(F.conv2d(images, net.stem, padding=1))
        alone = len(self.stages[0]) == 1 and len(self.stages) > 1
        tree = _Tree(self.space, self.stages[0][0], x, self.reductions[0].shortcut if alone else None, kept_bytes)
        for start in range(0, len(genotypes), HEADS):
            some = genotypes[start : start + HEADS]
            yield net.head(torch.stack([self._features(tree.output(genotype), genotype) for genotype in some]))

    def _features(self, first: Value, genotype: Genotype) -> Tensor:
        """`[B, 4C]` before the head, from the output of the first cell."""
        x, *shortcut = first
        for stage, cells in enumerate(self.stages):
            if stage:
                x = self.reductions[stage - 1](x, *shortcut)
                shortcut = []
            for cell in cells[1:] if stage == 0 else cells:
                x = cell(x, genotype)
        return F.relu(self.supernet.head_norm(x), inplace=True).mean((2, 3))


class _Node:
    """The value of a node, with its ReLU and its pooling once they are asked for."""

    def __init__(self, value: Tensor) -> None:
        self.value = value
        self._rectified: Tensor | None = None
        self._pooled: Tensor | None = None

    def rectified(self) -> Tensor:
        if self._rectified is None:
            self._rectified = F.relu(self.value)
        return self._rectified

    def pooled(self, pool: Map) -> Tensor:
        if self._pooled is None:
            self._pooled = pool(self.value)
        return self._pooled


class _PreparedCell:
    """A searched cell with prepared operations."""

    def __init__(self, space: Dag, cell: LeanCell, size: int) -> None:
        self.space, self.cell, self.size = space, cell, size
        self.convs: dict[tuple[int, int], Map] = {}  # those that were asked for
        self.pool = pooling(next(cell.parameters()), size)

    def term(self, node: _Node, edge: int, op: int) -> Tensor:
        """What operation `op` on `edge` makes of a node; not for `none`."""
        if op == self.space.skip:
            return node.value
        if op == self.space.pool:
            return node.pooled(self.pool)
        if (edge, op) not in self.convs:
            conv = self.cell.conv(edge, op)
            self.convs[edge, op] = convolution(conv.kernel, EvaluatedNorm.of_conv(conv), self.size)
        return self.convs[edge, op](node.rectified())

    def __call__(self, x: Tensor, genotype: Genotype) -> Tensor:
        """The output node of one live genotype."""
        nodes, total, target, terms = [_Node(x)], None, 1, 0
        for e, edge in enumerate(self.space.edges):
            if edge.target != target:
                nodes.append(_Node(x if total is None else total))  # nothing live leaves a node without input
                total, target, terms = None, edge.target, 0
            if genotype[e] != self.space.none:
                term = self.term(nodes[edge.source], e, genotype[e])
                if total is not None:  # the sum of two terms is nobody else's, so that a third may be added in place
                    term = total.add_(term) if terms > 1 else total + term
                total = term
                terms += 1
        return torch.zeros_like(x) if total is None else total


class _Tree:
    """Outputs of the first cell for genotypes that come in lexicographic order."""

    def __init__(self, space: Dag, cell: _PreparedCell, x: Tensor, shortcut: Map | None, kept_bytes: int) -> None:
        self.space, self.cell, self.shortcut = space, cell, shortcut
        self.nodes = [_Node(x)] * (space.output + 1)
        self.sums: list[Value | None] = [None] * len(space.edges)  # into an edge's target, up to this edge
        self.kept: list[dict[int, Value]] = [{} for _ in space.edges]  # terms, by operation
        self.room = kept_bytes
        self.branch: Genotype = ()

    def output(self, genotype: Genotype) -> Value:
        """The output of the cell, as a `Value`."""
        edges = self.space.edges
        choices = enumerate(zip(genotype, self.branch, strict=False))  # there is no branch at first
        same = next((e for e, (now, then) in choices if now != then), len(self.branch))
        self.branch = genotype
        for e in range(same, len(edges)):
            target = edges[e].target
            before = self.sums[e - 1] if e and edges[e - 1].target == target else None
            total = before
            if genotype[e] != self.space.none:
                term = self._term(e, genotype[e])
                total = term if before is None else tuple(a + b for a, b in zip(before, term, strict=True))
            self.sums[e] = total
            if e + 1 < len(edges) and edges[e + 1].target != target and total is not None:
                self._renew(target, total[0])
        output = self.sums[-1]
        if output is None:
            zero = torch.zeros_like(self.nodes[0].value)
            return (zero,) if self.shortcut is None else (zero, self.shortcut(zero))
        return output

    def _term(self, edge: int, op: int) -> Value:
        kept = self.kept[edge]
        if op in kept:
            return kept[op]
        place = self.space.edges[edge]
        term = self.cell.term(self.nodes[place.source], edge, op)
        wanted = self.shortcut is not None and place.target == self.space.output
        value = (term, self.shortcut(term)) if wanted and self.shortcut is not None else (term,)
        if (size := _bytes(value)) <= self.room:
            kept[op] = value
            self.room -= size
        return value

    def _renew(self, node: int, value: Tensor) -> None:
        """Give a node its next value and forget what left it."""
        self.nodes[node] = _Node(value)
        for e, edge in enumerate(self.space.edges):
            if edge.source == node:
                self.room += sum(map(_bytes, self.kept[e].values()))
                self.kept[e].clear()


def _bytes(value: Value) -> int:
    return sum(part.numel() * part.element_size() for part in value)


class _PreparedReduction:
    """The residual block between two stages, prepared for images of `size` pixels a side."""

    def __init__(self, block: Reduction, size: int) -> None:
        self.first = convolution(block.first, EvaluatedNorm.of_layer(block.first_norm), size, stride=2)
        self.second = convolution(block.second, EvaluatedNorm.of_layer(block.second_norm), strided(size, 2))
        self._mix = linear(block.shortcut, None, strided(size, 2), stride=1)

    def shortcut(self, x: Tensor) -> Tensor:
        """2x2 average pooling and a 1x1 convolution: linear, so it may be taken of the terms of a sum."""
        return self._mix(halved(x))

    def __call__(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        y = F.relu(self.first(F.relu(x)), inplace=True)
        return self.second(y).add_(self.shortcut(x) if shortcut is None else shortcut)
