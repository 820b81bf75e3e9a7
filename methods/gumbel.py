"""Gumbel noise under a falling temperature: what SNAS, GDAS and ReinMax draw their architecture weights with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.errors import BadSpec
from bench.search.learner import Learner
from methods.oneshot import OneShot


@dataclass(frozen=True)
class Heated(OneShot):
    """A relaxation whose samples sharpen with training. The temperature falls linearly from step to step."""

    temperature: float = 1.0  # at the start
    temperature_end: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("temperature", "temperature_end"):
            if not getattr(self, name) > 0:
                raise BadSpec(f"{name} must be more than 0, got {getattr(self, name)}; near 0 samples are one-hot")

    def heat(self, progress: float) -> float:
        """The temperature after a share `progress` of the training."""
        return self.temperature + (self.temperature_end - self.temperature) * progress

    def noised(self, learner: Learner) -> tuple[Tensor, Tensor]:
        """Alpha plus Gumbel noise `[E, O]`, minus infinity where the region forbids the operation, and the temperature.
        The arg-max of a row is a sample of the softmax of alpha."""

        def noise() -> Tensor:
            uniform = torch.rand(learner.alpha.shape, generator=learner.noise).clamp_(1e-20, 1.0)
            return -(-uniform.log()).clamp_min_(1e-20).log()

        gumbel = learner.given(noise)
        heat = learner.given(lambda: torch.tensor(self.heat(learner.progress)))
        return learner.masked_alpha() + gumbel, heat


def hard(soft: Tensor, drawn: Tensor) -> Tensor:
    """One-hot rows at `drawn` `[E]`, whose gradient is that of `soft` `[E, O]` (straight through)."""
    one_hot = torch.zeros_like(soft).scatter_(-1, drawn[:, None], 1.0)
    return one_hot - soft.detach() + soft
