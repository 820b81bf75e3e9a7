"""The search network that `tests/test_darts.py` compares with the code of DARTS: weights from a formula, in both.

A number of a tensor is sin(0.7 phase + 1.3 i + 0.1 (i^2 mod 70)) / sqrt(fan-in), i its place in the tensor, and phase
the sum of (k + 1) times the k-th of the numbers that say where it stands: 1 to 3 and 6, 7 are stem and head; 4, cell,
input, kernel; 5, cell, edge, operation, kernel. Alpha is sin of 0 to 223, images sin of 0.9 times 0 to 767.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bench.nets.darts import DartsNetwork
from bench.nets.operations import Norm, PartialForm
from bench.spaces.darts import WITH_NONE
from bench.spaces.layout import Shape

SHAPE = Shape(channels=2, cells=1, classes=10, image_channels=3, image_size=8)
LABELS = torch.tensor([0, 3, 5, 9])


def counted(*shape: int) -> Tensor:
    """0, 1, 2, … in that shape."""
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float64).view(shape)


def alpha() -> Tensor:
    """`[28, 8]`."""
    return counted(28, 8).sin().requires_grad_()


def images() -> Tensor:
    """`[4, 3, 8, 8]`."""
    return (0.9 * counted(4, 3, 8, 8)).sin()


@torch.no_grad()
def _fill(tensor: Tensor, *where: int) -> None:
    phase, i = sum((k + 1) * number for k, number in enumerate(where)), counted(*tensor.shape)
    tensor.copy_((0.7 * phase + 1.3 * i + 0.1 * (i * i % 70)).sin() / tensor[0].numel() ** 0.5)


def _in_order(module: object) -> list[Tensor]:
    """Its kernels as they are applied: of a separable convolution depthwise and 1x1 in turn."""
    if hasattr(module, "depthwise"):
        return [w for pair in zip(module.depthwise, module.pointwise, strict=True) for w in pair]
    return list(module.parameters()) if isinstance(module, torch.nn.Module) else []


def edges() -> Tensor:
    """`[28]`: of PC-DARTS's second parameter."""
    return (1.7 * counted(28)).cos()


def net(share: int = 1) -> DartsNetwork:
    """Five cells on the paper's eight operations, in double precision. With partial channels they have twice as many
    as there are parts."""
    shape = SHAPE if share == 1 else replace(SHAPE, channels=2 * share)
    made = DartsNetwork(replace(WITH_NONE, share=share), shape, Norm(), 0).double()
    _fill(made.stem, 1)
    _fill(made.stem_norm.weight, 2)
    _fill(made.stem_norm.bias, 3)
    for k, cell in enumerate(made.blocks()):
        for j, brought in enumerate(cell.inputs):  # type: ignore[arg-type]
            for h, kernel in enumerate(_in_order(brought)):
                _fill(kernel, 4, k, j, h)
        for name, module in cell.weighted.items():
            edge, op = map(int, name.split("/"))
            for h, kernel in enumerate(_in_order(module.inner if isinstance(module, PartialForm) else module)):
                _fill(kernel, 5, k, edge, op, h)
    _fill(made.head.weight, 6)
    _fill(made.head.bias, 7)
    return made
