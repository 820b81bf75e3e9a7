"""Operations of a network in evaluation mode, laid out once and applied many times: each in the form that is fastest.

Images are `[B, C, H, W]`, channels last in memory. Under running statistics normalisation is folded into the kernel.
The forms were compared on a CPU, in single precision, on batches of 500; elsewhere it is torch's own operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nets.convolve import pixel_means, pixel_shares
from bench.nets.operations import Conv
from bench.spaces.operations import strided

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class EvaluatedNorm:
    """Batch normalisation in evaluation; mean and var None for batch statistics, scale and shift None for 1 and 0."""

    mean: Tensor | None
    var: Tensor | None
    scale: Tensor | None
    shift: Tensor | None
    eps: float = 1e-5

    @classmethod
    def of_conv(cls, conv: Conv) -> EvaluatedNorm:
        norm = conv.norm
        scale, shift = (None, None) if norm.affine is None else norm.affine.unbind()
        return cls(norm.mean, norm.var, scale, shift)

    @classmethod
    def of_layer(cls, layer: nn.BatchNorm2d) -> EvaluatedNorm:
        return cls(layer.running_mean, layer.running_var, layer.weight, layer.bias, layer.eps)


def convolution(kernel: Tensor, norm: EvaluatedNorm, size: int, stride: int = 1) -> Map:
    """Convolution with half padding, then normalisation, on images of `size` pixels a side."""
    if norm.mean is None or norm.var is None:
        plain = linear(kernel, None, size, stride)
        scale, shift, eps = norm.scale, norm.shift, norm.eps
        return lambda x: torch.batch_norm(plain(x), scale, shift, None, None, True, 0.0, eps, False)
    factor = (norm.var + norm.eps).rsqrt()
    factor = factor if norm.scale is None else factor * norm.scale
    bias = -norm.mean * factor if norm.shift is None else norm.shift - norm.mean * factor
    return linear(kernel * factor[:, None, None, None], bias, size, stride)


def linear(kernel: Tensor, bias: Tensor | None, size: int, stride: int) -> Map:
    """Convolution with half padding: in one of three forms.

    1x1 kernels are a product over channels from 16 channels on. A 3x3 kernel on at most 2x2 pixels, and up to 16
    channels on at most 4x4, is one dense matrix from all pixels to all pixels, which leaves out the taps on padding.
    """
    outputs, inputs, width, _ = kernel.shape
    if kernel.device.type == "cpu" and width == 1 and inputs >= 16:
        mixing = kernel.flatten(1).t().contiguous()
        return lambda x: _as_images(_times(x.permute(0, 2, 3, 1).reshape(-1, inputs), mixing, bias), size, outputs)
    if kernel.device.type == "cpu" and width == 3 and (size <= 2 or (size <= 4 and inputs <= 16)):
        pixels = torch.eye(inputs * size**2, dtype=kernel.dtype).view(-1, size, size, inputs).permute(0, 3, 1, 2)
        matrix = F.conv2d(pixels, kernel, stride=stride, padding=1).permute(0, 2, 3, 1).flatten(1).contiguous()
        side = strided(size, stride)
        spread = None if bias is None else bias.repeat(side**2)
        return lambda x: _as_images(
            _times(x.permute(0, 2, 3, 1).reshape(-1, inputs * size**2), matrix, spread), side, outputs
        )
    laid_out = kernel.contiguous(memory_format=torch.channels_last)
    return lambda x: F.conv2d(x, laid_out, bias, stride=stride, padding=width // 2)


def _times(rows: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    return rows @ matrix if bias is None else torch.addmm(bias, rows, matrix)


def _as_images(rows: Tensor, size: int, channels: int) -> Tensor:
    """Pixels `[B * H * W, C]` or images `[B, H * W * C]` as `[B, C, H, W]`, channels last in memory."""
    return rows.view(-1, size, size, channels).permute(0, 3, 1, 2)


def pooling(like: Tensor, size: int) -> Map:
    """3x3 average pooling that does not count its padding: on a CPU, up to 4x4 pixels, a matrix between pixels;
    above, a depthwise convolution with a correction at the border."""
    if like.device.type != "cpu":
        return lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    if size <= 4:
        matrix = pixel_means(size, like.dtype)
        return lambda x: _as_images(matrix @ x.permute(0, 2, 3, 1).flatten(1, 2), size, x.shape[1])
    share = pixel_shares(size, like.dtype)
    return lambda x: F.conv2d(x, x.new_ones(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1]).mul_(share)
