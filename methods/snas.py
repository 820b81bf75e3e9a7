"""SNAS: Stochastic Neural Architecture Search (Xie, Zheng, Liu & Lin, ICLR 2019, arXiv 1812.09926).

Architecture weights are a sample of the concrete distribution: softmax((alpha + Gumbel noise) / temperature), drawn
anew for every forward pass (section 2.2, eq. 4). The temperature falls linearly with training.

The temperatures, 1 to 0.1, are those of the GM-NAS code on NAS-Bench-201; on the DARTS space it ends at 0.03 and trains
as the code of DARTS does. Deviation, as there: alpha and weights take turns on validation and training batches, as in
first-order DARTS, where the SNAS paper trains both on one loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.search.learner import Learner, Static, Training
from bench.spaces.space import Region
from methods.gumbel import Heated


@dataclass(frozen=True)
class Snas(Heated):
    """Gumbel-softmax relaxation."""

    version: ClassVar[int] = 1
    static: ClassVar[Static] = "mixture"

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """One sample of the concrete distribution per edge."""
        noised, heat = self.noised(learner)
        return (noised / heat).softmax(-1), learner.region


VARIANTS = {"snas": Snas()}
OWN_SPACE = {"snas": Snas(Training(nesterov=False, weight_decay=3e-4), temperature_end=0.03)}
SETTINGS = {"darts": OWN_SPACE, "darts-none": OWN_SPACE}
