"""Splits by any score (after Ly-Manson et al., AutoML 2024, who generalise GM-NAS's): operations of an edge that score
alike stay together.

An operation's score is that of the parent with the operation alone on the edge, at the architecture weights that the
other edges have without noise: a zero-cost score (`zerocost.py`) on a batch of training images, the number of
parameters, or the operation's own architecture weight. Distances are differences of scores; groups and edges follow
from them as from those of gradient matching. Our reading: the paper's own scores of splits are others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bench.errors import BadSpec
from bench.nets.streams import torch_stream
from bench.search.learner import Learner
from bench.search.task import Task
from methods.matching import parted
from methods.oneshot import OneShot
from methods.parts import Grouping, Split
from methods.zerocost import SCORES

PASSES = {"synflow": 2, "nwot": 1, "jacov": 2, "parameters": 0, "alpha": 0}
"""Batches through the supernet for one operation, forward and back; of synflow it is one image."""


@dataclass(frozen=True)
class Scored(Grouping):
    """Two groups by a score of single operations."""

    version: ClassVar[int] = 1
    measures: ClassVar[bool] = True
    by: Literal["synflow", "nwot", "jacov", "parameters", "alpha"] = "synflow"

    def check(self, base: OneShot) -> None:
        """Alpha is asked of a base that trains it."""
        if self.by == "alpha" and not base.moves_alpha:
            raise BadSpec(
                f"{type(base).__name__} gives no alpha by which operations could be parted; take another score"
            )

    def passes(self, task: Task, operations: int) -> int:
        """For every operation."""
        return PASSES[self.by] * operations

    def split(self, task: Task, parent: Learner, edge: int) -> Split:
        """The partition of least differences within groups."""
        ops = parent.region.lists[edge]
        score = self._score(task, parent, edge)
        scores = np.array([score(op) for op in ops])
        return parted(np.abs(scores[:, None] - scores[None, :]), ops)

    def _score(self, task: Task, parent: Learner, edge: int) -> Callable[[int], float]:
        assert isinstance(parent.relaxation, OneShot)
        weights = parent.relaxation.expected(parent)
        if self.by == "alpha":
            return lambda op: float(weights[edge, op])
        if self.by == "parameters":
            return lambda op: float(task.space.weights[edge, op])
        stream = torch_stream(parent.seed, f"cut/{parent.name}/{edge}")
        batch = next(iter(parent.train.drawn_from(stream).endless()))

        def alone(op: int) -> float:
            theta = weights.clone()
            theta[edge] = 0
            theta[edge, op] = 1
            with parent.aside():
                return SCORES[self.by](parent, parent.region.narrowed(edge, {op}), theta, batch)

        return alone
