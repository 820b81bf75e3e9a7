"""One budget: what a partition search will cost, and the same search at the price of its base alone.

The unit is an image through a supernet, forward or back, whatever the supernet: alpha's passes, gradient matching,
teachers and all comparisons count like the weights' own. What a base spends on its choice is shared out among leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.errors import BadSpec
from bench.search.task import Task

if TYPE_CHECKING:
    from methods.partition import Partition

TOLERANCE = 0.1
"""How far the cost of a fair search may be from that of its base; phases are whole steps, and one at least."""


@dataclass(frozen=True)
class Plan:
    """The epochs that are trained: scaled, and of a fair search as many parts of an epoch as there are steps to it."""

    levels: tuple[float, ...]
    tuning: float
    final: float

    @property
    def turns(self) -> list[float]:
        """Tuning, in turns of an epoch at most."""
        whole = int(self.tuning)
        return [1.0] * whole + ([self.tuning - whole] if self.tuning > whole else [])

    @property
    def path(self) -> float:
        """The epochs behind a leaf at the end, those of its ancestors included."""
        return sum(self.levels) + len(self.levels) * self.tuning + self.final

    def times(self, factor: float, steps: int) -> Plan:
        """Every phase that there is, `factor` times as long, in whole steps, `steps` to an epoch; one at least."""

        def shrunk(epochs: float) -> float:
            return max(1, round(epochs * factor * steps)) / steps if epochs else 0

        return Plan(tuple(map(shrunk, self.levels)), shrunk(self.tuning), shrunk(self.final))

    def note(self) -> dict[str, Any]:
        """What the record keeps."""
        return {"levels": list(self.levels), "tuning": self.tuning, "final": self.final}


def written(search: Partition, task: Task) -> Plan:
    """The epochs of the paper, scaled."""
    return Plan(
        tuple(_scaled(task, e) for e in search.levels), _scaled(task, search.tuning), _scaled(task, search.final)
    )


def planned(search: Partition, task: Task, plan: Plan) -> tuple[int, int]:
    """Images that training and the cuts will take, before anything is trained."""
    base, batch = search.base, search.base.training.batch
    steps = len(task.images.train) // batch

    def images(epochs: float) -> int:
        return round(epochs * steps) * batch

    before = 2 if search.alpha_waits else base.passes  # per training image, until the last cut
    cut, leaves = _tree(search, task)
    training, cuts = leaves * images(plan.final) * base.passes, 0
    for level, (epochs, (supernets, children)) in enumerate(zip(plan.levels, cut, strict=True)):
        training += supernets * images(epochs) * before
        cuts += supernets * sum(search.grouping.passes(task, n) for n in search.edges.compared(task, level)) * batch
        teachers = 0 if search.teaching is None else search.teaching.count(children)
        training += supernets * children * sum(map(images, plan.turns)) * (before + teachers)
    return training, cuts


def compared(search: Partition, task: Task) -> int:
    """Images, at most, that comparing children and leaves and choosing will take."""
    cut, leaves = _tree(search, task)
    mixtures = sum(supernets * children for supernets, children in cut) if search.keep == "best" else 0
    judged = leaves > 1 and search.judge == "mixture" and search.base.trains_alpha
    return (mixtures + leaves * (search.base.choices + judged)) * len(task.images.valid)


def fair(search: Partition, task: Task) -> tuple[Partition, Plan]:
    """The search and its epochs so that it costs what `base.training.epochs` of its base on one supernet cost: all
    phases, and the batches of gradient matching, shrunk or grown by one factor.

    Raises BadSpec where they cannot shrink so far.
    """
    training, plan = search.base.training, written(search, task)
    steps = len(task.images.train) // training.batch
    if not steps:
        return replace(search, protocol="paper"), plan  # it is refused when the first supernet is made
    budget = _scaled(task, training.epochs) * steps * training.batch * search.base.passes
    budget += search.base.choices * len(task.images.valid)
    shrunk = replace(
        search,
        protocol="paper",
        grouping=search.grouping.times(budget / (sum(planned(search, task, plan)) + compared(search, task))),
        base=search.base.shared_out(_tree(search, task)[1]),
    )
    (whole, cuts), rest = planned(shrunk, task, plan), compared(shrunk, task)
    plan = plan.times(max(0.0, (budget - cuts - rest) / whole), steps)
    cost = sum(planned(shrunk, task, plan)) + rest
    if abs(cost / budget - 1) > TOLERANCE:
        least = f"do not buy this search: at the shortest it takes {cost}"
        nearest = f"are not met by whole steps of this search: at the nearest it takes {cost}"
        raise BadSpec(
            f"the images of its base, {budget}, {least if cost > budget else nearest}; choose a larger scale or "
            "protocol=paper"
        )
    return shrunk, plan


def _tree(search: Partition, task: Task) -> tuple[list[tuple[int, int]], int]:
    """For each level the supernets that are cut and the children of each; and how many leaves there are in the end."""
    cut, supernets = [], 1
    for level in range(len(search.levels)):
        children = math.prod(search.grouping.parts(n) for n in search.edges.cut_sizes(task, level))
        cut.append((supernets, children))
        supernets *= children if search.keep == "all" else 1
    return cut, supernets


def _scaled(task: Task, epochs: int) -> int:
    return task.scale.epochs_of(epochs) if epochs else 0
