"""The cells of DARTS on shared weights in the plain form, with what brings outputs of earlier cells to their width."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from bench.nets.cell import Cell, State
from bench.nets.operations import Conv, FactorisedReduction
from bench.nets.supernet import Supernet
from bench.spaces.layout import Place
from bench.spaces.space import Region

INPUT = "input"
"""What the names of convolutions that bring an input to a cell begin with, behind that of its place."""


class DartsCell(Cell):
    """A cell with what brings its inputs to its width and side."""

    pools_normalised: ClassVar[bool] = True  # as DARTS searches

    def __init__(self, net: Supernet, place: Place, region: Region | None = None) -> None:
        super().__init__(net.inner, place, net.norm, net.draw, region, self.pools_normalised)
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
