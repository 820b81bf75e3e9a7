"""A budget: what a partition search will cost, and the same search at the price of its base alone.

There are two units. An image through a supernet, forward or back, whatever the supernet: alpha's passes, gradient
matching, teachers and all comparisons count like the weights' own. Or its multiply-adds, in passes forward of the whole
supernet: half as many operations cost half as much, and a pass back costs two forward. What a base spends on its choice
is shared out among leaves.

Multiply-adds are planned before a cut is known: as the mean over random edges, groups and survivors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from bench.errors import BadSpec
from bench.search.task import SAMPLE, Foreseen, Task
from bench.spaces.space import Region
from methods.loop import Epochs, Loop, Work
from methods.parts import Grouping, Split, inhabited

L = TypeVar("L", bound=Loop)

TOLERANCE = 0.1
"""How far the cost of a fair search may be from that of its base; phases are whole steps, and one at least."""


class Price:
    """What passes cost; here, an image each."""

    pair: ClassVar[float] = 1  # of one pass of a pair, forward and back
    draws: ClassVar[int] = 1  # of cuts, over which the mean is taken

    def image(self, region: Region) -> float:
        """A pass forward of one image through the base on that region, in training or as a mixture."""
        return 1

    def path(self, region: Region) -> float:
        """The same of one architecture of it, on average."""
        return 1


class MultiplyAdds(Price):
    """In passes forward of the base on the whole region of the task."""

    pair: ClassVar[float] = 1.5
    draws: ClassVar[int] = 32
    sample: ClassVar[int] = SAMPLE  # of the paths of a region

    def __init__(self, search: Loop, task: Task) -> None:
        self.task, self.base = task, search.base
        self.whole = self._of(task.region)

    def image(self, region: Region) -> float:
        """By what the base computes of it."""
        return self._of(region) / self.whole

    def path(self, region: Region) -> float:
        """The mean over a sample."""
        return self._of_path(region) / self.whole

    def _of(self, region: Region) -> float:
        return self._of_path(region) if self.base.samples else float(self._counted(region))

    def _of_path(self, region: Region) -> float:
        return self.task.mean_multiply_adds(region, self.base.channel_share, self.sample)

    def _counted(self, region: Region) -> int:
        return self.task.multiply_adds(region, self.base.channel_share)


class Roughly(MultiplyAdds):
    """The same by few draws, to tell how long a search takes."""

    draws: ClassVar[int] = 8
    sample: ClassVar[int] = 50


@dataclass(frozen=True)
class Paper:
    """A supernet on paper."""

    region: Region
    teachers: int = 0


class Count(Work[Paper]):
    """The loop's work, before anything is trained; and how many leaves there are in the end. draw: of cuts."""

    def __init__(self, search: Loop, task: Task, price: Price, draw: int = 0) -> None:
        self.search, self.task, self.price = search, task, price
        self.rng = task.stream(f"planned cuts/{draw}")
        self.training: float = 0
        self.cuts: float = 0
        self.choosing: float = 0  # at most: comparing children and leaves, and the choice
        self.leaves = self.fits = 0
        self.supernets = 1

    @property
    def before_choosing(self) -> float:
        """Training and cuts."""
        return self.training + self.cuts

    @property
    def total(self) -> float:
        """All of it."""
        return self.before_choosing + self.choosing

    def root(self) -> Paper:
        """Costs nothing to make."""
        return Paper(self.task.region)

    def train(self, supernet: Paper, epochs: float, alpha: bool, taught: bool = False, alone: bool = False) -> None:
        """Whole steps; every teacher passes forward once."""
        self.fits += 1
        base, space = self.search.base, self.task.space
        weights = base.weight_passes(space)
        passes = base.passes(space) if alpha else weights
        steps = round(epochs * (len(self.task.images.train) // self._batch))
        passes *= self.price.pair
        passes += supernet.teachers * weights / 2 if taught else 0  # every pass of the weights is taught
        self.training += steps * self._batch * passes * self.price.image(supernet.region)

    def cut(self, parent: Paper, level: int) -> list[Paper]:
        """Every candidate is grouped; a child for every combination of groups."""
        grouping, edges, teaching = self.search.grouping.at(level), self.search.edges, self.search.teaching
        passes = sum(grouping.passes(self.task, n) for n in edges.compared(self.task, level))
        self.cuts += passes * self._batch * self.price.pair * self.price.image(parent.region)
        regions = [parent.region]
        for edge in self._cut(parent.region, edges.cut_sizes(self.task, level)):
            split = self._split(grouping, parent.region.lists[edge])
            regions = [child for region in regions for child in split.children(region, edge)]
        regions = inhabited(self.task.space, regions)
        self.supernets += len(regions)
        teachers = 0 if teaching is None else teaching.count(len(regions))
        return [Paper(region, teachers) for region in regions]

    def _cut(self, region: Region, sizes: Sequence[int]) -> list[int]:
        """Edges that are still whole, of so many operations each."""
        whole = self.rng.permutation(region.uncut(self.task.region)).tolist()
        found: list[int] = []
        for size in sizes:
            found.append(next(e for e in whole if len(region.lists[e]) == size and e not in found))
        return found

    def _split(self, grouping: Grouping, operations: Sequence[int]) -> Split:
        """Groups as large as each other, as nearly as can be, drawn at random."""
        common = grouping.common(self.task.space, operations)
        grouped = [] if grouping.drops else [op for op in operations if op not in common]
        parts = np.array_split(self.rng.permutation(grouped), grouping.parts(len(grouped)))
        return Split(tuple(tuple(part.tolist()) for part in parts), common=common)

    def best(self, children: Sequence[Paper]) -> Paper:
        """Every child as a mixture, once over the validation images."""
        self.choosing += sum(self.price.image(child.region) for child in children) * len(self.task.images.valid)
        return children[int(self.rng.integers(len(children)))]

    def choose(self, leaves: Sequence[Paper]) -> None:
        """The choices of the base on every leaf and, where leaves are compared so, its mixture."""
        self.leaves = len(leaves)
        by_mixture = self.search.by_mixture(len(leaves))
        for leaf in leaves:
            each = self.search.base.choices * self.price.path(leaf.region)
            each += by_mixture * self.price.image(leaf.region)
            self.choosing += each * len(self.task.images.valid)
            self.choosing += self.search.base.choosing(self.task) * self.price.image(leaf.region)

    @property
    def _batch(self) -> int:
        return self.search.base.training.batch


def counted(search: Loop, task: Task, plan: Epochs, price: Price | None = None) -> Count:
    """What the loop will cost for the epochs of `plan`, in images by default."""
    price = Price() if price is None else price
    count, draws = Count(search, task, price), price.draws
    for draw in range(draws):
        one = Count(search, task, price, draw)
        search.run(plan, one)
        count.training += one.training / draws
        count.cuts += one.cuts / draws
        count.choosing += one.choosing / draws
        count.leaves, count.supernets, count.fits = one.leaves, one.supernets, one.fits
    return count


def fair(search: L, task: Task, price: Price | None = None) -> tuple[L, Epochs]:
    """The search and its epochs so that it costs, in images by default, what `base.training.epochs` of its base on one
    supernet cost: all phases, and the batches of gradient matching, shrunk or grown by one factor.

    Raises BadSpec where they cannot shrink so far.
    """
    price = Price() if price is None else price
    training, plan = search.base.training, search.written(task)
    steps = len(task.images.train) // training.batch
    if not steps:
        return search, plan  # it is refused when the first supernet is made
    images = round(task.scale.epochs_of(training.epochs) * steps) * training.batch
    budget = images * search.base.passes(task.space) * price.pair
    budget += search.base.choices * len(task.images.valid) * price.path(task.region)
    budget += search.base.choosing(task) * price.image(task.region)
    return fitted(search, task, plan, budget, price)


def fitted(
    search: L, task: Task, plan: Epochs, budget: float, price: Price, of: str = "the passes of its base"
) -> tuple[L, Epochs]:
    """The search and the epochs of `plan` so that it costs `budget`, in the unit of `price`; `of` says whose it is.

    Raises BadSpec where no whole steps come near it.
    """
    steps = len(task.images.train) // search.base.training.batch
    whole = counted(search, task, plan, price)
    grouping, base = search.grouping.times(budget / whole.total), search.base.shared_out(whole.leaves)
    shrunk = replace(search, grouping=grouping, base=base)
    count = counted(shrunk, task, plan, price)
    plan = plan.times(max(0.0, (budget - count.cuts - count.choosing) / count.training), steps, task.scale.least_steps)
    cost = counted(shrunk, task, plan, price).total
    if abs(cost / budget - 1) > TOLERANCE:
        raise BadSpec(_missed(of, round(cost), round(budget), task.scale.least_steps))
    return shrunk, plan


def foreseen(search: Loop, task: Task, plan: Epochs) -> Foreseen:
    """What the loop will compute for the epochs of `plan`."""
    price = Roughly(search, task)
    count = counted(search, task, plan, price)
    gmacs = price.whole / 1e9
    training = count.before_choosing * gmacs
    by = {"paths": training} if search.base.samples else {"mixtures": training}
    return Foreseen(**by, estimates=count.choosing * gmacs, supernets=count.supernets, fits=count.fits)


def _missed(of: str, cost: int, budget: int, least_steps: int) -> str:
    phases = f", with phases of {least_steps} steps or more" if least_steps > 1 else ""
    least = f"do not buy this search: at the shortest{phases} it takes {cost}"
    nearest = f"are not met by whole steps of this search: at the nearest it takes {cost}"
    return f"{of}, {budget}, {least if cost > budget else nearest}; choose a larger scale or protocol=paper"
