"""One budget: what a partition search will cost, and the same search at the price of its base alone.

The unit is an image through a supernet, forward or back, whatever the supernet: alpha's passes, gradient matching,
teachers and all comparisons count like the weights' own. What a base spends on its choice is shared out among leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bench.errors import BadSpec
from bench.search.task import Task
from methods.loop import Epochs, Loop, Work

L = TypeVar("L", bound=Loop)

TOLERANCE = 0.1
"""How far the cost of a fair search may be from that of its base; phases are whole steps, and one at least."""


@dataclass(frozen=True)
class Paper:
    """A supernet on paper."""

    teachers: int = 0


class Count(Work[Paper]):
    """The loop's work in images, before anything is trained; and how many leaves there are in the end."""

    def __init__(self, search: Loop, task: Task) -> None:
        self.search, self.task = search, task
        self.training = self.cuts = 0
        self.choosing = 0  # at most: comparing children and leaves, and the choice
        self.leaves = 0

    @property
    def before_choosing(self) -> int:
        """Training and cuts."""
        return self.training + self.cuts

    @property
    def total(self) -> int:
        """All of it."""
        return self.before_choosing + self.choosing

    def root(self) -> Paper:
        """Costs nothing to make."""
        return Paper()

    def train(self, supernet: Paper, epochs: float, alpha: bool, taught: bool = False, alone: bool = False) -> None:
        """Whole steps; every teacher passes forward once."""
        base, space = self.search.base, self.task.space
        weights = base.weight_passes(space)
        passes = base.passes(space) if alpha else weights
        steps = round(epochs * (len(self.task.images.train) // self._batch))
        passes += supernet.teachers * weights // 2 if taught else 0  # every pass of the weights is taught
        self.training += round(steps * self._batch * passes)

    def cut(self, parent: Paper, level: int) -> list[Paper]:
        """Every candidate is grouped; a child for every combination of groups."""
        grouping, edges, teaching = self.search.grouping, self.search.edges, self.search.teaching
        self.cuts += sum(grouping.passes(self.task, n) for n in edges.compared(self.task, level)) * self._batch
        children = math.prod(grouping.parts(n) for n in edges.cut_sizes(self.task, level))
        return [Paper(0 if teaching is None else teaching.count(children))] * children

    def best(self, children: Sequence[Paper]) -> Paper:
        """Every child as a mixture, once over the validation images."""
        self.choosing += len(children) * len(self.task.images.valid)
        return children[0]

    def choose(self, leaves: Sequence[Paper]) -> None:
        """The choices of the base on every leaf and, where leaves are compared so, its mixture."""
        self.leaves = len(leaves)
        each = self.search.base.choices + self.search.by_mixture(len(leaves))
        self.choosing += len(leaves) * each * len(self.task.images.valid)

    @property
    def _batch(self) -> int:
        return self.search.base.training.batch


def counted(search: Loop, task: Task, plan: Epochs) -> Count:
    """What the loop will cost for the epochs of `plan`."""
    count = Count(search, task)
    search.run(plan, count)
    return count


def fair(search: L, task: Task) -> tuple[L, Epochs]:
    """The search and its epochs so that it costs what `base.training.epochs` of its base on one supernet cost: all
    phases, and the batches of gradient matching, shrunk or grown by one factor.

    Raises BadSpec where they cannot shrink so far.
    """
    training, plan = search.base.training, search.written(task)
    steps = len(task.images.train) // training.batch
    if not steps:
        return search, plan  # it is refused when the first supernet is made
    images = round(task.scale.epochs_of(training.epochs) * steps) * training.batch
    budget = round(images * search.base.passes(task.space))
    budget += search.base.choices * len(task.images.valid)
    whole = counted(search, task, plan)
    grouping, base = search.grouping.times(budget / whole.total), search.base.shared_out(whole.leaves)
    shrunk = replace(search, grouping=grouping, base=base)
    count = counted(shrunk, task, plan)
    plan = plan.times(max(0.0, (budget - count.cuts - count.choosing) / count.training), steps, task.scale.least_steps)
    cost = counted(shrunk, task, plan).total
    if abs(cost / budget - 1) > TOLERANCE:
        raise BadSpec(_missed(cost, budget, task.scale.least_steps))
    return shrunk, plan


def _missed(cost: int, budget: int, least_steps: int) -> str:
    phases = f", with phases of {least_steps} steps or more" if least_steps > 1 else ""
    least = f"do not buy this search: at the shortest{phases} it takes {cost}"
    nearest = f"are not met by whole steps of this search: at the nearest it takes {cost}"
    return (
        f"the images of its base, {budget}, {least if cost > budget else nearest}; choose a larger scale or "
        "protocol=paper"
    )
