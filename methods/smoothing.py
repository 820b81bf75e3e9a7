"""Random smoothing of architecture weights (SDARTS-RS): what `radius` of a one-shot search does."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.search.learner import Learner

START = 0.03
"""The radius at the start of the training, as in the authors' code; it moves linearly to its end."""


def smoothed(theta: Tensor, learner: Learner, radius: float) -> Tensor:
    """Architecture weights `[E, O]` moved by uniform noise of so much at the end of the training, within 0 and 1 and
    the learner's region, and scaled to sum 1."""
    noise = learner.given(lambda: 2 * torch.rand(theta.shape, generator=learner.noise) - 1)
    now = learner.given(lambda: torch.tensor(START + (radius - START) * learner.progress))
    return projected(theta.detach() + now * noise, learner.allowed)


def projected(moved: Tensor, allowed: Tensor) -> Tensor:
    """Clipped to 0 and 1 and scaled to sum 1; a row of which nothing is left takes its largest number."""
    inside = moved.masked_fill(~allowed, -torch.inf)
    largest = torch.zeros_like(moved).scatter_(-1, inside.argmax(-1, keepdim=True), 1.0)
    clipped = inside.clamp(0, 1)
    total = clipped.sum(-1, keepdim=True)
    return torch.where(total > 0, clipped / total.clamp_min(1e-20), largest)
