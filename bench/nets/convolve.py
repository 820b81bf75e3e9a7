"""Convolution and pooling of small images, in training, each in the form that is fastest on a CPU.

Where an image has a few pixels, setting a convolution up costs more than its arithmetic, and backwards more than that;
a matrix product does the same sums. Images are `[B, C, H, W]`, square, channels last in memory.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

MIXED_ALONE, MIXED_GROUPED = 8, 4  # most pixels a side where a 1x1 kernel is a matrix product: one group, several
DENSE_FROM = 32  # channels of a group, from which a 3x3 kernel on 2x2 pixels is one


def convolve(x: Tensor, kernel: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    """Convolution with half padding, in the type of x. kernel: `[O, C / groups, k, k]`, k odd."""
    kernel = kernel.to(x.dtype)
    size, pixels = kernel.shape[-1], x.shape[-1]
    if pixels <= stride and groups == x.shape[1] == len(kernel):
        return _one_pixel(x, kernel)
    if x.device.type == "cpu" and stride == 1 and x.permute(0, 2, 3, 1).is_contiguous():
        if size == 1 and pixels <= (MIXED_ALONE if groups == 1 else MIXED_GROUPED):
            return _mixed(x, kernel, groups)
        if size == 3 and pixels == 2 and kernel.shape[1] >= DENSE_FROM:
            return _dense(x, kernel, groups)
    return F.conv2d(x, kernel, stride=stride, padding=size // 2, groups=groups)


def channels_last(x: Tensor) -> Tensor:
    """Images `[B, C, H, W]` that lie channels last in memory, also where a dimension of one hides how they lie: what is
    made of them lies as they do."""
    if x.stride(1) == 1:
        return x
    return torch.empty_like(x, memory_format=torch.channels_last).copy_(x)


def _one_pixel(x: Tensor, kernel: Tensor) -> Tensor:
    """A kernel of its own for every channel, where one pixel is left: of its taps those that are not on padding."""
    middle = kernel.shape[-1] // 2
    taps = kernel[:, 0, middle : middle + x.shape[-1], middle : middle + x.shape[-1]]
    seen = x[:, :, : taps.shape[-1], : taps.shape[-1]] * taps
    return seen if seen.shape[-1] == 1 else seen.sum((2, 3), keepdim=True)


def _mixed(x: Tensor, kernel: Tensor, groups: int) -> Tensor:
    """A 1x1 kernel: every pixel's channels times one matrix per group."""
    rows = x.permute(0, 2, 3, 1)
    if groups == 1:
        return F.linear(rows, kernel.flatten(1)).permute(0, 3, 1, 2)
    batch, high, wide, _ = rows.shape
    pixels = rows.reshape(batch * high * wide, groups, -1).transpose(0, 1)  # [G, B * H * W, C]
    mixed = torch.bmm(pixels, kernel.view(groups, -1, kernel.shape[1]).transpose(1, 2))
    return mixed.transpose(0, 1).reshape(batch, high, wide, -1).permute(0, 3, 1, 2)


def _dense(x: Tensor, kernel: Tensor, groups: int) -> Tensor:
    """A 3x3 kernel on 2x2 pixels: every pixel sees every other, so whole images times one matrix per group. The taps on
    padding are left out, which are more than half."""
    batch = len(x)
    images = x.permute(0, 2, 3, 1).reshape(batch, 4, groups, -1).permute(2, 0, 1, 3).flatten(2)  # [G, B, 4 * C]
    taps = kernel.permute(0, 2, 3, 1).reshape(groups, -1, 3, 3, kernel.shape[1])
    matrix: Tensor = _AllPairs.apply(taps)  # type: ignore[no-untyped-call]
    y = torch.bmm(images, matrix.transpose(1, 2)).view(groups, batch, 4, -1)
    return y.permute(1, 2, 0, 3).reshape(batch, 2, 2, -1).permute(0, 3, 1, 2)


class _AllPairs(torch.autograd.Function):
    """Taps `[G, O, 3, 3, C]` as a matrix `[G, 4 * O, 4 * C]` from the pixels of a 2x2 image to its pixels."""

    generate_vmap_rule = True

    @staticmethod
    def forward(taps: Tensor) -> Tensor:
        groups, outputs, _, _, inputs = taps.shape
        matrix = taps.new_empty(groups, 2, 2, outputs, 2, 2, inputs)
        for high, wide in _PIXELS:
            matrix[:, high, wide] = _seen_from(taps, high, wide)
        return matrix.view(groups, 4 * outputs, 4 * inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        (taps,) = inputs
        ctx.shape = taps.shape

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        groups, outputs, _, _, inputs = ctx.shape
        by_pixel = gradient.view(groups, 2, 2, outputs, 2, 2, inputs)
        taps = gradient.new_zeros(ctx.shape)
        for high, wide in _PIXELS:
            _seen_from(taps, high, wide).add_(by_pixel[:, high, wide])
        return taps


_PIXELS = ((0, 0), (0, 1), (1, 0), (1, 1))  # of a 2x2 image


def _seen_from(taps: Tensor, high: int, wide: int) -> Tensor:
    """A view `[G, O, 2, 2, C]` of the taps through which a pixel of a 2x2 image sees all of it."""
    return taps[:, :, 1 - high : 3 - high, 1 - wide : 3 - wide]


def halved(x: Tensor) -> Tensor:
    """2x2 average pooling of stride 2; of an odd side the last row and column stand for themselves."""
    return F.avg_pool2d(x, 2, 2, ceil_mode=True)


def even(x: Tensor) -> Tensor:
    """Images with a row and a column of zeros behind an odd side, for a kernel that sees every other pixel from the
    second on: it gives as many as one that begins with the first."""
    odd = x.shape[-1] % 2
    return F.pad(x, (0, odd, 0, odd)) if odd else x


def average_pool(x: Tensor) -> Tensor:
    """3x3 average pooling, stride 1, that does not count its padding.

    On a CPU, at 5 to 8 pixels a side one matrix between pixels, and from 16 a depthwise convolution with a correction
    at the border, which takes less than half the time of `avg_pool2d`; elsewhere neither is faster.
    """
    size = x.shape[-1]
    if x.device.type == "cpu" and 4 < size <= 8:
        rows = x.permute(0, 2, 3, 1).flatten(1, 2)
        return (pixel_means(size, x.dtype) @ rows).view(-1, size, size, x.shape[1]).permute(0, 3, 1, 2)
    if x.device.type != "cpu" or size < 16:
        return plain_pool(x)
    share = pixel_shares(size, x.dtype)
    return F.conv2d(x, x.new_ones(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1]) * share


def plain_pool(x: Tensor) -> Tensor:
    """The same, as torch does it; on other devices than a CPU with a way back of its own."""
    if x.device.type == "cpu":
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    pooled: Tensor = Pooled.apply(x)  # type: ignore[no-untyped-call]
    return pooled


class Pooled(torch.autograd.Function):
    """3x3 average pooling whose gradient is right on a GPU too.

    There torch's own is wrong, in silence, for padded images that lie channels last (pytorch/pytorch#188344: seen with
    2.11, mended in the summer of 2026). The way back through a mean of neighbours is a sum over neighbours.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        shares = pixel_shares(gradient.shape[-1], gradient.dtype, gradient.device)
        return F.avg_pool2d(gradient * shares, 3, 1, 1, divisor_override=1)


def _near(size: int) -> Tensor:
    line = torch.arange(size)
    return ((line[:, None] - line).abs() <= 1).double()


@lru_cache
def pixel_means(size: int, dtype: torch.dtype) -> Tensor:
    """`[H * H, H * H]`: pooling as a matrix between the pixels of an image, row by row."""
    with torch.inference_mode(False):  # what is kept may be asked for in training later
        mean = _near(size) / _near(size).sum(1, keepdim=True)
        return torch.kron(mean, mean).to(dtype)


@lru_cache
def pixel_shares(size: int, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
    """`[H, H]`: 1 over the number of pixels under each window; on the CPU by default."""
    with torch.inference_mode(False):
        count = _near(size).sum(1)
        return (1 / torch.outer(count, count)).to(device, dtype)
