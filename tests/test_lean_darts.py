"""The lean form of the cells of DARTS against the plain form, which defines it, and its parts against torch's own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.nets import maps
from bench.nets.darts import DartsNetwork
from bench.nets.lean_darts import LeanDartsCell, serves
from bench.nets.maps import PLANES, STACKS, Depthwise, Maps
from bench.nets.operations import Norm
from bench.spaces import darts, nb201
from bench.spaces.darts import WITH_NONE
from bench.spaces.layout import Shape
from bench.spaces.space import Region
from bench.spaces.toy_darts import SPACE as TOY
from bench.spaces.two_inputs import TwoInputs


def _both(space: TwoInputs, size: int, channels: int = 3) -> tuple[DartsNetwork, DartsNetwork]:
    shape = Shape(channels, cells=1, classes=4, image_channels=2, image_size=size)
    lean, plain = (DartsNetwork(space, shape, Norm(), 1, lean=form).double() for form in (True, False))
    assert all(
        isinstance(cell, LeanDartsCell) is form for net, form in ((lean, True), (plain, False)) for cell in net.blocks()
    )
    return lean, plain


def _outcome(net: DartsNetwork, theta: Tensor | None, region: Region, size: int) -> list[Tensor | None]:
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(4, 2, size, size, generator=generator, dtype=torch.float64)
    loss = F.cross_entropy(net(images, theta, region), torch.arange(4))
    wanted = [*net.parameters(), *([] if theta is None else [theta])]
    return [loss.detach(), *torch.autograd.grad(loss, wanted, allow_unused=True)]


def _assert_equal(space: TwoInputs, size: int, region: Region, weighted: bool, channels: int = 3) -> None:
    """Loss and every gradient within 1e-10; and the same weights have none."""
    theta = None
    if weighted:
        numbers = torch.randn(len(space.edges), len(space.ops), generator=torch.Generator().manual_seed(2))
        theta = numbers.double().softmax(-1).requires_grad_()
    for ours, theirs in zip(*(_outcome(net, theta, region, size) for net in _both(space, size, channels)), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("size", "channels"), [(8, 3), (16, 4), (8, 1)])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_lean_form_is_the_plain_form(size: int, channels: int, weighted: bool) -> None:
    """At 8 pixels everything is a matrix product; at 16 the first cells are torch's convolutions; one channel has a
    factorised reduction of one half."""
    _assert_equal(WITH_NONE, size, WITH_NONE.region, weighted, channels)


narrow = st.lists(st.frozensets(st.integers(0, 3), min_size=1), min_size=10, max_size=10).map(Region.of)


@settings(max_examples=15, deadline=None)
@given(narrow, st.booleans())
def test_on_any_region_too(region: Region, weighted: bool) -> None:
    """Edges without an operation, nodes without an input, cells that give zero."""
    _assert_equal(dataclasses.replace(TOY, name="all", may=()), 8, region, weighted)


def test_on_architectures_alone() -> None:
    space, rng = darts.SPACE, np.random.default_rng(4)
    for _ in range(2):
        _assert_equal(space, 8, space.alone(space.sample(space.region, rng)), weighted=False)


def test_a_cell_of_pixels_is_a_cell_of_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of laying out maps on images of one size."""
    monkeypatch.setattr(maps, "MOST_PIXELS", 0)
    _assert_equal(WITH_NONE, 8, WITH_NONE.region, weighted=True)


def test_what_it_does_not_know_is_left_to_the_plain_form() -> None:
    assert serves(WITH_NONE, Norm())
    assert not any(serves(WITH_NONE, norm) for norm in (Norm("running"), Norm(affine=True)))
    assert not serves(nb201.SPACE, Norm())


@pytest.mark.parametrize("ways", [PLANES, STACKS], ids=["planes", "stacks"])
@pytest.mark.parametrize(("size", "dilation"), [(3, 1), (5, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [2, 4, 8])
def test_depthwise_and_1x1_kernels_on_maps(ways: Maps, size: int, dilation: int, stride: int, side: int) -> None:
    """On shared maps, and on maps of their own, against one convolution after the other."""
    generator = torch.Generator().manual_seed(size)
    deep = [torch.randn(3, 1, size, size, generator=generator, dtype=torch.float64) for _ in range(2)]
    mixing = [torch.randn(5, 3, 1, 1, generator=generator, dtype=torch.float64) for _ in range(2)]
    x = torch.randn(2, 6, side, side, generator=generator, dtype=torch.float64)
    for shared in (True, False):
        sources = [x[:, :3]] * 2 if shared else [x[:, :3], x[:, 3:]]
        padding = dilation * (size // 2)
        wanted = [
            F.conv2d(F.conv2d(source, kernel, None, stride, padding, dilation, groups=3), mix)
            for source, kernel, mix in zip(sources, deep, mixing, strict=True)
        ]
        kinds = [Depthwise([kernel], stride, dilation) for kernel in deep]
        y = ways.separable(ways.of(x[:, :3] if shared else x), kinds, mixing, shared)
        torch.testing.assert_close(ways.images(y), torch.cat(wanted, 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [2, 4, 8])
def test_pooling_of_planes(stride: int, side: int) -> None:
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side), dtype=torch.float64)
    planes = PLANES.of(x)
    torch.testing.assert_close(PLANES.images(PLANES.maximum(planes, stride)), F.max_pool2d(x, 3, stride, 1))
    averages = F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    torch.testing.assert_close(PLANES.images(PLANES.average(planes, stride)), averages)
