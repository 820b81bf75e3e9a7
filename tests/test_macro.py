"""The chain of NAS-Bench-Macro: sizes counted by hand, by torch and by the release; the network against one written out
in plain torch; classes by brute force; and what cannot stand where widths change."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import methods
from bench.errors import BadGenotype, BadSpace
from bench.nets.macro import MacroNetwork
from bench.nets.operations import Norm
from bench.runs.run import Settings, execute
from bench.spaces.cells import CellSpace
from bench.spaces.layout import RELEASED_MACRO, Shape
from bench.spaces.macro import CELLS, SPACE
from bench.spaces.space import CellType, Genotype, Region
from bench.store.spec import with_settings
from bench.truth import counts
from tests import contract, tiny

SHAPE = Shape(channels=4, cells=1, classes=10, image_channels=3, image_size=32)
FIRST = (0, 2, 5)  # layers that begin a stage
SOME = ("00000000", "12121212", "22222222", "20102010", "01020102", "10000221")


# The space


def test_there_are_as_many_architectures_as_digits_allow() -> None:
    every = list(itertools.product(range(3), repeat=8))
    assert list(SPACE.population) == every
    assert SPACE.size == len(every) == 6_561
    for genotype in every[::97]:
        assert SPACE.parse(SPACE.show(genotype)) == genotype
    assert SPACE.show((2, 2, 0, 1, 2, 2, 0, 1)) == "22012201"
    assert SPACE.parse("ir_5x5_t6,ir_5x5_t6,id,ir_3x3_t3,ir_5x5_t6,ir_5x5_t6,id,ir_3x3_t3") == (2, 2, 0, 1, 2, 2, 0, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2201220", "7 digits"),
        ("22013201", "3 at layer 4"),
        ("", "names 1 operations"),
        ("id,id,id,id,id,id,id,skip", "'skip' at edge 7"),
        ("²²⁰¹²²⁰¹", "names 1 operations"),
    ],
)
def test_what_is_no_architecture_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(BadGenotype) as caught:
        SPACE.parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def _reached_by_swaps(genotype: Genotype) -> frozenset[Genotype]:
    """All that follow from swapping, again and again, two neighbours in a stage of which one passes its input on; the
    first layer of a stage never does."""
    found, left = {genotype}, [genotype]
    while left:
        here = left.pop()
        for at in (3, 6):
            pair = here[at : at + 2]
            swapped = (*here[:at], *pair[::-1], *here[at + 2 :])
            if 0 in pair and swapped not in found:
                found.add(swapped)
                left.append(swapped)
    return frozenset(found)


def test_classes_are_what_swapping_identities_reaches() -> None:
    expected = {_reached_by_swaps(genotype) for genotype in SPACE.population}
    assert {frozenset(members) for members in SPACE.classes(SPACE.trained_class).values()} == expected
    assert len(expected) == 9 * 21 * 21 == 3_969


# Sizes


def _layer(op: int, inputs: int, outputs: int, side: int) -> tuple[int, int]:
    """Parameters and multiply-adds of one layer, as they are counted on paper. side: pixels of its output."""
    if op == 0:
        return (0, 0) if inputs == outputs else (inputs * outputs + 2 * outputs, inputs * outputs * side**2)
    size, wide = ((3, 3 * inputs), (5, 6 * inputs))[op - 1]
    before = side if inputs == outputs else 2 * side
    numbers = inputs * wide + size * size * wide + wide * outputs
    sums = inputs * wide * before**2 + (size * size * wide + wide * outputs) * side**2
    return numbers + 4 * wide + 2 * outputs, sums


def _by_hand(genotype: Genotype, c: int = 32, side: int = 32) -> tuple[int, int]:
    parameters, sums, inputs = 27 * c + 2 * c, 27 * c * side**2, c
    for layer, op in enumerate(genotype):
        outputs = 2 * inputs if layer in FIRST else inputs
        side = side // 2 if layer in FIRST else side
        own = _layer(op, inputs, outputs, side)
        parameters, sums, inputs = parameters + own[0], sums + own[1], outputs
    behind = 8 * c * 40 * c
    return parameters + behind + 80 * c + 400 * c + 10, sums + behind * side**2 + 400 * c


def test_sizes_are_those_that_are_counted_by_hand() -> None:
    for genotype in list(SPACE.population)[::41]:
        for shape, c in ((RELEASED_MACRO, 32), (SHAPE, 4)):
            found = counts.parameters(SPACE, genotype, shape), counts.multiply_adds(SPACE, genotype, shape)
            assert found == _by_hand(genotype, c)


@pytest.mark.parametrize(
    ("text", "parameters", "multiply_adds"),
    [
        # stem 928, id 2,176 + 8,448 + 33,280, last 330,240, head 12,810; 884,736 + 3 * 524,288 + 5,242,880 + 12,800
        ("00000000", 387_882, 7_713_280),
        # 403,712 more: 2 * 256 * 768 + 9 * 768 kernels, 4 * 768 + 2 * 256 scales and shifts; on 4 x 4 pixels
        ("00000001", 791_594, 14_115_328),
        ("00000002", 1_219_370, 20_910_592),
    ],
)
def test_sizes_are_the_released_ones(text: str, parameters: int, multiply_adds: int) -> None:
    genotype = SPACE.parse(text)
    assert counts.parameters(SPACE, genotype, RELEASED_MACRO) == parameters
    assert counts.multiply_adds(SPACE, genotype, RELEASED_MACRO) == multiply_adds


def test_sizes_order_architectures_as_the_released_networks() -> None:
    """They lack what all architectures share, and nothing else."""
    own = [dataclasses.astuple(SPACE.sizes(genotype)) for genotype in SPACE.population]
    whole = [_by_hand(genotype) for genotype in SPACE.population]
    shared = np.array(whole) - np.array(own)
    assert (shared == shared[0]).all()


def test_multiply_adds_are_those_of_torchs_counter() -> None:
    net = MacroNetwork(SPACE, SHAPE, Norm(), 0)
    for region in (SPACE.region, *(SPACE.alone(SPACE.parse(text)) for text in SOME)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.zeros(3, 3, 32, 32), None, region)
        assert counter.get_total_flops() == 2 * 3 * net.multiply_adds(region)


# The network


def _block(op: int, inputs: int, outputs: int) -> nn.Sequential:
    stride = 1 if inputs == outputs else 2
    if op == 0:
        projected = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        return nn.Sequential(*([] if stride == 1 else projected))
    size, wide = ((3, 3 * inputs), (5, 6 * inputs))[op - 1]
    deep = nn.Conv2d(wide, wide, size, stride, size // 2, groups=wide, bias=False)
    return nn.Sequential(
        *(nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()),
        *(deep, nn.BatchNorm2d(wide), nn.ReLU()),
        *(nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
    )


class Plain(nn.Module):
    """One architecture in torch's own layers."""

    def __init__(self, genotype: Genotype, c: int, classes: int) -> None:
        super().__init__()
        widths = [c, *(c << (1 + sum(layer >= first for first in FIRST[1:])) for layer in range(8))]
        self.stem = nn.Sequential(nn.Conv2d(3, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU())
        self.layers = nn.ModuleList(_block(op, *widths[n : n + 2]) for n, op in enumerate(genotype))
        self.added = [op > 0 and n not in FIRST for n, op in enumerate(genotype)]
        self.last = nn.Sequential(nn.Conv2d(8 * c, 40 * c, 1, bias=False), nn.BatchNorm2d(40 * c), nn.ReLU())
        self.head = nn.Linear(40 * c, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for layer, added in zip(self.layers, self.added, strict=True):
            x = x + layer(x) if added else layer(x)
        logits: Tensor = self.head(self.last(x).mean((2, 3)))
        return logits


def _plain(net: MacroNetwork, genotype: Genotype) -> Plain:
    """It, with the weights of a supernet."""
    plain = Plain(genotype, SHAPE.channels, SHAPE.classes).double()
    searched = [p for e, op in enumerate(genotype) for owner, own, p in net.owned() if (owner, own) == (e, op)]
    kernels = [net.stem, *searched, net.last]
    convolutions = [module for module in plain.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for module, kernel in zip(convolutions, kernels, strict=True):
            module.weight.copy_(kernel)
        plain.head.load_state_dict(net.head.state_dict())
    return plain


@pytest.mark.parametrize("text", SOME)
def test_one_architecture_is_the_network_written_out_by_hand(text: str) -> None:
    """Logits and the gradient of every kernel, from the supernet of the space, of the architecture, and with theta."""
    genotype = SPACE.parse(text)
    net, alone = (MacroNetwork(SPACE, SHAPE, Norm(), 3, region=r).double() for r in (None, SPACE.alone(genotype)))
    plain, images = _plain(net, genotype), torch.randn(5, 3, 32, 32, generator=_generator(), dtype=torch.float64)
    theta = torch.zeros(8, 3, dtype=torch.float64)
    theta[torch.arange(8), list(genotype)] = 1
    expected = plain(images)
    torch.testing.assert_close(net(images, theta, SPACE.region), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(net(images, None, SPACE.alone(genotype)), expected, rtol=0, atol=1e-9)
    own = alone(images, None, SPACE.alone(genotype))
    torch.testing.assert_close(own, expected, rtol=0, atol=1e-9)
    for logits in (expected, own):
        (logits**2).sum().backward()
    kernels = [module.weight.grad for module in plain.modules() if isinstance(module, nn.Conv2d)]
    for mine, theirs in zip([alone.stem, *(p for _, _, p in alone.owned()), alone.last], kernels, strict=True):
        torch.testing.assert_close(mine.grad, theirs, rtol=1e-9, atol=1e-9)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_network_that_is_trained_alone_has_the_parameters_that_are_counted() -> None:
    for text in SOME:
        genotype = SPACE.parse(text)
        net = MacroNetwork(SPACE, SHAPE, Norm("running", affine=True), 0, region=SPACE.alone(genotype))
        assert sum(p.numel() for p in net.parameters()) == counts.parameters(SPACE, genotype, SHAPE)


def test_a_network_of_one_architecture_has_its_weights_alone_and_starts_alike() -> None:
    whole = dict(MacroNetwork(SPACE, SHAPE, Norm(), 3).named_parameters())
    own = dict(MacroNetwork(SPACE, SHAPE, Norm(), 3, region=SPACE.alone((2, 1, 0, 0, 2, 1, 1, 0))).named_parameters())
    assert set(own) < set(whole)
    assert all(torch.equal(value, whole[name]) for name, value in own.items())


@pytest.mark.parametrize("side", [8, 28])
def test_images_of_other_sizes_pass(side: int) -> None:
    """Also where a side is odd on the way."""
    net = MacroNetwork(SPACE, dataclasses.replace(SHAPE, image_size=side), Norm(), 0)
    loss = net(torch.randn(4, 3, side, side, generator=_generator()), None, SPACE.region).square().sum()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


# What cannot be


def test_an_operation_that_cannot_change_the_width_is_refused() -> None:
    with pytest.raises(BadSpace, match="'sep_conv_3x3' gives as many channels as it takes: 32 cannot become 64"):
        dataclasses.replace(SPACE, ops=("id", "sep_conv_3x3"))
    with pytest.raises(BadSpace, match="cell type"):
        dataclasses.replace(SPACE, cells=(*CELLS[:2], CellType("stage3", 1, 3, "last", 2)))


def test_a_stage_that_gives_nothing_is_zero_at_its_width() -> None:
    space: CellSpace = dataclasses.replace(SPACE, ops=("none", *SPACE.ops))
    net = MacroNetwork(space, SHAPE, Norm(), 0)
    dropped = Region.of([{0} if e == 3 else {1} for e in range(8)])
    images = torch.randn(2, 3, 32, 32, generator=_generator())
    logits = net(images, None, dropped)
    torch.testing.assert_close(logits, net.head.bias.expand(2, -1))


@pytest.mark.usefixtures("images_once")
@pytest.mark.parametrize(("rows", "status"), [(3, "done"), (2, "failed")])
def test_fade_takes_a_row_a_stage(rows: int, status: str, tmp_path: Path) -> None:
    method: Any = with_settings(contract.smaller(methods.get("fade", "macro")), {"rows": str(rows)})
    record = execute(tiny.spec(method, 0, "macro", contract.SCALE), Settings(tmp_path, device="cpu"))
    assert record.status == status
    assert "\n" not in record.message
    assert (record.cost["forward_images"] == 0) == (status == "failed")
