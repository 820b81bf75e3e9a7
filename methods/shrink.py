"""Progressive shrinking (Once-for-All: Cai, Gan, Wang, Zhang & Han, ICLR 2020, arXiv 1908.09791), on the choices of a
space of few operations.

One supernet whose smaller kernels and widths are parts of the larger ones (`bench/nets/nested.py`) trains in phases
(section 3.3): the largest architecture alone; then those of the largest operation of every edge and what it holds;
then all, layers that pass their input on included. Smaller networks learn from the largest too: cross-entropy with its
softened answers is added, at a weight of 1. Evolution chooses at the end.

On the space `macro` the phases are {5x5, 6}, then {3x3, 3} and {5x5, 6}, then all three choices. On NAS-Bench-201 a 1x1
convolution is the centre of the 3x3 one. Where no operation holds another, the second phase is the first again, taught
by itself. Phases are as long as those of the authors' code: 180 epochs for the largest; 120 for kernels; 25 and 120 for
depth. One, one and two paths are trained in a step. Deviations:

- Kernel and width are one choice in these spaces, so the paper's three phases of shrinking are two.
- The teacher is the largest network as the supernet holds it at that step, where the authors keep a copy that was
  trained before.
- One cosine of the learning rate spans all phases; the authors begin anew in each.
- Evolution is that of SPOS (`methods/spos.py`) on accuracies of the supernet; the authors' asks a predictor of them.
- No resolution is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.nets.nested import ordered
from bench.search.learner import Learner, Pass, Static, Training
from bench.search.task import Task
from bench.spaces.cells import CellSpace
from bench.spaces.space import Region, Space
from bench.store.spec import require_range
from methods.spos import Spos


@dataclass(frozen=True)
class Shrink(Spos):
    """Uniform paths of a region that grows from phase to phase, taught by the largest."""

    version: ClassVar[int] = 1
    static: ClassVar[Static] = "no"
    training: Training = Training(epochs=445, weight_decay=3e-5, smoothing=0.1, nested=True)
    phases: tuple[int, ...] = (180, 120, 145)  # how long the three last, as shares of their sum
    paths: tuple[int, ...] = (1, 1, 2)  # that are trained in a step of each
    distillation: float = 1.0  # weight of what the largest teaches

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, 0, "phases", "distillation")
        require_range(self, 1, "paths")
        if len(self.phases) != 3 or len(self.paths) != 3 or not sum(self.phases):
            raise BadSpec(f"there are three phases: not {self.phases} with {self.paths} paths a step")

    def check(self, task: Task) -> None:
        """Operations of a kind hold each other."""
        if isinstance(task.space, CellSpace):
            _ = task.space.holders

    def weight_passes(self, space: Space) -> float:
        """Of every path forward and back, and of the largest forward where it teaches; mean over the phases."""
        taught = (0, *(1 if self.distillation else 0 for _ in self.phases[1:]))
        each = [paths * (2 + more) for paths, more in zip(self.paths, taught, strict=True)]
        return sum(share * cost for share, cost in zip(self.phases, each, strict=True)) / sum(self.phases)

    def phase(self, learner: Learner, steps: int) -> int:
        """The phase that a learner is in after so many steps: 0, 1 or 2."""
        whole = learner.schedule.horizon * len(learner.train)
        ends = [round(whole * end / sum(self.phases)) for end in accumulate(self.phases)]
        return min(sum(steps >= end for end in ends), len(ends) - 1)

    def theta(self, learner: Learner) -> tuple[Tensor | None, Region]:
        """A uniform path of the phase's region with weight 1."""
        region = grown(learner.space, learner.region)[self.phase(learner, learner.steps)]
        return None, learner.space.alone(learner.space.sample(region, learner.paths))

    def prepare(self, learner: Learner) -> None:
        """Before the first step with narrower networks: the heaviest channels come first."""
        before = self.phase(learner, learner.steps - 1) if learner.steps else 0
        if before == 0 < self.phase(learner, learner.steps):
            ordered(learner.supernet, learner.optimiser.state)

    def descents(self, learner: Learner) -> Sequence[Pass]:
        """As many paths as the phase trains in a step."""
        return [self.theta(learner) for _ in range(self.paths[self.phase(learner, learner.steps)])]

    def teach(self, learner: Learner, batch: Batch, logits: Tensor) -> Tensor | None:
        """Cross-entropy with what the largest network says, once there are others."""
        if not self.distillation or not self.phase(learner, learner.steps):
            return None
        largest = grown(learner.space, learner.region)[0]
        alone = learner.space.alone(learner.space.sample(largest, learner.paths))
        with torch.no_grad():
            answers: Tensor = learner.supernet(batch.images, None, alone)
        return self.distillation * F.cross_entropy(logits, answers.softmax(-1))


def grown(space: Space, region: Region) -> tuple[Region, Region, Region]:
    """The regions of the phases, each within the next: of every edge the largest operation by its parameters, the first
    of equals; with it what it holds; all that the region allows."""
    holders = space.holders if isinstance(space, CellSpace) else {}
    largest = [max(ops, key=lambda op: (space.weights[edge, op], -op)) for edge, ops in enumerate(region.lists)]
    held = [
        {op for op in ops if holders.get(op) == top} | {top} for ops, top in zip(region.lists, largest, strict=True)
    ]
    return Region.of([{top} for top in largest]), Region.of(held), region


VARIANTS = {"shrink": Shrink()}
SETTINGS = {"macro": dict(VARIANTS)}
