"""Networks on images of any side, with any number of channels and classes: what they compute, and what that costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import bench
from bench import spaces
from bench.images.batches import Batch
from bench.nets import sweep
from bench.nets.convolve import even, halved
from bench.nets.nb201 import NB201Network
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet, network_of
from bench.spaces.layout import Shape
from bench.spaces.operations import strided
from bench.spaces.toy import SPACE as TOY
from bench.truth import standalone
from bench.truth.plain import OneByOne
from bench.truth.recipe import Recipe
from bench.truth.stacked import SeedStack
from tests.test_plain import in_order
from tests.test_standalone import CELLS, of_seed

SIDES = (1, 2, 3, 5, 7, 10, 17)


def _net(space: str, side: int, lean: bool = True) -> Supernet:
    made = spaces.get(space)
    return network_of(made)(made, Shape(4, 1, 17, 2, side), Norm(), 0, lean=lean)


def _images(count: int, side: int, dtype: torch.dtype = torch.float64) -> Tensor:
    drawn = torch.randn(count, 2, side, side, generator=torch.Generator().manual_seed(side), dtype=dtype)
    return drawn.contiguous(memory_format=torch.channels_last)


def test_pixels_behind_a_stride_are_counted_by_the_convolution() -> None:
    for side in range(1, 20):
        for size in (1, 3, 5):
            image, kernel = torch.ones(1, 1, side, side), torch.ones(1, 1, size, size)
            assert F.conv2d(image, kernel, stride=2, padding=size // 2).shape[-1] == strided(side, 2)


@pytest.mark.parametrize("side", [1, 2, 5, 8])
def test_halving_takes_the_mean_of_what_there_is(side: int) -> None:
    x = _images(3, side)
    found = halved(x)
    for i in range(strided(side, 2)):
        for j in range(strided(side, 2)):
            expected = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((2, 3))
            torch.testing.assert_close(found[:, :, i, j], expected)
    assert even(x).shape[-1] == 2 * strided(side, 2)
    assert (even(x)[:, :, :side, :side] == x).all()
    assert even(x).sum() == pytest.approx(float(x.sum()))


@pytest.mark.parametrize("space", ["nb201", "macro", "toy-darts"])
@pytest.mark.parametrize("side", SIDES)
def test_the_lean_form_is_the_plain_one_at_any_side(space: str, side: int) -> None:
    lean, plain = (_net(space, side, form).double() for form in (True, False))
    images, region = _images(4, side), lean.space.region
    theta = torch.rand(len(lean.space.edges), len(lean.space.ops), generator=torch.Generator().manual_seed(0)).double()
    logits = [net(images, theta, region) for net in (lean, plain)]
    assert logits[0].shape == (4, 17)
    torch.testing.assert_close(*logits, rtol=0, atol=1e-10)
    for made in logits:
        made.square().sum().backward()
    for (name, one), other in zip(lean.named_parameters(), plain.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None and other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-8, atol=1e-8, msg=name)


@pytest.mark.parametrize(
    ("space", "side"),
    [(space, side) for space in ("nb201", "toy-darts") for side in SIDES] + [("macro", side) for side in (9, 10, 17)],
)
def test_costs_are_those_of_the_network_at_any_side(space: str, side: int) -> None:
    """Of the chain from 9 pixels on: the counter does not see a product that stands for a convolution of one pixel."""
    net = _net(space, side, lean=False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(_images(2, side, torch.float32), None, net.space.region)
    assert counter.get_total_flops() == 4 * net.multiply_adds(net.space.region)  # two images, two each


@pytest.mark.parametrize("norm", [Norm(), Norm("running")])
@pytest.mark.parametrize("side", [3, 7, 10])
def test_the_sweep_scores_as_the_supernet_does_at_any_side(side: int, norm: Norm) -> None:
    net = network_of(TOY)(TOY, Shape(4, 1, 17, 2, side), norm, 0).double().eval()
    batch = Batch(_images(6, side), torch.arange(6))
    genotypes = list(TOY.population)[::9]
    found = sweep.scores(net, [batch], genotypes)
    expected = sweep._one_by_one(net, [batch], genotypes, lambda share: None)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("side", [3, 7])
def test_networks_trained_alone_are_the_same_in_both_forms(side: int) -> None:
    space, images = spaces.get("nb201"), _images(8, side)
    recipe = Recipe(channels=4, images=8, batch=4, passes=1, warmup=0.1)
    made = (space, CELLS[0], (0,), recipe.shape(images, 3), torch.float64)
    fast, plain = SeedStack(*made), OneByOne(*made)
    (net,) = plain.nets
    assert isinstance(net, NB201Network)
    with torch.no_grad():
        for mine, its in zip(in_order(net), fast.parts(), strict=True):
            mine.copy_(of_seed(its, 0, 1).view_as(mine))
    train_set = standalone.Labelled(images, torch.arange(8) % 3)
    for form in (fast, plain):
        form.descend(recipe, train_set)
    with torch.no_grad():
        torch.testing.assert_close(plain.logits(images), fast.logits(images), rtol=0, atol=1e-8)


@pytest.mark.parametrize("space", ["nb201", "toy-darts"])
def test_a_search_on_odd_images_of_two_channels_and_many_classes(space: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(170) % 17
    pixels = (labels[:, None, None, None] * 12 + rng.integers(0, 40, (170, 7, 7, 2))).astype(np.uint8)
    np.savez(tmp_path / "many.npz", images=pixels, labels=labels)
    found = bench.run(
        "snas",
        dataset=f"npz:{tmp_path / 'many.npz'}",
        space=space,
        scale="smoke",
        settings={"training.batch": "16"},
        results=tmp_path / "results",
        device="cpu",
    )
    assert found.record.status == "done"
    assert found.record.message == ""
    assert found.estimates["accuracy"].between(0, 1).all()
    assert found.record.place["searched_images"] == [102, 34]
