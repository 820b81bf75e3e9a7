"""How the maps of a lean cell of separable convolutions lie in memory, and what is done to many of them at once.

`Planes` holds `[C, H, W, B]` and makes everything a product of matrices, also a depthwise kernel, which between the
pixels of a small image is one small matrix per channel: stride and dilation cost nothing there. `Stacks` holds
`[B, C, H, W]` and leaves all to torch's convolutions. Both do the same sums.

Maps of several edges stand one behind the other along the channels, `G * C` of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.nets.convolve import even
from bench.spaces.operations import strided

MOST_PIXELS = 8
"""A side, of inputs up to which a matrix between all pixels is faster than a convolution on a CPU."""


class Depthwise(NamedTuple):
    """Depthwise kernels of one kind on several maps. kernels: `[C, 1, k, k]` each."""

    kernels: Sequence[Tensor]
    stride: int
    dilation: int


class Maps(ABC):
    """Operations on maps; channels lie along `axis`."""

    axis: ClassVar[int]

    @abstractmethod
    def of(self, x: Tensor) -> Tensor:
        """From `[B, C, H, W]`, however it lies in memory."""

    @abstractmethod
    def images(self, maps: Tensor) -> Tensor:
        """The inverse, not copied."""

    @abstractmethod
    def separable(self, x: Tensor, kinds: Sequence[Depthwise], mixing: Sequence[Tensor], shared: bool) -> Tensor:
        """The depthwise kernels of all kinds, in order, and behind each its 1x1 kernel `[O, C, 1, 1]`.

        shared: all take the same maps of C channels; otherwise each has its own among the `G * C` of x.
        """

    @abstractmethod
    def joint(self, x: Tensor, kernels: Sequence[Tensor]) -> Tensor:
        """1x1 kernels `[O, C, 1, 1]`, all on the same maps."""

    @abstractmethod
    def every_other(self, x: Tensor, first: int) -> Tensor:
        """Every second pixel of both directions, from `first` on; at an odd side as many from the second on as from the
        first, of which the last are zeros."""

    @abstractmethod
    def normalised(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """By the statistics of the batch, channel by channel, times a scale `[G * C]`."""

    @abstractmethod
    def maximum(self, x: Tensor, stride: int) -> Tensor:
        """3x3 pooling."""

    @abstractmethod
    def average(self, x: Tensor, stride: int) -> Tensor:
        """3x3 pooling that does not count its padding."""

    def joined(self, maps: Sequence[Tensor]) -> Tensor:
        """One behind the other."""
        return maps[0] if len(maps) == 1 else torch.cat(tuple(maps), self.axis)

    def parts(self, maps: Tensor, channels: int | Sequence[int]) -> tuple[Tensor, ...]:
        """What stands one behind the other."""
        found: tuple[Tensor, ...] = torch.split(maps, channels, self.axis)  # type: ignore[arg-type]  # as torch takes it
        return found


class Planes(Maps):
    """`[C, H, W, B]`: whole maps are rows of a matrix, and images its columns."""

    axis = 0

    def of(self, x: Tensor) -> Tensor:
        return x.permute(1, 2, 3, 0).contiguous()

    def images(self, maps: Tensor) -> Tensor:
        return maps.permute(3, 0, 1, 2)

    def separable(self, x: Tensor, kinds: Sequence[Depthwise], mixing: Sequence[Tensor], shared: bool) -> Tensor:
        channels, groups, high, batch = len(mixing[0][0]), len(mixing), x.shape[1], x.shape[-1]
        side = strided(high, kinds[0].stride)
        # Where maps are shared, the matrices of a channel lie together, `[C, G, Q * P]`: one product gives all.
        along = 1 if shared else 0
        taps = [torch.stack([k.flatten(1) for k in kind.kernels], along) for kind in kinds]
        found = [_between_pixels(some, kind, high) for some, kind in zip(taps, kinds, strict=True)]
        matrices = found[0] if len(found) == 1 else torch.cat(found, along)
        y = torch.bmm(matrices.view(len(x), -1, high * high), x.view(len(x), -1, batch))
        if shared:
            y = y.view(channels, groups, -1).transpose(0, 1)  # which the next product takes as it lies
        y = torch.bmm(torch.stack([k.flatten(1) for k in mixing]), y.view(groups, channels, -1))
        return y.view(-1, side, side, batch)

    def joint(self, x: Tensor, kernels: Sequence[Tensor]) -> Tensor:
        channels, high, wide, batch = x.shape
        return (torch.cat([k.flatten(1) for k in kernels]) @ x.reshape(channels, -1)).view(-1, high, wide, batch)

    def every_other(self, x: Tensor, first: int) -> Tensor:
        odd = first * x.shape[1] % 2
        return (F.pad(x, (0, 0, 0, odd, 0, odd)) if odd else x)[:, first::2, first::2]

    def normalised(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        return F.batch_norm(x.view(1, len(x), -1), None, None, scale, None, True).view(x.shape)

    def maximum(self, x: Tensor, stride: int) -> Tensor:
        # Channels as images and images as channels, so that torch's form for channels last runs along the batch.
        return F.max_pool2d(x.permute(0, 3, 1, 2), 3, stride, 1).permute(0, 2, 3, 1)

    def average(self, x: Tensor, stride: int) -> Tensor:
        channels, high, _, batch = x.shape
        side = strided(high, stride)
        means = _means(high, stride, x.dtype).expand(channels, -1, -1)
        return torch.bmm(means, x.view(channels, -1, batch)).view(channels, side, side, batch)


class Stacks(Maps):
    """`[B, C, H, W]`: torch's convolutions, with as many groups as there are maps."""

    axis = 1

    def of(self, x: Tensor) -> Tensor:
        return x

    def images(self, maps: Tensor) -> Tensor:
        return maps

    def separable(self, x: Tensor, kinds: Sequence[Depthwise], mixing: Sequence[Tensor], shared: bool) -> Tensor:
        if shared:
            parts = [x.repeat(1, len(kind.kernels), 1, 1) for kind in kinds]
        else:
            parts = list(x.split([sum(map(len, kind.kernels)) for kind in kinds], 1))
        y = self.joined([_deep(part, kind) for part, kind in zip(parts, kinds, strict=True)])
        return F.conv2d(y, torch.cat(tuple(mixing)), groups=len(mixing))

    def joint(self, x: Tensor, kernels: Sequence[Tensor]) -> Tensor:
        return F.conv2d(x, torch.cat(tuple(kernels)))

    def every_other(self, x: Tensor, first: int) -> Tensor:
        return (even(x) if first else x)[:, :, first::2, first::2]

    def normalised(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        return F.batch_norm(x, None, None, scale, None, True)

    def maximum(self, x: Tensor, stride: int) -> Tensor:
        return F.max_pool2d(x, 3, stride, 1)

    def average(self, x: Tensor, stride: int) -> Tensor:
        x = x if x.device.type == "cpu" else x.contiguous()  # see `bench.nets.convolve.Pooled`
        return F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)


PLANES, STACKS = Planes(), Stacks()


def best_for(x: Tensor) -> Maps:
    """The faster of both for inputs `[B, C, H, W]`."""
    return PLANES if x.device.type == "cpu" and x.shape[-1] <= MOST_PIXELS else STACKS


def _deep(x: Tensor, kind: Depthwise) -> Tensor:
    kernel = torch.cat(tuple(kind.kernels))
    padding = kind.dilation * (kernel.shape[-1] // 2)
    return F.conv2d(x, kernel, None, kind.stride, padding, kind.dilation, groups=len(kernel))


def _between_pixels(taps: Tensor, kind: Depthwise, side: int) -> Tensor:
    """Taps `[..., k * k]` as matrices `[..., Q * P]` from the P pixels of an input to the Q of an output."""
    size = kind.kernels[0].shape[-1]
    return taps @ _places(side, size, kind.stride, kind.dilation, taps.dtype)


@lru_cache
def _places(side: int, size: int, stride: int, dilation: int, dtype: torch.dtype) -> Tensor:
    """`[k * k, Q * P]`, 1 where a tap joins a pixel of the output with one of the input, under half padding."""
    with torch.inference_mode(False):  # what is kept may be asked for in training later
        padding = dilation * (size // 2)
        pixels = torch.eye(side * side, dtype=torch.float64).view(side * side, 1, side, side)
        seen = F.unfold(pixels, size, dilation, padding, stride)  # [P, k * k, Q]
        return seen.permute(1, 2, 0).flatten(1).to(dtype)


@lru_cache
def _means(side: int, stride: int, dtype: torch.dtype) -> Tensor:
    """`[Q, P]`: average pooling that does not count its padding."""
    with torch.inference_mode(False):
        joined = _places(side, 3, stride, 1, torch.float64).sum(0).view(-1, side * side)
        return (joined / joined.sum(1, keepdim=True)).to(dtype)
