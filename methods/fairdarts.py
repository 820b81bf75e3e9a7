"""Fair DARTS: Eliminating Unfair Advantages in Differentiable Architecture Search (Chu, Zhou, Zhang & Li, ECCV 2020,
arXiv 1911.12126).

Every operation has a gate of its own, sigmoid(alpha), so that operations do not compete. A penalty drives the
gates to 0 or 1 (`separation` times minus the mean squared distance of the gates from 1/2): alpha follows the
validation loss and it.

Settings are those of the authors' code (xiaomi-automl/FairDARTS, fairdarts/train_search.py), on the DARTS space: alpha
starts at 0 and has a rate of 3e-3, the weights one of 0.005. No code of the authors is for NAS-Bench-201, where these
settings are used too. Deviations:

- Operations are chosen as elsewhere: on NAS-Bench-201 the largest gate of an edge; on the DARTS space two edges of a
  node by their largest gate. The code keeps every operation whose gate exceeds 0.85, up to two of a node.
- A region's forbidden operations have no gate and do not count in the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Static, Training
from bench.spaces.space import Genotype, Region
from methods.oneshot import OneShot

OF_CODE = Training(
    batch=128,
    learning_rate=0.005,
    nesterov=False,
    weight_decay=3e-4,
    alpha_rate=3e-3,
    alpha_betas=(0.9, 0.999),
    alpha_start=0.0,
)


@dataclass(frozen=True)
class FairDarts(OneShot):
    """Sigmoid gates and the 0-1 loss."""

    version: ClassVar[int] = 1
    static: ClassVar[Static] = "mixture"
    training: Training = OF_CODE
    separation: float = 10.0
    distance: Literal["squared", "absolute"] = "squared"  # from 1/2; absolute is the ablation of the paper

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """A gate between 0 and 1 for every allowed operation."""
        return learner.masked_alpha().sigmoid(), learner.region

    def alpha_loss(self, learner: Learner, valid: Batch) -> Tensor:
        """The validation loss and the penalty."""
        return super().alpha_loss(learner, valid) + self.separation * self.indecision(learner)

    def indecision(self, learner: Learner) -> Tensor:
        """Minus the mean distance of the gates from 1/2: least where all are 0 or 1."""
        away = (learner.alpha.sigmoid() - 0.5) * learner.allowed
        distances = away.square() if self.distance == "squared" else away.abs()
        return -distances.sum() / learner.allowed.sum()

    def expected(self, learner: Learner) -> Tensor:
        """The gates."""
        return self.theta(learner)[0].detach()

    def decoded(self, learner: Learner) -> Genotype:
        """The largest gates, by which edges are compared too."""
        return learner.space.best(self.expected(learner).double().cpu().numpy(), learner.region)


VARIANTS = {"fairdarts": FairDarts()}
SETTINGS = {space: dict(VARIANTS) for space in ("darts", "darts-none")}
