"""The NAS-Bench-201 macro skeleton on shared weights: stem, three stages of searched cells, head.

Dong & Yang (ICLR 2020), section 2.1: a 3x3 stem; stages of N cells at C, 2C and 4C channels; a stride-2
residual block before stages 2 and 3; batch normalisation, ReLU, global average pooling and a linear head.
The skeleton's own normalisation has a trained affine, as in the reference search networks; its statistics
follow `Norm`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nets.cell import KERNELS, Cell, Gates, Norm, used_operations
from bench.nets.convolve import convolve
from bench.spaces.space import Region, Space
from bench.streams import torch_stream

STAGES = 3

Precision = Literal["fp32", "tf32", "bf16"]
"""The arithmetic of training passes. fp32: single precision throughout. tf32: single precision whose products a GPU
may round to 10 bits of mantissa; nothing else on a CPU. bf16: activations and products in bfloat16, weights,
statistics, head and loss in single precision. Networks in evaluation mode compute in the type of their images."""

Regions = Region | tuple[Region, ...]
"""One region for all cells of a supernet, or one for each, from the first to the last."""

Draw = Callable[[str, int, int, int], Tensor]
"""The initial kernel `[outputs, inputs, size, size]` of a place, given as (place, outputs, inputs, size)."""


@dataclass(frozen=True)
class Shape:
    """The size of a supernet."""

    channels: int  # C of the first stage
    cells: int  # N per stage
    classes: int
    image_channels: int
    image_size: int  # pixels of a side


class Supernet(nn.Module):
    """All architectures of a space on shared weights; operations outside the region are not computed.

    Weights are drawn from streams named by place, e.g. `weights/0/stage1/cell0/edge3/op2`, as torch.nn.Conv2d
    draws them: a weight's start does not depend on which others exist.
    """

    def __init__(
        self,
        space: Space,
        shape: Shape,
        norm: Norm,
        seed: int,
        name: str = "weights/0",
        lean: bool = True,
        precision: Precision = "fp32",
    ) -> None:
        super().__init__()
        self.precision = precision
        self.space = space
        self.shape = shape

        def kernel(place: str, outputs: int, inputs: int, size: int) -> Tensor:
            bound = (inputs * size * size) ** -0.5  # kaiming_uniform with a = sqrt(5)
            return _uniform((outputs, inputs, size, size), bound, seed, f"{name}/{place}")

        width = shape.channels
        self.stem = nn.Parameter(kernel("stem", width, shape.image_channels, 3))
        self.stem_norm = _skeleton_norm(width, norm)
        self.reductions = nn.ModuleList()
        self.stages = nn.ModuleList()
        for stage in range(STAGES):
            if stage:
                self.reductions.append(
                    Reduction(
                        kernel(f"stage{stage}/first", 2 * width, width, 3),
                        kernel(f"stage{stage}/second", 2 * width, 2 * width, 3),
                        kernel(f"stage{stage}/shortcut", 2 * width, width, 1),
                        norm,
                    )
                )
                width *= 2
            self.stages.append(self._stage(stage, width, norm, kernel, lean))
        self.head_norm = _skeleton_norm(width, norm)
        self.head = nn.Linear(width, shape.classes, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            self.head.weight.copy_(_uniform((shape.classes, width), width**-0.5, seed, f"{name}/head/weight"))
            self.head.bias.copy_(_uniform((shape.classes,), width**-0.5, seed, f"{name}/head/bias"))

    def forward(self, images: Tensor, theta: Tensor | None, region: Regions) -> Tensor:
        """Logits `[B, classes]`.

        images: `[B, C, H, W]`, normalised. theta: `[E, O]` weights of the operations; None means weight 1 on all
        that `region` allows, which for a region of one genotype is that architecture.
        """
        if self.precision == "bf16" and self.training:
            images = images.to(torch.bfloat16)
        gates = None if theta is None else Gates(theta, images.dtype)
        of_cells = iter(region) if isinstance(region, tuple) else itertools.repeat(region)
        x = self.stem_norm(convolve(images, self.stem))
        for stage, cells in enumerate(self.stages):
            if stage:
                x = self.reductions[stage - 1](x)
            for cell in cells:  # type: ignore[attr-defined]
                x = cell(x, gates, next(of_cells))
        logits: Tensor = self.head(F.relu(self.head_norm(x)).mean((2, 3), dtype=self.head.weight.dtype))
        return logits

    def _stage(self, stage: int, width: int, norm: Norm, kernel: Draw, lean: bool) -> nn.ModuleList:
        places = [f"stage{stage}/cell{index}" for index in range(self.shape.cells)]
        return nn.ModuleList(cell_at(place, self.space, width, norm, kernel, lean) for place in places)

    def of_edge(self, edge: int) -> list[nn.Parameter]:
        """The parameters of the operations on `edge`, in all cells."""
        cells = [cell for stage in self.stages for cell in stage]  # type: ignore[attr-defined]
        return [p for cell in cells for op in cell.sizes for p in cell.conv(edge, op).parameters()]

    def shared_by(self, edge: int) -> list[nn.Parameter]:
        """The parameters inside the cells and reductions that do not belong to `edge`: what its operations share."""
        own = {id(p) for p in self.of_edge(edge)}
        inside = [*self.stages.parameters(), *self.reductions.parameters()]
        return [p for p in inside if id(p) not in own]

    def multiply_adds(self, region: Regions) -> int:
        """Multiply-adds of one image's forward pass: convolutions and head, as the operations of `region` cost."""
        cells = self.shape.cells
        of_cells = region if isinstance(region, tuple) else (region,) * (STAGES * cells)
        each = [taps(self.space, one) for one in of_cells]
        return skeleton_multiply_adds(self.shape, tuple(sum(each[s * cells :][:cells]) for s in range(STAGES)))


def cell_at(
    place: str, space: Space, width: int, norm: Norm, kernel: Draw, lean: bool, region: Region | None = None
) -> Cell:
    """A cell whose weights are drawn from streams named after `place`; only those of `region`, where it is given."""

    def edge_kernel(edge: int, op: int) -> Tensor:
        return kernel(f"{place}/edge{edge}/op{op}", width, width, KERNELS[space.ops[op]])

    return Cell(space, width, norm, edge_kernel, lean, region)


class Reduction(nn.Module):
    """The residual block that halves the size and doubles the channels: ReLU-Conv-BN twice, plus a shortcut of
    2x2 average pooling and a 1x1 convolution."""

    def __init__(self, first: Tensor, second: Tensor, shortcut: Tensor, norm: Norm) -> None:
        super().__init__()
        self.first, self.second, self.shortcut = (nn.Parameter(k) for k in (first, second, shortcut))
        self.first_norm, self.second_norm = (_skeleton_norm(len(first), norm) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, 2C, H/2, W/2]`."""
        y: Tensor = self.first_norm(convolve(F.relu(x), self.first, stride=2))
        y = self.second_norm(convolve(F.relu(y), self.second))
        return y + convolve(F.avg_pool2d(x, 2, 2), self.shortcut)


def _skeleton_norm(width: int, norm: Norm) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, track_running_stats=norm.statistics == "running")


def _uniform(shape: tuple[int, ...], bound: float, seed: int, name: str) -> Tensor:
    return (torch.rand(shape, generator=torch_stream(seed, name)) * 2 - 1) * bound


@lru_cache(maxsize=4096)
def taps(space: Space, region: Region) -> int:
    """Multiply-adds of one cell per pixel and pair of channels, as the operations of `region` cost."""
    return sum(KERNELS.get(space.ops[op], 0) ** 2 for ops in used_operations(space, region) for op in ops)


@lru_cache(maxsize=4096)
def skeleton_multiply_adds(shape: Shape, stage_taps: tuple[int, ...]) -> int:
    """Multiply-adds of one image's forward pass, with so many `taps` in all cells of each stage."""
    width, pixels = shape.channels, shape.image_size**2
    total = pixels * width * shape.image_channels * 9
    for stage in range(STAGES):
        if stage:
            pixels //= 4
            total += pixels * (2 * width * width * 9 + 4 * width * width * 9 + 2 * width * width)
            width *= 2
        total += pixels * width * width * stage_taps[stage]
    return total + width * shape.classes
