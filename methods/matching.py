"""Gradient matching (GM-NAS, arXiv 2203.15207): which operations of an edge want the same of the shared weights.

For a batch, edge e takes each operation o alone while the rest of the network stays as it is, and G_o is the gradient
of the loss over all weights inside the cells and reductions except those of edge e. The distance of two operations is
1 - cos(G_o, G_o'), averaged over batches. This costs one pass forward and back per operation, edge and batch, and no
other pass. The backward pass stops at the cells: neither the stem nor the weights of edge e itself get a gradient.
Passes of one edge could share no more than the stem and what the first cell computes before e, since e stands in every
cell: forward only, at most a ninth of a pass with one cell per stage and a 45th with five. It is not shared.

Of the partitions into two groups that with the least distance within groups is taken: a minimum cut of the operations'
agreement.

GM-NAS and HEP-NAS both cut by it. The measures and sizes are those of the GM-NAS code: the smaller group has two
operations or more, which on NAS-Bench-201 leaves ten partitions, of sizes 2 and 3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.nets.streams import torch_stream
from bench.search.learner import Learner
from bench.search.task import Task
from bench.spaces.cells import CellSpace
from bench.spaces.space import MOST_LISTED, Region, Space
from bench.store.spec import added
from methods.oneshot import OneShot
from methods.parts import Grouping, Split
from methods.rsps import PathPerCell

Gradient = Sequence[Tensor]


def cosine(a: Gradient, b: Gradient) -> Tensor:
    """1 - cos of two gradients as one vector each."""
    product, lengths = sum(x.mul(y).sum() for x, y in zip(a, b, strict=True)), [_length(g) for g in (a, b)]
    return 1 - product / (lengths[0] * lengths[1] + 1e-6)


def filter_cosine(a: Gradient, b: Gradient) -> Tensor:
    """Sum over output filters of 1 - cos; normalisation parameters do not count."""
    total = a[0].new_zeros(())
    for x, y in zip(a, b, strict=True):
        if x.ndim > 1:
            x, y = x.flatten(1), y.flatten(1)
            total += (1 - (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1) + 1e-6)).sum()
    return total


def squared(a: Gradient, b: Gradient) -> Tensor:
    """Sum of squared differences."""
    return torch.stack([(x - y).square().sum() for x, y in zip(a, b, strict=True)]).sum()


def _length(gradient: Gradient) -> Tensor:
    return torch.stack([g.square().sum() for g in gradient]).sum().sqrt()


MEASURES = {"cosine": cosine, "filter-cosine": filter_cosine, "squared": squared}


def halvings(ops: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Partitions of `ops` into two groups, the smaller of two or more operations (one, where there are fewer than
    four), each partition once. NAS-Bench-201: the 10 of sizes 2 and 3."""
    for size in range(min(2, len(ops) // 2), len(ops) // 2 + 1):
        for group in itertools.combinations(ops, size):
            if 2 * size < len(ops) or ops[0] in group:
                yield group, tuple(op for op in ops if op not in group)


def partitions(ops: Sequence[int], count: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Partitions of `ops` into so many groups, each partition once: those of `halvings`, or of three groups and more
    those whose smallest has two operations (one, where they are too few)."""
    if count == 2:
        yield from halvings(ops)
        return
    least = min(2, len(ops) // count)
    for labels in itertools.product(range(count), repeat=len(ops)):
        groups = tuple(tuple(op for op, own in zip(ops, labels, strict=True) if own == k) for k in range(count))
        if min(map(len, groups)) >= least and sorted(groups) == list(groups):
            yield groups


def parted(
    distances: NDArray[np.float64], ops: Sequence[int], count: int = 2, rule: Literal["least", "ofa"] = "least"
) -> Split:
    """The partition of least distance within groups; of equals the first. distances: `[O', O']`, ordered as `ops`.

    rule: "ofa" is what the code of GM-NAS on Once-for-All does in place of it. Groups of one operation and more are
    tried in order of their size, and each is taken that has less within its groups than the one that was taken before
    has between them: the two sums share a variable. It is no minimum cut; of two operations there is nothing to choose.
    """
    place = {op: k for k, op in enumerate(ops)}

    def within(groups: Sequence[Sequence[int]]) -> float:
        pairs = (pair for group in groups for pair in itertools.combinations(group, 2))
        return float(sum(distances[place[a], place[b]] for a, b in pairs))

    whole = within([ops])
    if rule == "least" or count > 2:
        groups = min(partitions(ops, count), key=within)
    else:
        below = np.inf
        for size in range(1, len(ops) // 2 + 1):
            for group in itertools.combinations(ops, size):
                tried = group, tuple(op for op in ops if op not in group)
                if (inside := within(tried)) < below:
                    groups, below = tried, whole - inside
    inside = within(groups)
    return Split(groups, distances, inside, whole - inside)


@dataclass(frozen=True)
class Matching(Grouping):
    """Two groups by gradient matching."""

    version: ClassVar[int] = 1
    measures: ClassVar[bool] = True
    batches: int = 100  # the paper's number; the scale shrinks it, as it does epochs
    distance: Literal["cosine", "filter-cosine", "squared"] = "cosine"
    weight: Literal["hard", "soft"] = "hard"  # of the operation that is left: 1, or what the relaxation gives it
    groups: Literal["matched", "random"] = added("matched")  # random: the edge is that of matching, the groups are not
    draw: int = added(0)  # of random groups, another each
    into: tuple[int, ...] = added((2,))  # groups of each level; the last number is that of all later levels too
    of: Literal["all", "kernels"] = added("all")  # kernels: those that hold each other; every child keeps the others
    rule: Literal["least", "ofa"] = added("least")  # see `parted`

    def at(self, level: int) -> Matching:
        """With that level's number of groups."""
        return replace(self, into=(self.into[min(level, len(self.into) - 1)],))

    def parts(self, operations: int) -> int:
        """As many as are asked for, or as there are operations."""
        return min(self.into[0], operations)

    def common(self, space: Space, operations: Sequence[int]) -> tuple[int, ...]:
        """Where kernels are grouped and the space has any, all that are none."""
        holders = space.holders if self.of == "kernels" and isinstance(space, CellSpace) else {}
        kernels = {*holders, *holders.values()}
        if sum(op in kernels for op in operations) < 2:
            return ()
        return tuple(op for op in operations if op not in kernels)

    def check(self, base: OneShot) -> None:
        """Soft weights need a base that has weights; and matching one path for all cells."""
        if not self.into or min(self.into) < 2:
            raise BadSpec(f"operations fall into 2 groups or more, not {self.into}")
        if self.batches < 1:
            raise BadSpec(f"gradients are averaged over 1 batch or more, not {self.batches}")
        if self.weight == "soft" and not base.moves_alpha:
            raise BadSpec(f"{type(base).__name__} has no architecture weights: matching needs weight='hard' there")
        if isinstance(base, PathPerCell):
            raise BadSpec("PathPerCell leaves no edge to be matched, since cells differ; match on Rsps")

    def fits(self, task: Task) -> None:
        """All groupings of an edge's operations are compared, so there may not be too many."""
        if self.groups == "random":
            return
        ops = max(len(some) - len(self.common(task.space, some)) for some in task.region.lists)
        count = max(self.into)
        ways = math.comb(ops, ops // 2) if count == 2 else count**ops
        if ways > MOST_LISTED:
            raise BadSpec(
                f"{task.space.name} has edges of {ops} operations, which fall into {count} groups in some {ways:.1g} "
                f"ways; {MOST_LISTED:,} are compared at most: take random groups, or single operations as Few-Shot NAS"
            )

    def passes(self, task: Task, operations: int) -> int:
        """Forward and back for every operation and batch."""
        return 2 * task.scale.times_of(self.batches) * operations

    def times(self, factor: float) -> Matching:
        """Over so many times the batches, one at least."""
        return replace(self, batches=max(1, round(self.batches * factor)))

    def split(self, task: Task, parent: Learner, edge: int) -> Split:
        """The minimum cut of the averaged distances; with random groups, what is measured is still that of the cut."""
        count, common = task.scale.times_of(self.batches), self.common(task.space, parent.region.lists[edge])
        ops = tuple(op for op in parent.region.lists[edge] if op not in common)
        stream = torch_stream(parent.seed, f"cut/{parent.name}/{edge}")
        total = torch.zeros((len(ops), len(ops)), dtype=torch.float64, device=parent.alpha.device)
        with parent.aside():
            for batch in itertools.islice(parent.train.drawn_from(stream).endless(), count):
                total += self.distances(parent, batch, edge, ops)
        parts = self.parts(len(ops))
        matched = replace(parted((total / count).cpu().numpy(), ops, parts, self.rule), common=common)
        if self.groups == "matched":
            return matched
        return replace(matched, groups=_drawn(task, parent, edge, ops, parts, self.draw))

    def distances(self, parent: Learner, batch: Batch, edge: int, ops: Sequence[int] | None = None) -> Tensor:
        """`[O', O']` distances of one batch between these operations, all of the region by default; symmetric with a
        zero diagonal."""
        gradients = self.gradients(parent, batch, edge, ops)
        table = gradients[0][0].new_zeros((len(gradients), len(gradients)))
        for a, b in itertools.combinations(range(len(gradients)), 2):
            table[a, b] = table[b, a] = MEASURES[self.distance](gradients[a], gradients[b])
        return table

    def gradients(self, parent: Learner, batch: Batch, edge: int, ops: Sequence[int] | None = None) -> list[Gradient]:
        """G_o of these operations, or of every one that the region allows on `edge`, all at one sample of the other
        edges' weights."""
        theta, region = parent.relaxation.theta(parent)
        shared = parent.supernet.shared_by(edge)
        found: list[Gradient] = []
        for op in parent.region.lists[edge] if ops is None else ops:
            alone = Region((*region.allowed[:edge], frozenset({op}), *region.allowed[edge + 1 :]))
            weights = None if theta is None else theta.detach().clone()
            if weights is not None and self.weight == "hard":
                weights[edge] = 0
                weights[edge, op] = 1
            gradient = torch.autograd.grad(parent.loss(batch, weights, alone), shared, allow_unused=True)
            found.append([torch.zeros_like(w) if g is None else g for w, g in zip(shared, gradient, strict=True)])
        return found


@dataclass(frozen=True)
class RandomGroups(Grouping):
    """Groups of the sizes that matching may give, drawn uniformly: what gradient matching has to beat."""

    version: ClassVar[int] = 1
    draw: int = added(0)  # another each
    into: tuple[int, ...] = added((2,))  # as in `Matching`

    def check(self, base: OneShot) -> None:
        """There are two groups or more."""
        if not self.into or min(self.into) < 2:
            raise BadSpec(f"operations fall into 2 groups or more, not {self.into}")

    def at(self, level: int) -> RandomGroups:
        """With that level's number of groups."""
        return replace(self, into=(self.into[min(level, len(self.into) - 1)],))

    def parts(self, operations: int) -> int:
        """As many as are asked for, or as there are operations."""
        return min(self.into[0], operations)

    def split(self, task: Task, parent: Learner, edge: int) -> Split:
        """One of the partitions that matching chooses from."""
        ops = parent.region.lists[edge]
        return Split(_drawn(task, parent, edge, ops, self.parts(len(ops)), self.draw))


def _drawn(
    task: Task, parent: Learner, edge: int, ops: Sequence[int], parts: int, draw: int
) -> tuple[tuple[int, ...], ...]:
    """One of the partitions that matching chooses from, uniformly."""
    every = list(partitions(ops, parts))
    return every[int(task.stream(f"groups/{parent.name}/{edge}{of_draw(draw)}").integers(len(every)))]


def of_draw(draw: int) -> str:
    """What the name of a random stream ends with; the first draw has the name that it had when it was the only one."""
    return f"/{draw}" if draw else ""
