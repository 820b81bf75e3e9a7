"""ReinMax: Bridging Discrete and Backpropagation (Liu, Dong, Liu, Yu & Gao, NeurIPS 2023, arXiv 2304.08612).

GDAS with a gradient of second order. An architecture D is drawn from p = softmax(alpha); with q = (D +
softmax(alpha / temperature)) / 2 the gradient of alpha is that of 2 q - p / 2, where q moves as a softmax
does. Straight-through gradients are of first order; this one is that of Heun's method.

The paper searches no architectures. Settings are those of automl/ConfigurableOptimizer, which samples so in GDAS: its
epochs and temperatures. Deviations: as in `gdas`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from bench.search.learner import Learner
from bench.spaces.space import Region
from methods.gdas import Gdas
from methods.gumbel import hard


@dataclass(frozen=True)
class Reinmax(Gdas):
    """One operation per edge and pass, with a second-order gradient."""

    version: ClassVar[int] = 1

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """One-hot rows with the gradient of 2 q - p / 2, and the region of the drawn operations."""
        noised, heat = self.noised(learner)
        drawn = noised.detach().argmax(-1)
        soft = second_order(learner.masked_alpha(), drawn, heat)
        return hard(soft, drawn), Region.of([{op} for op in drawn.tolist()])


def second_order(alpha: Tensor, drawn: Tensor, heat: Tensor) -> Tensor:
    """2 q - p / 2 `[E, O]`; alpha is minus infinity where an operation is forbidden. drawn: `[E]`."""
    forbidden = alpha.isneginf()
    with torch.no_grad():
        one_hot = torch.zeros_like(alpha).scatter_(-1, drawn[:, None], 1.0)
        q = (one_hot + (alpha / heat).softmax(-1)) / 2
        away = (q.clamp_min(1e-20).log() - alpha).masked_fill(forbidden, 0.0)
    return 2 * (alpha + away).softmax(-1) - alpha.softmax(-1) / 2


VARIANTS = {"reinmax": Reinmax()}
SETTINGS = {space: {"reinmax": Reinmax(replace(Reinmax().training, batch=256))} for space in ("darts", "darts-none")}
