"""Where the cells of a network stand, and what stands around them: widths, sides and convolutions. Free of torch.

A layout is written once for each kind of network. Supernets, costs and parameter counts are made from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench.spaces.operations import Kernel, strided


@dataclass(frozen=True)
class Shape:
    """The size of a network."""

    channels: int  # C of the first stage
    cells: int  # N per stage
    classes: int
    image_channels: int
    image_size: int  # pixels of a side


UNIT = Shape(channels=1, cells=1, classes=1, image_channels=1, image_size=32)
"""The smallest network of any kind: what the sizes of architectures are compared in."""


@dataclass(frozen=True)
class Place:
    """Where one cell stands."""

    name: str  # "stage1/cell0"
    stage: int
    cell: str  # its type
    channels: int  # of every node
    side: int  # pixels of its inputs, a side
    stream: str = ""  # that its weights are drawn from, where that is not its name
    inputs: int = 0  # channels of its inputs, where they are not those of every node

    @property
    def streams(self) -> str:
        """What the names of its random streams begin with."""
        return self.stream or self.name


@dataclass(frozen=True)
class Layout(ABC):
    """The skeleton of one kind of network.

    network: the module and the class that compute it, as `bench.nets.nb201:NB201Network`, imported when one is wanted.
    """

    network: ClassVar[str]
    stages: ClassVar[int] = 3  # stretches of cells between which the network narrows
    unit: ClassVar[Shape] = UNIT  # of the network that the sizes of architectures are compared in
    side_tried: ClassVar[int] = 16  # pixels of the image that a network is tried on; several are left at its end

    @abstractmethod
    def places(self, shape: Shape) -> tuple[Place, ...]:
        """All cells, from the first to the last."""

    @abstractmethod
    def fixed(self, shape: Shape) -> Mapping[str, Kernel]:
        """The convolutions outside the operations of cells, by the names of their random streams; the head is a 1x1
        convolution of one pixel, whose `affine` counts its bias and the normalisation before it."""

    def counted(self, kernel: Kernel) -> int:
        """What a convolution counts in the sizes of architectures: its weights alone. In the smallest network the
        scales and shifts would outweigh them."""
        return kernel.weights


@dataclass(frozen=True)
class ResidualStages(Layout):
    """NAS-Bench-201 (Dong & Yang, ICLR 2020, section 2.1): a 3x3 stem; stages of N cells at C, 2C and 4C channels; a
    residual block of stride 2 before stages 2 and 3; normalisation, ReLU, average pooling and a linear head."""

    network: ClassVar[str] = "bench.nets.nb201:NB201Network"

    def places(self, shape: Shape) -> tuple[Place, ...]:
        """N cells a stage."""
        return tuple(
            Place(f"stage{s}/cell{n}", s, "cell", shape.channels << s, strided(shape.image_size, 1 << s))
            for s in range(self.stages)
            for n in range(shape.cells)
        )

    def fixed(self, shape: Shape) -> Mapping[str, Kernel]:
        """Stem, residual blocks, head."""
        width, side = shape.channels, shape.image_size
        found = {"stem": Kernel(width, shape.image_channels, 3, side, affine=2 * width)}
        for stage in range(1, self.stages):
            side, wide = strided(side, 2), 2 * width
            found[f"stage{stage}/first"] = Kernel(wide, width, 3, side, 2, affine=2 * wide)
            found[f"stage{stage}/second"] = Kernel(wide, wide, 3, side, affine=2 * wide)
            found[f"stage{stage}/shortcut"] = Kernel(wide, width, 1, side)
            width = wide
        return {**found, "head": Kernel(shape.classes, width, 1, 1, affine=shape.classes + 2 * width)}


@dataclass(frozen=True)
class TwoInputCells(Layout):
    """DARTS (Liu et al., ICLR 2019, section 3 and its code): a 3x3 stem to 3C; N normal cells, a reduction cell, N, a
    reduction, N: L = 3N + 2 cells; every cell sees the two before it, brought to its width and side by 1x1
    convolutions; average pooling and a linear head. A reduction doubles the channels.
    """

    network: ClassVar[str] = "bench.nets.darts:DartsNetwork"
    normal: ClassVar[str] = "normal"
    reduction: ClassVar[str] = "reduce"
    nodes: int  # that a cell concatenates

    def places(self, shape: Shape) -> tuple[Place, ...]:
        """In all stages but the first a reduction cell comes first."""
        found = []
        for stage in range(self.stages):
            width, side = shape.channels << stage, strided(self.side(shape), 1 << stage)
            if stage:
                before = strided(self.side(shape), 1 << (stage - 1))
                found.append(Place(f"stage{stage}/reduction", stage, self.reduction, width, before))
            found += [Place(f"stage{stage}/cell{n}", stage, self.normal, width, side) for n in range(shape.cells)]
        return tuple(found)

    def fixed(self, shape: Shape) -> Mapping[str, Kernel]:
        """Stem, what brings the inputs of every cell to its width, head."""
        found, before = self.stems(shape)
        for place in self.places(shape):
            for k, (inputs, side) in enumerate(before):
                found |= self._brought(f"{place.name}/input{k}", inputs, side, place)
            smaller = 2 if place.cell == self.reduction else 1
            before = [before[1], (self.nodes * place.channels, strided(place.side, smaller))]
        return {**found, "head": Kernel(shape.classes, before[1][0], 1, 1, affine=shape.classes)}

    def side(self, shape: Shape) -> int:
        """Pixels of a side of the first cell."""
        return shape.image_size

    def stems(self, shape: Shape) -> tuple[dict[str, Kernel], list[tuple[int, int]]]:
        """The convolutions before the cells, and channels and side of the two outputs that the first cell takes."""
        wide = 3 * shape.channels
        stem = Kernel(wide, shape.image_channels, 3, shape.image_size, affine=2 * wide)
        return {"stem": stem}, [(wide, shape.image_size)] * 2

    @staticmethod
    def _brought(name: str, inputs: int, side: int, place: Place) -> Mapping[str, Kernel]:
        """ReLU, 1x1 convolution, normalisation; a factorised reduction where the input is twice as large."""
        if side == place.side:
            return {name: Kernel(place.channels, inputs, 1, side, affine=2 * place.channels)}
        halves = (place.channels // 2, place.channels - place.channels // 2)
        return {
            f"{name}/{k}": Kernel(half, inputs, 1, place.side, 2, affine=2 * half)
            for k, half in enumerate(halves)
            if half
        }


@dataclass(frozen=True)
class StridedStems(TwoInputCells):
    """The networks that DARTS retrains on ImageNet (quark0/darts f276dd34, cnn/model.py): the same cells behind three
    3x3 convolutions of stride 2. The first cell takes what leaves the second and the third."""

    network: ClassVar[str] = "bench.nets.darts_alone:ImageNetAlone"

    def side(self, shape: Shape) -> int:
        """An eighth of the image's."""
        return strided(shape.image_size, 1 << len(STEMS))

    def stems(self, shape: Shape) -> tuple[dict[str, Kernel], list[tuple[int, int]]]:
        """To C / 2, C and C channels."""
        width, side, inputs, found = shape.channels, shape.image_size, shape.image_channels, {}
        before = side
        for name, outputs in zip(STEMS, (width // 2, width, width), strict=True):
            before, side = side, strided(side, 2)
            found[name] = Kernel(outputs, inputs, 3, side, 2, affine=2 * outputs)
            inputs = outputs
        return found, [(width, before), (width, side)]


STEMS = ("stem0/first", "stem0/second", "stem1")
"""The convolutions of `StridedStems`."""


RELEASED_MACRO = Shape(channels=32, cells=1, classes=10, image_channels=3, image_size=32)
"""The networks of NAS-Bench-Macro as they were trained."""


@dataclass(frozen=True)
class WideningStages(Layout):
    """NAS-Bench-Macro (Su et al., CVPR 2021, and its code, train/model.py): a 3x3 stem; stages that take C, 2C and 4C
    channels, give twice as many, and halve the side; a 1x1 convolution to 40C; average pooling and a linear head.

    A stage is one cell, whose layers stand in a row: a shape's number of cells a stage says nothing here.
    """

    network: ClassVar[str] = "bench.nets.macro:MacroNetwork"
    unit: ClassVar[Shape] = RELEASED_MACRO  # a depthwise kernel grows with C and a 1x1 kernel with its square

    def counted(self, kernel: Kernel) -> int:
        """With scales and shifts, as the release counts."""
        return kernel.weights + kernel.affine

    def places(self, shape: Shape) -> tuple[Place, ...]:
        """A cell of its own type for every stage."""
        width, side = shape.channels, shape.image_size
        return tuple(
            Place(f"stage{s}", s, f"stage{s}", width << (s + 1), strided(side, 1 << s), inputs=width << s)
            for s in range(self.stages)
        )

    def fixed(self, shape: Shape) -> Mapping[str, Kernel]:
        """Stem, the 1x1 convolution behind the stages, head."""
        first, last, wide = shape.channels, shape.channels << self.stages, 40 * shape.channels
        return {
            "stem": Kernel(first, shape.image_channels, 3, shape.image_size, affine=2 * first),
            "last": Kernel(wide, last, 1, strided(shape.image_size, 1 << self.stages), affine=2 * wide),
            "head": Kernel(shape.classes, wide, 1, 1, affine=shape.classes),
        }


RELEASED_ACCEL = Shape(channels=32, cells=1, classes=1_000, image_channels=3, image_size=224)
"""The networks of Accel-NASBench, of images of the size that their sizes are stated for."""


@dataclass(frozen=True)
class MobileBlocks(Layout):
    """The networks of Accel-NASBench (Ahmad et al. 2024; afzalxo/ANB-DatasetCollection 08a6baa6,
    models/accelbenchnet.py), with the widths of EfficientNet-B0: a 3x3 stem to C; seven blocks, one cell each; a 1x1
    convolution to 40C; average pooling and a linear head. Widths are stated for C = 32; of another C they are rounded
    up.

    The stem halves the side of images of `LARGE` pixels or more alone; blocks halve it four times. Of 32 pixels two are
    left at the end. Of 8 one is left from the fourth block on, where kernels of 3 and 5 see the same.
    """

    network: ClassVar[str] = "bench.nets.macro:MacroNetwork"
    unit: ClassVar[Shape] = RELEASED_ACCEL
    side_tried: ClassVar[int] = 32
    stages: ClassVar[int] = 7
    widths: ClassVar[tuple[int, ...]] = (16, 24, 40, 80, 112, 192, 320)
    strides: ClassVar[tuple[int, ...]] = (1, 2, 2, 2, 1, 2, 1)

    def counted(self, kernel: Kernel) -> int:
        """With scales, shifts and biases, as the release counts."""
        return kernel.weights + kernel.affine

    def places(self, shape: Shape) -> tuple[Place, ...]:
        """A cell of its own type for every block."""
        found, inputs, side = [], shape.channels, self._side(shape)
        for block, (width, stride) in enumerate(zip(self.widths, self.strides, strict=True)):
            outputs = self._width(width, shape)
            found.append(Place(f"block{block}", block, f"block{block}", outputs, side, inputs=inputs))
            inputs, side = outputs, -(-side // stride)
        return tuple(found)

    def fixed(self, shape: Shape) -> Mapping[str, Kernel]:
        """Stem, the 1x1 convolution behind the blocks, head."""
        first, wide, side = shape.channels, 40 * shape.channels, self._side(shape)
        last = self._width(self.widths[-1], shape)
        stride = 2 if shape.image_size >= LARGE else 1
        end = side
        for narrower in self.strides:
            end = -(-end // narrower)
        return {
            "stem": Kernel(first, shape.image_channels, 3, side, stride, affine=2 * first),
            "last": Kernel(wide, last, 1, end, affine=2 * wide),
            "head": Kernel(shape.classes, wide, 1, 1, affine=shape.classes),
        }

    @staticmethod
    def _width(stated: int, shape: Shape) -> int:
        return -(-stated * shape.channels // RELEASED_ACCEL.channels)

    @staticmethod
    def _side(shape: Shape) -> int:
        """Pixels of a side of the first block."""
        return -(-shape.image_size // 2) if shape.image_size >= LARGE else shape.image_size


LARGE = 64
"""Pixels of a side from which the stem of `MobileBlocks` has a stride."""
