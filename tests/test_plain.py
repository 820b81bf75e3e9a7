"""The plain form of the stand-alone trainer: it is the fast form's definition, and it serves any space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.nets.nb201 import NB201Network
from bench.nets.operations import NormalisedPool
from bench.spaces import nb201, toy, toy_darts
from bench.spaces.layout import Shape
from bench.truth import standalone
from bench.truth.counts import multiply_adds, parameters
from bench.truth.plain import OneByOne
from bench.truth.recipe import Recipe
from bench.truth.stacked import SeedStack
from tests.test_standalone import CELLS, CLASSES, images, of_seed, one_thread

__all__ = ["one_thread"]

TINY = Recipe(channels=4, images=32, batch=8, passes=1, warmup=0.1)
DARTS = toy_darts.SPACE


def in_order(net: NB201Network) -> Iterator[Tensor]:
    """The weights of a supernet of one architecture in the order of `SeedStack.parts`."""
    yield from (net.stem, net.stem_norm.weight, net.stem_norm.bias)
    for stage, cells in enumerate(net.stages):
        if stage:
            block = net.reductions[stage - 1]
            for kernel, norm in ((block.first, block.first_norm), (block.second, block.second_norm)):
                yield from (kernel, norm.weight, norm.bias)
            yield block.shortcut
        for cell in cells:
            for name in sorted(cell.weighted):
                conv = cell.weighted[name]
                yield from (conv.kernel, *conv.norm.affine)
    yield from (net.head_norm.weight, net.head_norm.bias, net.head.weight, net.head.bias)


@pytest.mark.parametrize("genotype", CELLS[:5])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_plain_and_fast_agree_from_equal_weights(genotype: tuple[int, ...], clip: float | None) -> None:
    train_set, test_set, seeds, recipe = images(32, 0), images(40, 1), (3, 8), replace(TINY, clip=clip)
    made = (nb201.SPACE, genotype, seeds, recipe.shape(train_set.images, CLASSES), torch.float64)
    fast, plain = SeedStack(*made), OneByOne(*made)
    with torch.no_grad():
        for place, net in enumerate(plain.nets):
            assert isinstance(net, NB201Network)
            for mine, its in zip(in_order(net), fast.parts(), strict=True):
                mine.copy_(of_seed(its, place, len(seeds)).view_as(mine))
        torch.testing.assert_close(plain.logits(test_set.images), fast.logits(test_set.images), rtol=0, atol=1e-10)
    before = fast.weights.detach().clone()
    fast.descend(recipe, train_set)
    plain.descend(recipe, train_set)
    assert not torch.equal(before, fast.weights)
    with torch.no_grad():
        torch.testing.assert_close(plain.logits(test_set.images), fast.logits(test_set.images), rtol=0, atol=1e-8)


def test_clipping_shortens_the_gradient_of_every_seed() -> None:
    """One step without momentum, warm-up or decay moves the weights of each seed by rate times `clip`."""
    recipe = Recipe(channels=4, images=8, batch=8, warmup=0, momentum=1e-9, weight_decay=0, learning_rate=1, clip=0.01)
    train_set = images(8, 0)
    made = (nb201.SPACE, CELLS[0], (3, 8), recipe.shape(train_set.images, CLASSES), torch.float64)
    fast, plain = SeedStack(*made), OneByOne(*made)
    before = [part.clone() for part in fast.parts()]
    started = [[p.detach().clone() for p in net.parameters()] for net in plain.nets]
    fast.descend(recipe, train_set)
    plain.descend(recipe, train_set)
    for place, net in enumerate(plain.nets):
        moved = [of_seed(b - a, place, 2).flatten() for a, b in zip(before, fast.parts(), strict=True)]
        its = [(b - a).flatten() for a, b in zip(started[place], net.parameters(), strict=True)]
        for steps in (moved, its):
            assert torch.cat(steps).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_the_fast_form_is_taken_where_there_is_one() -> None:
    assert standalone.form_of(nb201.SPACE) is standalone.form_of(toy.SPACE) is SeedStack
    assert standalone.form_of(DARTS) is OneByOne


def test_a_seed_does_not_depend_on_its_company() -> None:
    genotype = DARTS.population.at(100)
    sets = images(32, 0), {"test": images(40, 1)}
    together = standalone.train(DARTS, genotype, (5, 0), TINY, *sets, CLASSES)
    alone = standalone.train(DARTS, genotype, (0,), TINY, *sets, CLASSES)
    assert together.cross_entropy["test"][1] == alone.cross_entropy["test"][0]
    assert together.cross_entropy["test"][0] != together.cross_entropy["test"][1]
    assert together.seconds > 0


def test_a_seed_that_diverges_is_nan_and_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    genotype = DARTS.population.at(7)
    sets = images(32, 0), {"test": images(40, 1)}
    descend = OneByOne.descend

    def broken(self: OneByOne, recipe: Recipe, train_set: standalone.Labelled) -> None:
        with torch.no_grad():
            next(iter(self.nets[0].parameters())).fill_(torch.inf)
        descend(self, recipe, train_set)

    monkeypatch.setattr(OneByOne, "descend", broken)
    outcome = standalone.train(DARTS, genotype, (0, 1), TINY, *sets, CLASSES)
    assert np.isnan(outcome.cross_entropy["test"]).tolist() == [True, False]
    assert np.isnan(outcome.accuracy["test"]).tolist() == [True, False]


@pytest.mark.parametrize("row", [0, 77, 239])
def test_counts_are_those_of_the_network_that_is_trained(row: int) -> None:
    """All but the scales and shifts behind poolings, which are no kernel's."""
    genotype, shape = DARTS.population.at(row), Shape(4, 2, CLASSES, 2, 8)
    (net,) = OneByOne(DARTS, genotype, (0,), shape).nets
    pools = [module for module in net.modules() if isinstance(module, NormalisedPool)]
    behind = sum(p.numel() for pool in pools for p in pool.parameters())
    assert parameters(DARTS, genotype, shape) == sum(p.numel() for p in net.parameters()) - behind
    assert multiply_adds(DARTS, genotype, shape) == net.multiply_adds(DARTS.alone(genotype))
    assert isinstance(net.head, nn.Linear)
