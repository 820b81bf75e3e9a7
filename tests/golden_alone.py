"""The networks that `tests/test_alone.py` compares with those of DARTS: the weights of both come from a formula.

The k-th parameter, in the order of `named_parameters`, holds sin(0.7 k + 1.3 i + 0.1 (i^2 mod 70)) over the root of its
fan-in, i its place in the parameter. Scales and shifts of normalisation hold that sine over 4, scales plus 1. Images
are sin of 0.9 times 0, 1, 2, …
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from bench.nets.darts_alone import DartsAlone, alone
from bench.spaces.darts import SPACE
from bench.spaces.layout import Shape, StridedStems
from tests.published_cells import V2

SIDE = {False: 32, True: 224}


def images(imagenet: bool) -> Tensor:
    """`[2, 3, 32, 32]`, or `[2, 3, 224, 224]`."""
    side = SIDE[imagenet]
    return (0.9 * torch.arange(2 * 3 * side * side, dtype=torch.float64)).sin().view(2, 3, side, side)


@torch.no_grad()
def filled(imagenet: bool) -> DartsAlone:
    """DARTS_V2 at C=4 in five cells with an auxiliary head, in double precision."""
    space = dataclasses.replace(SPACE, layout=StridedStems(4)) if imagenet else SPACE
    net = alone(space, space.parse(V2), Shape(4, 1, 10, 3, SIDE[imagenet]), 0, auxiliary=True).double()
    for k, (name, parameter) in enumerate(net.named_parameters()):
        i = torch.arange(parameter.numel(), dtype=torch.float64)
        values = (0.7 * k + 1.3 * i + 0.1 * (i * i % 70)).sin().view_as(parameter)
        if name.endswith("affine"):
            parameter.copy_(values / 4 + torch.tensor([[1.0], [0.0]], dtype=torch.float64))
        elif "norm" in name:
            parameter.copy_(values / 4 + float(name.endswith("weight")))
        else:
            parameter.copy_(values / parameter[0].numel() ** 0.5)
    return net
