"""OLES: Operation-Level Early Stopping for Robustifying Differentiable NAS (Jiang, Ji, Zhu & Zhang, NeurIPS 2023).

An operation overfits when its gradients on training and on validation images part. In every step both are compared, by
cosine; an operation of a cell whose mean over 20 steps falls below 0.4 is trained no more, while alpha moves on.

Any search whose alpha is trained may take this (`OneShot.stopping`); `oles` is DARTS with it. The measure and both
numbers are those of the authors' code as automl/ConfigurableOptimizer has it (`update_gradient_matching_scores`): for
every kernel the cosines over output channels, averaged, and then the mean over kernels. Deviations:

- Both gradients are of one step, at the same weights; in the code the training gradient is that of the step before.
- A window has 20 steps; in the code it has 21, divided by 20.
- An operation that gets no gradient in a step is not compared in it.
- A stopped operation takes no momentum and no weight decay either, and does not count in the norm that is clipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nets.supernet import Supernet
from bench.search.learner import Learner
from bench.store.spec import require_range
from methods.darts import TRAINING, Darts
from methods.options import Stopping

SUMS, STOPPED = "similarity", "stopped"


@dataclass(frozen=True)
class EarlyStop(Stopping):
    """By the agreement of training and validation gradients, operation by operation and cell by cell."""

    version: ClassVar[int] = 1
    window: int = 20  # steps
    threshold: float = 0.4

    def __post_init__(self) -> None:
        require_range(self, 1, "window")
        require_range(self, -1, "threshold")

    def remembers(self, learner: Learner) -> Mapping[str, Tensor]:
        """Sum and number of similarities `[2, cells, E, O]`, and what has stopped `[cells, E, O]`."""
        shape = (len(list(learner.supernet.blocks())), len(learner.space.edges), len(learner.space.ops))
        return {SUMS: torch.zeros(2, *shape), STOPPED: torch.zeros(shape, dtype=torch.bool)}

    def before_update(self, learner: Learner) -> None:
        """Compare, and take the gradient of what has stopped away."""
        sums, stopped = learner.memory[SUMS], learner.memory[STOPPED]
        if learner.seen:
            valid = iter(learner.seen)
            for place, parameters in operations(learner.supernet):
                pairs = [(p.grad, next(valid)) for p in parameters]
                alike = [similarity(own, other) for own, other in pairs if own is not None and other.any()]
                if alike:
                    sums[0][place] += torch.stack(alike).mean()
                    sums[1][place] += 1
            learner.seen = []
            full = sums[1] >= self.window
            stopped |= full & (sums[0] < self.threshold * sums[1])
            sums[:, full] = 0
        for place, parameters in operations(learner.supernet):
            if stopped[place]:
                for p in parameters:
                    p.grad = None


def operations(supernet: Supernet) -> Iterator[tuple[tuple[int, int, int], list[nn.Parameter]]]:
    """The parameters of every operation of every cell, with its cell, edge and number."""
    for number, cell in enumerate(supernet.blocks()):
        found: dict[tuple[int, int, int], list[nn.Parameter]] = {}
        for edge, op, parameter in cell.owned():
            found.setdefault((number, edge, op), []).append(parameter)
        yield from found.items()


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """The mean cosine of two gradients of a kernel over its output channels."""
    return F.cosine_similarity(a, b, dim=0).mean()


VARIANTS = {"oles": Darts(TRAINING, stopping=EarlyStop())}
SETTINGS = {space: dict(VARIANTS) for space in ("darts", "darts-none")}
