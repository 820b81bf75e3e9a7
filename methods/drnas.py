"""DrNAS: Dirichlet Neural Architecture Search (Chen, Wang, Cheng, Tang & Hsieh, ICLR 2021, arXiv 2006.10355).

The architecture weights of an edge are drawn from a Dirichlet distribution of concentration elu(alpha) + 1 for every
forward pass; alpha follows the pathwise gradient of the sample (Jankowiak & Obermeyer, ICML 2018). What keeps alpha
near 0, where the distribution is even, is decay (the code's `l2`, the default) or the divergence from the even
distribution (its `kl`: `divergence`, with `training.alpha_decay=0`). The largest mean is chosen: the largest alpha.

NAS-Bench-201 settings are those of the authors' code (xiangning-chen/DrNAS, 201-space/train_search.py): 100 epochs,
plain momentum. On the DARTS space: 50 epochs, rates from 0.1 to 0, alpha at rest for the first fifth; the code computes
a sixth of the channels there, then a quarter, and keeps four operations after 25 epochs. Deviations:

- Of a region the allowed operations are drawn, in the code all of them, and the weights of the others are scaled up:
  the same distribution.
- Searched operations use batch statistics, in the code running ones in evaluation.
- Alpha's gradient does not count in the norm that is clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from bench.images.batches import Batch
from bench.search.learner import Learner, Training
from bench.spaces.space import Region
from methods.oneshot import OneShot

OF_CODE = Training(epochs=100, nesterov=False, weight_decay=3e-4)


@dataclass(frozen=True)
class Drnas(OneShot):
    """Dirichlet relaxation."""

    version: ClassVar[int] = 1
    training: Training = OF_CODE
    divergence: float = 0.0  # weight of the divergence from the even distribution, summed over edges

    def theta(self, learner: Learner) -> tuple[Tensor, Region]:
        """One sample per edge."""
        rows = zip(concentration(learner.alpha), learner.allowed, strict=True)
        theta = [torch.zeros_like(row).masked_scatter(may, drawn(row[may], learner.noise)) for row, may in rows]
        return torch.stack(theta), learner.region

    def expected(self, learner: Learner) -> Tensor:
        """The means."""
        own = concentration(learner.alpha.detach()) * learner.allowed
        return own / own.sum(-1, keepdim=True)

    def alpha_loss(self, learner: Learner, valid: Batch) -> Tensor:
        """The validation loss at a sample, and the divergence where it has a weight."""
        loss = super().alpha_loss(learner, valid)
        return loss + self.divergence * self.from_even(learner) if self.divergence else loss

    def from_even(self, learner: Learner) -> Tensor:
        """KL(Dirichlet(elu(alpha) + 1) || Dirichlet(1)), summed over edges."""
        rows = zip(concentration(learner.alpha), learner.allowed, strict=True)
        own = [row[may] for row, may in rows]
        return sum((kl_divergence(Dirichlet(c), Dirichlet(torch.ones_like(c))) for c in own), own[0].new_zeros(()))


def concentration(alpha: Tensor) -> Tensor:
    """elu(alpha) + 1: more than 0."""
    return F.elu(alpha) + 1


def drawn(concentrations: Tensor, generator: torch.Generator) -> Tensor:
    """A sample `[n]` of a Dirichlet distribution, drawn on the host, with its pathwise gradient."""
    sample: Tensor = _Sample.apply(concentrations, generator)  # type: ignore[no-untyped-call]
    return sample


class _Sample(torch.autograd.Function):
    """As `torch.distributions.Dirichlet.rsample`, from a generator of its own."""

    @staticmethod
    def forward(ctx: Any, concentrations: Tensor, generator: torch.Generator) -> Tensor:
        sample = torch._sample_dirichlet(concentrations.detach().cpu(), generator).to(concentrations.device)
        ctx.save_for_backward(sample, concentrations)
        return sample

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        sample, concentrations = ctx.saved_tensors
        total = concentrations.sum(-1, keepdim=True).expand_as(concentrations)
        slope = torch._dirichlet_grad(sample, concentrations, total)
        return slope * (gradient - (sample * gradient).sum(-1, keepdim=True)), None


VARIANTS = {"drnas": Drnas()}
OF_CELLS = Drnas(
    Training(learning_rate=0.1, learning_rate_end=0.0, nesterov=False, weight_decay=3e-4, alpha_rate=6e-4), waits=0.2
)
SETTINGS = {space: {"drnas": OF_CELLS} for space in ("darts", "darts-none")}
