"""The NAS-Bench-201 macro skeleton (`bench.spaces.layout.ResidualStages`) on shared weights.

The skeleton's own normalisation has a trained affine, as in the reference search networks; its statistics follow
`Norm`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bench.nets.cell import Cell, State
from bench.nets.convolve import convolve, halved
from bench.nets.lean import LeanCell, serves
from bench.nets.supernet import Supernet, pooled_head
from bench.spaces.layout import Place
from bench.spaces.space import Region


class NB201Network(Supernet):
    """Stem, stages of cells with residual blocks between them, head."""

    maskable: ClassVar[bool] = True

    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self.stem = nn.Parameter(self.drawn("stem"))
        self.stem_norm = self.skeleton_norm(self.fixed["stem"].outputs)
        stages = range(self.inner.layout.stages)
        self.reductions = nn.ModuleList(Reduction(self, f"stage{stage}") for stage in stages[1:])
        self.stages = nn.ModuleList(self.stretch(stage) for stage in stages)
        self.head_norm = self.skeleton_norm(self.fixed["head"].inputs)
        self.head = self.linear_head()

    def made(self, place: Place, region: Region | None = None) -> Cell:
        """Lean, where the lean form knows the space and no kernel is part of another."""
        kind = LeanCell if self.lean and serves(self.inner) and not self.nested else Cell
        return kind(self.inner, place, self.norm, self.draw, region, nested=self.nested)

    def begin(self, images: Tensor) -> State:
        """The stem."""
        return (self.stem_norm(convolve(images, self.stem)),)

    def enter(self, stage: int, state: State) -> State:
        """A residual block before all stages but the first."""
        return (self.reductions[stage - 1](*state),) if stage else state

    def end(self, state: State) -> Tensor:
        """Normalisation, ReLU, average pooling, head."""
        (x,) = state
        return pooled_head(F.relu(self.head_norm(x)), self.head)

    def between(self) -> list[nn.Parameter]:
        """Those of the residual blocks."""
        return list(self.reductions.parameters())

    def behind(self) -> list[nn.Parameter]:
        """Those of the head and its normalisation."""
        return [*self.head.parameters(), *self.head_norm.parameters()]


class Reduction(nn.Module):
    """The residual block that halves the size and doubles the channels: ReLU-Conv-BN twice, plus a shortcut of
    2x2 average pooling and a 1x1 convolution."""

    def __init__(self, net: Supernet, name: str) -> None:
        super().__init__()
        first, second, shortcut = (net.drawn(f"{name}/{part}") for part in ("first", "second", "shortcut"))
        self.first, self.second, self.shortcut = (nn.Parameter(k) for k in (first, second, shortcut))
        self.first_norm, self.second_norm = (net.skeleton_norm(len(first)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, 2C, H/2, W/2]`, rounded up."""
        y: Tensor = self.first_norm(convolve(F.relu(x), self.first, stride=2))
        y = self.second_norm(convolve(F.relu(y), self.second))
        return y + convolve(halved(x), self.shortcut)
