"""The DARTS search network (`bench.spaces.layout.TwoInputCells`) on shared weights, as quark0/darts f276dd34 builds it.

Every cell sees the two cells before it. Normalisation follows `Norm`, also that which brings inputs to a cell's width
and that behind poolings; the stem's has a trained affine.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from bench.nets.cell import Cell, State
from bench.nets.convolve import convolve
from bench.nets.operations import Conv, FactorisedReduction
from bench.nets.supernet import Supernet, pooled_head
from bench.spaces.layout import Place
from bench.spaces.operations import Kernel
from bench.spaces.space import Region

INPUT = "input"
"""What the names of convolutions that bring an input to a cell begin with, behind that of its place."""


class DartsCell(Cell):
    """A cell with what brings its inputs to its width and side."""

    def __init__(self, net: Supernet, place: Place, region: Region | None = None) -> None:
        super().__init__(net.inner, place, net.norm, net.draw, region, pools_normalised=True)
        self.inputs = nn.ModuleList(_brought(net, place, f"{INPUT}{k}") for k in range(self.kind.inputs))
        bringing = [kernel for name, kernel in net.fixed.items() if name.startswith(f"{place.name}/{INPUT}")]
        self._bringing = sum(kernel.multiply_adds for kernel in bringing)

    def multiply_adds(self, region: Region) -> int:
        """Of operations, and of what brings the inputs."""
        return super().multiply_adds(region) + self._bringing

    def brought(self, state: State) -> State:
        """ReLU, 1x1 convolution, normalisation of each."""
        return tuple(form(x) for form, x in zip(self.inputs, state, strict=True))


def _brought(net: Supernet, place: Place, which: str) -> nn.Module:
    name, stream = f"{place.name}/{which}", f"{place.streams}/{which}"
    if name in net.fixed:
        return Conv(net.drawn(name, stream), net.norm)
    halves = [half for half in net.fixed if half.startswith(f"{name}/")]
    return FactorisedReduction([net.drawn(half, stream + half.removeprefix(name)) for half in halves], net.norm)


class DartsNetwork(Supernet):
    """Stem, normal and reduction cells, head."""

    def __init__(self, *made: Any, **how: Any) -> None:
        super().__init__(*made, **how)
        self.stem = nn.Parameter(self.drawn("stem"))
        self.stem_norm = self.skeleton_norm(self.fixed["stem"].outputs)
        self.stages = nn.ModuleList(self.stretch(stage) for stage in range(self.inner.layout.stages))
        self.head = self.linear_head()

    def made(self, place: Place, region: Region | None = None) -> Cell:
        """A cell of two inputs."""
        return DartsCell(self, place, region)

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
