"""The forms of small convolutions and poolings against torch's own operation: values, gradients, second gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad, vmap

from bench.nets.convolve import DENSE_FROM, Pooled, average_pool, channels_last, convolve


def definition(x: Tensor, kernel: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    return F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2, 1, groups)


def drawn(pixels: int, groups: int, size: int, last: bool = True) -> tuple[Tensor, Tensor]:
    """Two images of 3 channels per group, or as many as a dense form is for, and kernels with 5 outputs per group."""
    inputs = DENSE_FROM if pixels == 2 else 3
    generator = torch.Generator().manual_seed(pixels + 10 * groups + 100 * size)
    x = torch.randn(2, inputs * groups, pixels, pixels, generator=generator, dtype=torch.float64)
    kernel = torch.randn(5 * groups, inputs, size, size, generator=generator, dtype=torch.float64)
    layout = torch.channels_last if last else torch.contiguous_format
    return x.contiguous(memory_format=layout).requires_grad_(), kernel.requires_grad_()


@pytest.mark.parametrize("last", [True, False], ids=["channels-last", "channels-first"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("pixels", [2, 4, 8, 10])
def test_every_form_is_the_convolution(pixels: int, groups: int, size: int, stride: int, last: bool) -> None:
    x, kernel = drawn(pixels, groups, size, last)
    ours, theirs = (form(x, kernel, stride, groups) for form in (convolve, definition))
    torch.testing.assert_close(ours, theirs)
    assert not last or ours.is_contiguous(memory_format=torch.channels_last)
    back = torch.randn_like(theirs)
    first = [torch.autograd.grad((y * back).sum(), (x, kernel), create_graph=True) for y in (ours, theirs)]
    torch.testing.assert_close(*first)
    second = [torch.autograd.grad(sum(g.square().sum() for g in both), (x, kernel)) for both in first]
    torch.testing.assert_close(*second)


@pytest.mark.parametrize(("pixels", "stride"), [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_depthwise_kernels_on_few_pixels(size: int, pixels: int, stride: int) -> None:
    """Also where one pixel is left, which then sees a part of the kernel."""
    generator = torch.Generator().manual_seed(size)
    x, kernel = (
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((2, 3, pixels, pixels), (3, 1, size, size))
    )
    ours, theirs = (form(x, kernel, stride, 3) for form in (convolve, definition))
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(y.square().sum(), (x, kernel)) for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("hidden", [(2, 1, 4, 4), (2, 3, 4, 4)])
def test_images_lie_channels_last_also_where_a_dimension_is_one(hidden: tuple[int, ...]) -> None:
    x = torch.arange(2.0 * hidden[1] * hidden[2] ** 2).view(hidden)
    last = channels_last(x)
    assert torch.equal(last, x)
    assert (last.stride(1), last.stride(3)) == (1, hidden[1])
    assert channels_last(last) is last


@pytest.mark.parametrize(("pixels", "size"), [(2, 3), (2, 1), (4, 1), (4, 3)])
def test_forms_can_be_mapped_over_a_stack_of_kernels(pixels: int, size: int) -> None:
    """`vmap` over weights and images, gradients within."""
    x, kernel = (t.detach() for t in drawn(pixels, 1, size))
    images, kernels = torch.stack([x, 2 * x]), torch.stack([kernel, kernel + 1])

    def gradient(form: object) -> Tensor:
        return vmap(grad(lambda k, i: form(i, k).square().sum()))(kernels, images)  # type: ignore[operator]

    torch.testing.assert_close(gradient(convolve), gradient(definition))


@pytest.mark.parametrize("pixels", [2, 4, 5, 8, 16])
def test_pooling_does_not_count_its_padding(pixels: int) -> None:
    x, _ = drawn(pixels, 2, 1)
    ours, theirs = average_pool(x), F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(ours, theirs)
    back = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, back)[0] for y in (ours, theirs)))


@pytest.mark.parametrize("last", [True, False], ids=["channels-last", "channels-first"])
@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 9])
def test_the_way_back_of_pooling_on_a_gpu(pixels: int, last: bool) -> None:
    """Here on the CPU: first and second gradients are those of torch's own pooling, over a stack of images too."""
    x = torch.randn(2, 3, pixels, pixels, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format).requires_grad_()
    back = torch.randn_like(x)

    def theirs(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    first = [
        torch.autograd.grad((pool(x).square() * back).sum(), x, create_graph=True)[0] for pool in (Pooled.apply, theirs)
    ]
    torch.testing.assert_close(*first)
    torch.testing.assert_close(*(torch.autograd.grad(g.square().sum(), x)[0] for g in first))
    many = torch.stack([x.detach(), 2 * x.detach()])
    torch.testing.assert_close(
        *(vmap(grad(lambda i, p=pool: p(i).square().sum()))(many) for pool in (Pooled.apply, theirs))
    )
