"""The DARTS search network (`bench.spaces.layout.TwoInputCells`) on shared weights, as quark0/darts f276dd34 builds it.

Every cell sees the two cells before it. Normalisation follows `Norm`, also that which brings inputs to a cell's width
and that behind poolings; the stem's has a trained affine.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bench.nets.cell import Cell, State
from bench.nets.convolve import convolve
from bench.nets.darts_cell import INPUT, DartsCell
from bench.nets.lean_darts import LeanDartsCell, serves
from bench.nets.supernet import Supernet, pooled_head
from bench.spaces.layout import Place
from bench.spaces.operations import Kernel
from bench.spaces.space import Region


class DartsNetwork(Supernet):
    """Stem, normal and reduction cells, head."""

    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self.make_stem()
        self.stages = nn.ModuleList(self.stretch(stage) for stage in range(self.inner.layout.stages))
        self.head = self.linear_head()

    def make_stem(self) -> None:
        """A convolution with normalisation."""
        self.stem = nn.Parameter(self.drawn("stem"))
        self.stem_norm = self.skeleton_norm(self.fixed["stem"].outputs)

    def made(self, place: Place, region: Region | None = None) -> Cell:
        """Lean, where the lean form knows the space and the normalisation."""
        kind = LeanDartsCell if self.lean and serves(self.inner, self.norm) else DartsCell
        return kind(self, place, region)

    def begin(self, images: Tensor) -> State:
        """The stem, as both inputs of the first cell."""
        x = self.stem_norm(convolve(images, self.stem))
        return x, x

    def end(self, state: State) -> Tensor:
        """Average pooling, head."""
        return pooled_head(state[-1], self.head)

    def outside(self) -> list[Kernel]:
        """Stem and head."""
        return [kernel for name, kernel in self.fixed.items() if f"/{INPUT}" not in name]

    def behind(self) -> list[nn.Parameter]:
        """Those of the head."""
        return list(self.head.parameters())
