"""SNAS: Stochastic Neural Architecture Search (Xie, Zheng, Liu & Lin, ICLR 2019, arXiv 1812.09926).

Architecture weights are a sample of the concrete distribution: softmax((alpha + Gumbel noise) / temperature), drawn
anew for every forward pass (section 2.2, eq. 4). The temperature falls linearly with training.

The temperatures, 1 to 0.1, are those of the GM-NAS code on NAS-Bench-201. Deviation, as there: alpha and weights take
turns on validation and training batches, as in first-order DARTS, where the SNAS paper trains both on one loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Static
from bench.spaces.space import Region
from methods.oneshot import OneShot


@dataclass(frozen=True)
class Snas(OneShot):
    """Gumbel-softmax relaxation."""

    version: ClassVar[int] = 1
    static: ClassVar[Static] = "mixture"
    temperature: float = 1.0  # at the start
    temperature_end: float = 0.1

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """One sample of the concrete distribution per edge."""

        def noise() -> Tensor:
            uniform = torch.rand(learner.alpha.shape, generator=learner.noise).clamp_(1e-20, 1.0)
            return -(-uniform.log()).clamp_min_(1e-20).log()

        gumbel = learner.given(noise)
        heat = learner.given(lambda: torch.tensor(self.heat(learner.progress)))
        return ((learner.masked_alpha() + gumbel) / heat).softmax(-1), learner.region

    def heat(self, progress: float) -> float:
        """The temperature after a share `progress` of the training."""
        return self.temperature + (self.temperature_end - self.temperature) * progress

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """One Adam step on alpha along a sampled gradient of the validation loss."""
        theta, region = self.theta(learner)
        learner.update_alpha(learner.alpha_gradient(learner.loss(valid, theta, region)))


VARIANTS = {"snas": Snas()}
