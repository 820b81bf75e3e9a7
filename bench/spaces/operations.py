"""The operations that an edge can take, by name: their convolutions, and whether they are linear. Free of torch.

How an operation is computed is written in `bench.nets.operations`, which looks it up by its class. Adding an operation
is a class here (or a new name for one that exists), a line in `OPERATIONS`, and a form there. A package outside calls
`register`, and names the form in the class.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from bench.errors import BadSpace, BadSpec, UnknownName


def strided(side: int, stride: int) -> int:
    """Pixels of a side behind a stride, under half padding: of an odd side the last pixel counts."""
    return -(-side // stride)


@dataclass(frozen=True)
class Kernel:
    """One convolution with half padding. side: pixels of its output; affine: scales, shifts and biases behind it."""

    outputs: int
    inputs: int
    size: int
    side: int
    stride: int = 1
    groups: int = 1
    affine: int = 0

    @property
    def weights(self) -> int:
        """The numbers in the kernel."""
        return self.outputs * self.inputs // self.groups * self.size**2

    @property
    def multiply_adds(self) -> int:
        """Of one image; the border counts as the middle does."""
        return self.weights * self.side**2


@dataclass(frozen=True)
class Operation(ABC):
    """What an edge does to the sum at its source: C channels in, C channels out, smaller by `stride`. An edge that
    leaves an input of other channels (`Place.inputs`) has the convolutions of `widening`."""

    name: str
    absent: ClassVar[bool] = False  # it gives nothing: the edge is not there
    form: ClassVar[str] = ""  # of one from outside: the module and function that compute it, `my_package.nets:form`

    @abstractmethod
    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Its convolutions, in order. side: pixels of its input."""

    def widening(self, inputs: int, outputs: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Its convolutions where it gives other channels than it takes. Raises BadSpace where it cannot."""
        raise BadSpace(f"operation {self.name!r} gives as many channels as it takes: {inputs} cannot become {outputs}")

    def linear(self, stride: int) -> bool:
        """Whether a sum may pass through it term by term: it has no weights, no normalisation and no ReLU."""
        return False

    def holds(self, other: Operation) -> bool:
        """Whether the kernels of another may be parts of its own (`bench.nets.nested`)."""
        return False


@dataclass(frozen=True)
class Absent(Operation):
    """No edge."""

    absent: ClassVar[bool] = True

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """None."""
        return ()

    def widening(self, inputs: int, outputs: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """None."""
        return ()


@dataclass(frozen=True)
class Partial(Operation):
    """Partial channels (PC-DARTS, Xu et al., ICLR 2020, section 3.1): `inner` on the first of `share` equal parts of
    the channels; the other parts pass beside it, and all are shuffled. Where the width changes nothing could pass, and
    `inner` is what it is."""

    inner: Operation
    share: int

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Those of `inner` on its part. Raises BadSpec where the channels cannot be parted so."""
        if channels % self.share:
            raise BadSpec(
                f"{channels} channels cannot be parted into {self.share} equal shares; choose a share that divides "
                "every width, or more channels"
            )
        return self.inner.kernels(channels // self.share, side, stride)

    def widening(self, inputs: int, outputs: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Those of `inner`, in full."""
        return self.inner.widening(inputs, outputs, side, stride)


@dataclass(frozen=True)
class Identity(Operation):
    """The source as it is. Where the edge has a stride, a factorised reduction (DARTS): ReLU, two 1x1 convolutions of
    stride 2 that see shifted pixels and give half of the channels each, normalisation."""

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """None, or those of the reduction."""
        if stride == 1:
            return ()
        halves = (channels // 2, channels - channels // 2)
        return tuple(
            Kernel(half, channels, 1, strided(side, stride), stride, affine=2 * half) for half in halves if half
        )

    def linear(self, stride: int) -> bool:
        """Unless it has a stride."""
        return stride == 1


@dataclass(frozen=True)
class Pooling(Operation):
    """A mean that does not count its padding, or a maximum, over `size` x `size` pixels."""

    kind: Literal["average", "maximum"]
    size: int

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """None."""
        return ()

    def linear(self, stride: int) -> bool:
        """A mean is."""
        return self.kind == "average"


@dataclass(frozen=True)
class Convolution(Operation):
    """ReLU, a dense convolution, normalisation."""

    size: int

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """One."""
        return (Kernel(channels, channels, self.size, strided(side, stride), stride, affine=2 * channels),)

    def holds(self, other: Operation) -> bool:
        """A kernel that is no larger."""
        return isinstance(other, Convolution) and other.size <= self.size


@dataclass(frozen=True)
class Separable(Operation):
    """`times` times ReLU, a depthwise convolution, a 1x1 convolution, normalisation; the first takes the stride."""

    size: int
    dilation: int = 1
    times: int = 2

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Two for each time."""
        found: list[Kernel] = []
        for time in range(self.times):
            step = stride if time == 0 else 1
            side = strided(side, step)
            found.append(Kernel(channels, channels, self.size, side, step, groups=channels))
            found.append(Kernel(channels, channels, 1, side, affine=2 * channels))
        return tuple(found)


@dataclass(frozen=True)
class Shortcut(Operation):
    """The source as it is. Where the edge has a stride or the width changes: a 1x1 convolution, normalisation."""

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """None, or that convolution."""
        return () if stride == 1 else self.widening(channels, channels, side, stride)

    def widening(self, inputs: int, outputs: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """That convolution."""
        return (Kernel(outputs, inputs, 1, strided(side, stride), stride, affine=2 * outputs),)

    def linear(self, stride: int) -> bool:
        """Unless it has a stride."""
        return stride == 1


@dataclass(frozen=True)
class InvertedResidual(Operation):
    """A block of MobileNetV2 (Sandler et al., CVPR 2018, section 3.3): a 1x1 convolution to `expansion` times the
    channels, a depthwise convolution that takes the stride, a 1x1 convolution, each with normalisation, the first two
    with ReLU; the source is added where it has the same shape."""

    size: int
    expansion: int

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Three."""
        return self.widening(channels, channels, side, stride)

    def widening(self, inputs: int, outputs: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Three; the expansion is of the inputs."""
        wide, after = self.expansion * inputs, strided(side, stride)
        return (
            Kernel(wide, inputs, 1, side, affine=2 * wide),
            Kernel(wide, wide, self.size, after, stride, groups=wide, affine=2 * wide),
            Kernel(outputs, wide, 1, after, affine=2 * outputs),
        )

    def holds(self, other: Operation) -> bool:
        """A kernel and a width that are no larger."""
        if not isinstance(other, InvertedResidual):
            return False
        return other.size <= self.size and other.expansion <= self.expansion


@dataclass(frozen=True)
class MobileLayers(Operation):
    """`layers` layers in a row, of which the first takes the stride and changes the width (MnasNet: Tan et al., CVPR
    2019, section 4.2). A layer is that of `InvertedResidual`, without the first convolution where it would not widen;
    `squeezed`, its depthwise convolution is followed by squeeze-and-excitation (Hu et al., CVPR 2018): channels are
    scaled by what two 1x1 convolutions with biases make of their means, of which the inner gives a quarter of the
    channels that enter the layer."""

    size: int
    expansion: int
    layers: int
    squeezed: bool

    def kernels(self, channels: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """Two to five for each layer."""
        return self.widening(channels, channels, side, stride)

    def widening(self, inputs: int, outputs: int, side: int, stride: int) -> tuple[Kernel, ...]:
        """The first layer changes the width; expansions are of what enters a layer."""
        found: list[Kernel] = []
        for _ in range(self.layers):
            found += self._layer(inputs, outputs, side, stride)
            inputs, side, stride = outputs, -(-side // stride), 1
        return tuple(found)

    def _layer(self, inputs: int, outputs: int, side: int, stride: int) -> Iterator[Kernel]:
        wide, after, inner = self.expansion * inputs, -(-side // stride), max(1, inputs // 4)
        if self.expansion > 1:
            yield Kernel(wide, inputs, 1, side, affine=2 * wide)
        yield Kernel(wide, wide, self.size, after, stride, groups=wide, affine=2 * wide)
        if self.squeezed:
            yield Kernel(inner, wide, 1, 1, affine=inner)
            yield Kernel(wide, inner, 1, 1, affine=wide)
        yield Kernel(outputs, wide, 1, after, affine=2 * outputs)


def mobile(expansion: int, size: int, layers: int, squeezed: bool) -> MobileLayers:
    """By its choices; `e6k5l2s1` is its name."""
    return MobileLayers(f"e{expansion}k{size}l{layers}s{int(squeezed)}", size, expansion, layers, squeezed)


EXPANSIONS, SIZES, MOST_LAYERS = (1, 4, 6), (3, 5), 4
MOBILE = tuple(
    mobile(expansion, size, layers, squeezed)
    for expansion, size, layers, squeezed in itertools.product(
        EXPANSIONS, SIZES, range(1, MOST_LAYERS + 1), (False, True)
    )
)
"""The choices of Accel-NASBench (Ahmad et al.), with one layer more than most of its blocks take."""

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Absent("none"),
        Identity("skip_connect"),
        Convolution("nor_conv_1x1", 1),
        Convolution("nor_conv_3x3", 3),
        Pooling("avg_pool_3x3", "average", 3),
        Pooling("max_pool_3x3", "maximum", 3),
        Separable("sep_conv_3x3", 3),
        Separable("sep_conv_5x5", 5),
        Separable("dil_conv_3x3", 3, dilation=2, times=1),
        Separable("dil_conv_5x5", 5, dilation=2, times=1),
        Shortcut("id"),
        InvertedResidual("ir_3x3_t3", 3, expansion=3),
        InvertedResidual("ir_5x5_t6", 5, expansion=6),
        *MOBILE,
    )
}
"""Names as NAS-Bench-201, DARTS and NAS-Bench-Macro have them, and our own for the choices of Accel-NASBench."""


def operation(name: str) -> Operation:
    """The operation of that name. Raises UnknownName with the nearest one."""
    if name not in OPERATIONS:
        raise UnknownName("operation", name, OPERATIONS)
    return OPERATIONS[name]


def register(new: Operation) -> Operation:
    """Make an operation of your own known by its name, in this process. Raises BadSpace where another has that name."""
    known = OPERATIONS.setdefault(new.name, new)
    if known != new:
        raise BadSpace(f"there is another operation {new.name!r}; give yours a name of its own")
    return known
