"""One small network, one batch and some logits, the same on every machine: what golden values were made on."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.nets import nb201
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE

REGION = SPACE.region


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network() -> Supernet:
    """C = 4, one cell per stage, double precision."""
    return nb201.NB201Network(SPACE, Shape(4, 1, 10, 3, 8), Norm(), seed=11).double()


def batch() -> tuple[Tensor, Tensor]:
    """16 images `[16, 3, 8, 8]` and their classes."""
    return _draw(1, 16, 3, 8, 8), torch.arange(16) % 10


def other_batch() -> tuple[Tensor, Tensor]:
    """Another 16 images, for validation."""
    return _draw(4, 16, 3, 8, 8), torch.arange(3, 19) % 10


def alpha() -> Tensor:
    """`[6, 5]`."""
    return 0.5 * _draw(2, 6, 5)


def logits() -> Tensor:
    """`[5, 16, 10]`: of a child, its parent and three siblings."""
    return 2 * _draw(3, 5, 16, 10)
