"""The inner half of FaDE (arXiv 2404.16218): a hyper-architecture trained as in DARTS.

A row of cells is one edge of a `Rows` space and its cells are the operations, so the training is DARTS itself. While
alpha trains, a factor per row falls from 1 (spread the weights) to -1 (sharpen them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Lesson
from methods.darts import Darts

Weights = NDArray[np.float64]
"""Architecture weights `[d, k]`, rows summing to 1."""


def factors(rows: int, progress: float, mode: str) -> Tensor:
    """The regularisation factor of every row `[d]` after a share `progress` of the training."""
    speed = torch.linspace(2, 1, rows) if mode == "dependent" else torch.ones(rows)
    return (1 - 2 * progress * speed).clamp_min(-1) * (mode != "none")


@dataclass(frozen=True)
class HyperDarts(Darts):
    """DARTS on a hyper-architecture, with the regularised alpha."""

    version: ClassVar[int] = 1
    regularised: Literal["none", "independent", "dependent"] = "independent"  # of the row
    strength: float = 0.1
    joint: bool = False  # alpha and weights on one loss and one pass

    @property
    def single_level(self) -> bool:
        """As `joint` says."""
        return self.joint

    def penalty(self, learner: Learner) -> Tensor:
        """strength * sum_i r_i sum_c p_i[c]^2."""
        rows = len(learner.alpha)
        r = learner.given(lambda: factors(rows, learner.progress, self.regularised))
        squares = learner.masked_alpha().softmax(-1).square().sum(-1)
        return self.strength * (r * squares).sum()

    def gradient(self, learner: Learner, train: Batch, valid: Batch) -> Tensor:
        """That of DARTS, plus the penalty's."""
        return super().gradient(learner, train, valid) + learner.alpha_gradient(self.penalty(learner))

    def lesson(self) -> Lesson | None:
        """The penalty as a part of the training loss, where that is the loss of alpha."""
        return (lambda learner, batch, logits: self.penalty(learner)) if self.joint else None
