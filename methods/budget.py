"""One budget: what a partition search will cost, and the same search at the price of its base alone.

The unit is an image through a supernet, forward or back, whatever the supernet: alpha's passes, gradient matching and
teachers count like the weights' own. Comparing children and choosing at the end, a few percent, do not.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.errors import BadSpec
from bench.task import Task

if TYPE_CHECKING:
    from methods.partition import Partition


def planned(search: Partition, task: Task) -> tuple[int, int]:
    """Images that training and the cuts will take, before anything is trained."""
    base, batch = search.base, search.base.training.batch
    pass_of_epoch = len(task.images.train) // batch * batch
    before = 2 if search.alpha_waits else base.passes  # per training image, until the last cut
    tuning, supernets, training, cuts = _scaled(task, search.tuning), 1, 0, 0
    for level, epochs in enumerate(search.levels):
        training += supernets * _scaled(task, epochs) * pass_of_epoch * before
        cuts += supernets * sum(search.grouping.passes(task, n) for n in search.edges.compared(task, level)) * batch
        children = math.prod(search.grouping.parts(n) for n in search.edges.cut_sizes(task, level))
        teachers = 0 if search.teaching is None else search.teaching.count(children)
        training += supernets * children * tuning * pass_of_epoch * (before + teachers)
        supernets *= children if search.keep == "all" else 1
    return training + supernets * _scaled(task, search.final) * pass_of_epoch * base.passes, cuts


def fair(search: Partition, task: Task) -> Partition:
    """The search with all its epochs shrunk, or grown, by one factor, so that it costs what `base.training.epochs` of
    its base on one supernet cost; a phase keeps one epoch at least."""
    training = search.base.training
    one = _scaled(task, training.epochs) * (len(task.images.train) // training.batch * training.batch)
    whole, cuts = planned(search, task)
    factor = (one * search.base.passes - cuts) / whole
    if factor <= 0:
        raise BadSpec(
            f"matching alone takes {cuts} images of a budget of {one * search.base.passes}; average over fewer batches"
        )

    def shrunk(epochs: int) -> int:
        return max(1, round(epochs * factor)) if epochs else 0

    return replace(
        search,
        protocol="paper",
        levels=tuple(map(shrunk, search.levels)),
        tuning=shrunk(search.tuning),
        final=shrunk(search.final),
        period=None if search.period is None else shrunk(search.period),
    )


def _scaled(task: Task, epochs: int) -> int:
    return task.scale.epochs_of(epochs) if epochs else 0
