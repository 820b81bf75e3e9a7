"""One small network, one batch and some logits, the same on every machine: what golden values were made on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from bench.nets import nb201
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet
from bench.search.learner import Learner
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE
from methods.oneshot import OneShot
from tests import tiny

REGION = SPACE.region


def draw(seed: int, *shape: int) -> Tensor:
    """Normal, in double precision."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network() -> Supernet:
    """C = 4, one cell per stage, double precision."""
    return nb201.NB201Network(SPACE, Shape(4, 1, 10, 3, 8), Norm(), seed=11).double()


def batch() -> tuple[Tensor, Tensor]:
    """16 images `[16, 3, 8, 8]` and their classes."""
    return draw(1, 16, 3, 8, 8), torch.arange(16) % 10


def other_batch() -> tuple[Tensor, Tensor]:
    """Another 16 images, for validation."""
    return draw(4, 16, 3, 8, 8), torch.arange(3, 19) % 10


def alpha() -> Tensor:
    """`[6, 5]`."""
    return 0.5 * draw(2, 6, 5)


def logits() -> Tensor:
    """`[5, 16, 10]`: of a child, its parent and three siblings."""
    return 2 * draw(3, 5, 16, 10)


def noise() -> Tensor:
    """`[6, 5]`: what stands for Gumbel noise; with `alpha` its arg-max is a path without `none`."""
    return draw(45, 6, 5)


def sample() -> Tensor:
    """`[6, 5]`: what stands for a sample of a Dirichlet distribution."""
    return draw(6, 6, 5).softmax(-1)


def slope() -> Tensor:
    """`[6, 5]`: a gradient at architecture weights."""
    return draw(7, 6, 5)


def uniform() -> Tensor:
    """`[6, 5]`, between 0 and 1."""
    return draw(8, 6, 5).sigmoid()


def learner(relaxation: OneShot) -> Learner:
    """The network under a relaxation, with fresh optimisers in double precision."""
    made = tiny.task(SPACE).learner(relaxation, replace(relaxation.training, batch=16))
    made.supernet = network().train()
    made.weights = list(made.supernet.parameters())
    made.alpha.data = alpha()
    made.optimiser, made.alpha_optimiser = made._descent(), made._alpha_descent()
    return made


def fingerprint(tensors: Iterable[Tensor]) -> float:
    """The sum of all numbers, each times the sine of its place in its tensor."""
    places = ((t.detach(), torch.arange(t.numel(), dtype=torch.float64).sin()) for t in tensors)
    return sum(float(t.flatten() @ place) for t, place in places)
