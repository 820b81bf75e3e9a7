"""The multi-seed trainer against one-by-one recipe, and against a plain network with torch's own optimiser."""

from __future__ import annotations

import csv
import gzip
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.images import patches
from bench.nets.streams import torch_stream
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE
from bench.streams import numpy_stream
from bench.truth import standalone
from bench.truth.counts import multiply_adds, parameters
from bench.truth.recipe import Labelled, Recipe, learning_rate
from bench.truth.stacked import SeedStack

Genotype = tuple[int, ...]

CELLS: tuple[Genotype, ...] = (
    (3, 1, 3, 2, 4, 1),
    (2, 4, 1, 3, 3, 2),
    (4, 0, 3, 0, 4, 2),
    (1, 1, 1, 1, 1, 1),
    (0, 0, 0, 0, 0, 0),
    (3, 3, 0, 0, 0, 4),  # edge 0 leads nowhere
)
NOWHERE = CELLS[5]
TINY = Recipe(channels=4, cells=1, images=44, passes=2, batch=8, learning_rate=0.1, warmup=0.1)
CLASSES = 5
SHAPE = Shape(4, 2, CLASSES, 2, 8)

DATA = Path(os.environ.get("SUPERNET_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny kernels are slower on several threads, much slower when the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def images(count: int, seed: int, dtype: torch.dtype = torch.float64) -> Labelled:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 2, 8, 8, generator=generator, dtype=torch.float64)
    return Labelled(x.to(dtype), torch.randint(CLASSES, (count,), generator=generator))


# The second implementation: modules, one seed, one operation per edge, nothing shared and nothing left out.


class ReluConvNorm(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        super().__init__(nn.ReLU(), conv, nn.BatchNorm2d(outputs))


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.0


class Cell(nn.Module):
    """Every edge of the cell as its own module; an edge off all paths is an operation like any other."""

    def __init__(self, genotype: Genotype, width: int) -> None:
        super().__init__()
        makers = (
            Zero,
            nn.Identity,
            lambda: ReluConvNorm(width, width, 1),
            lambda: ReluConvNorm(width, width, 3),
            lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        )
        self.edges = nn.ModuleList(makers[op]() for op in genotype)

    def forward(self, x: Tensor) -> Tensor:
        e = self.edges
        first = e[0](x)
        second = e[1](x) + e[2](first)
        return e[3](x) + e[4](first) + e[5](second)


class Reduction(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.a = ReluConvNorm(inputs, 2 * inputs, 3, 2)
        self.b = ReluConvNorm(2 * inputs, 2 * inputs, 3)
        self.skip = nn.Conv2d(inputs, 2 * inputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x)) + self.skip(nn.functional.avg_pool2d(x, 2))


class Plain(nn.Module):
    def __init__(self, genotype: Genotype, recipe: Recipe) -> None:
        super().__init__()
        width = recipe.channels
        self.stem = nn.Sequential(nn.Conv2d(2, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))
        self.stages = nn.ModuleList()
        for stage in range(3):
            blocks: list[nn.Module] = []
            if stage:
                blocks.append(Reduction(width))
                width *= 2
            blocks += [Cell(genotype, width) for _ in range(recipe.cells)]
            self.stages.append(nn.Sequential(*blocks))
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(self.last(x))

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """By the names of the trainer's streams."""
        named = {"stem": self.stem[0]}
        for number, stage in enumerate(self.stages):
            cells = list(stage)
            if number:
                reduction = cells.pop(0)
                named |= {f"{number}/reduce/a": reduction.a[1], f"{number}/reduce/b": reduction.b[1]}
                named[f"{number}/reduce/skip"] = reduction.skip
            for place, cell in enumerate(cells):
                for edge, op in enumerate(cell.edges):
                    if isinstance(op, ReluConvNorm):
                        named[f"{number}/{place}/{edge}"] = op[1]
        return named

    def start(self, seed: int) -> None:
        """The initial weights that the trainer documents: He-normal by fan-out; the head as nn.Linear's default."""
        for name, conv in self.convolutions().items():
            fan_out = conv.out_channels * conv.kernel_size[0] ** 2
            draw = torch.randn(conv.weight.shape, generator=torch_stream(seed, name)) * (2 / fan_out) ** 0.5
            conv.weight.data = draw.double()
        width, classes = self.head.in_features, self.head.out_features
        draw = (torch.rand(width, classes, generator=torch_stream(seed, "head")) * 2 - 1) * width**-0.5
        self.head.weight.data = draw.double().T.contiguous()
        self.head.bias.data.zero_()


def train_plain(genotype: Genotype, seed: int, recipe: Recipe, split: Labelled) -> Plain:
    net = Plain(genotype, recipe).double()
    net.start(seed)
    sgd = torch.optim.SGD(
        net.parameters(), lr=1.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    rng = numpy_stream(seed, "order")
    per_pass = recipe.images // recipe.batch
    steps = recipe.passes * per_pass
    for step in range(steps):
        if step % per_pass == 0:
            batches = torch.from_numpy(rng.permutation(recipe.images)).split(recipe.batch)
        chosen = batches[step % per_pass]
        warm = min(1.0, (step + 1) / (recipe.warmup * steps + 1))
        sgd.param_groups[0]["lr"] = recipe.learning_rate * warm * (1 + math.cos(math.pi * step / steps)) / 2
        loss = nn.functional.cross_entropy(net(split.images[chosen]), split.labels[chosen])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return net.eval()


def of_seed(part: Tensor, place: int, seeds: int) -> Tensor:
    """One seed's share of one of `SeedStack.parts`, laid out as torch's modules do."""
    if part.ndim == 4:
        return part.unflatten(0, (seeds, -1))[place].permute(0, 3, 1, 2)
    if part.ndim == 3:
        return part[place].T.squeeze(1) if part.shape[1] == 1 else part[place].T
    return part.unflatten(0, (seeds, -1))[place]


@pytest.mark.parametrize("genotype", CELLS)
def test_equals_the_plain_network_trained_by_torch(genotype: Genotype) -> None:
    train_set, test_set = images(44, 0), images(60, 1)
    seeds = (3, 8)
    stack = SeedStack(SPACE, genotype, seeds, TINY.shape(train_set.images, CLASSES), torch.float64)
    stack.descend(TINY, train_set)
    outcome = standalone.train(SPACE, genotype, seeds, TINY, train_set, {"test": test_set}, CLASSES)
    for place, seed in enumerate(seeds):
        plain = train_plain(genotype, seed, TINY, train_set)
        with torch.no_grad():
            logits = plain(test_set.images)
        loss = nn.functional.cross_entropy(logits, test_set.labels).item()
        assert outcome.cross_entropy["test"][place] == pytest.approx(loss, abs=1e-8)
        right = (logits.argmax(1) == test_set.labels).double().mean().item()
        assert outcome.accuracy["test"][place] == pytest.approx(100 * right)
        used = [p for name, p in plain.named_parameters() if not (genotype == NOWHERE and ".edges.0." in name)]
        for part, parameter in zip(stack.parts(), used, strict=True):
            assert torch.allclose(of_seed(part, place, len(seeds)), parameter, rtol=0, atol=1e-8)


@pytest.mark.parametrize("genotype", CELLS[:2])
def test_a_seed_does_not_depend_on_its_company(genotype: Genotype) -> None:
    sets = images(44, 0), {"valid": images(30, 2), "test": images(60, 1)}
    together = standalone.train(SPACE, genotype, (5, 0, 7), TINY, *sets, CLASSES)
    for place, seed in enumerate((5, 0, 7)):
        alone = standalone.train(SPACE, genotype, (seed,), TINY, *sets, CLASSES)
        for name in ("valid", "test"):
            assert together.cross_entropy[name][place] == pytest.approx(alone.cross_entropy[name][0], abs=1e-9)
            assert together.accuracy[name][place] == alone.accuracy[name][0]
    assert len(set(together.cross_entropy["test"])) == 3


def test_an_operation_off_all_paths_changes_nothing() -> None:
    sets = images(44, 0), {"test": images(60, 1)}
    whole = standalone.train(SPACE, NOWHERE, (1,), TINY, *sets, CLASSES)
    live = standalone.train(SPACE, (0, 3, 0, 0, 0, 4), (1,), TINY, *sets, CLASSES)
    assert whole.cross_entropy["test"] == live.cross_entropy["test"]


@pytest.mark.parametrize("channels", [4, 16])
def test_a_seed_that_diverges_is_nan_and_leaves_the_others_alone(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(channels=channels, cells=1, images=44, batch=8)
    sets = images(44, 0, torch.float32), {"valid": images(30, 2, torch.float32)}
    healthy = standalone.train(SPACE, CELLS[0], (0, 1, 2), recipe, *sets, CLASSES)

    def broken(net: SeedStack, recipe: Recipe, train_set: Labelled) -> None:
        with torch.no_grad():
            of_seed(net.parts()[0], 1, 3).fill_(math.inf)
        descend(net, recipe, train_set)

    descend = SeedStack.descend
    monkeypatch.setattr(SeedStack, "descend", broken)
    outcome = standalone.train(SPACE, CELLS[0], (0, 1, 2), recipe, *sets, CLASSES)
    for found, expected in (
        (outcome.accuracy["valid"], healthy.accuracy["valid"]),
        (outcome.cross_entropy["valid"], healthy.cross_entropy["valid"]),
    ):
        assert np.isnan(found).tolist() == [False, True, False]
        assert found[[0, 2]].tolist() == expected[[0, 2]].tolist()


def test_training_learns() -> None:
    pixels, labels = patches.draw(2_600, 0)
    x = (torch.from_numpy(pixels).float() / 255 - patches.MEAN) / patches.STD
    y = torch.from_numpy(labels)
    recipe = Recipe(channels=8, cells=1, images=2_000, passes=3, batch=50)
    sets = Labelled(x[:2_000], y[:2_000]), {"test": Labelled(x[2_000:], y[2_000:])}
    good = standalone.train(SPACE, (3, 0, 3, 1, 0, 3), (0,), recipe, *sets, patches.CLASSES)
    cut_off = standalone.train(SPACE, (0, 0, 0, 0, 0, 0), (0,), recipe, *sets, patches.CLASSES)
    assert good.accuracy["test"][0] > 50
    assert cut_off.accuracy["test"][0] < 20
    assert cut_off.cross_entropy["test"][0] == pytest.approx(math.log(10), abs=0.05)


def test_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(step, 100, 0.2, 0.05) for step in range(101)]
    assert rates[0] == pytest.approx(0.2 / 6)
    assert rates[5] == pytest.approx(0.2 * (1 + math.cos(math.pi * 0.05)) / 2)
    assert rates[50] == pytest.approx(0.1)
    assert rates[100] == pytest.approx(0.0)
    assert max(rates) == rates[5]


@pytest.mark.parametrize("genotype", CELLS[:5])
def test_parameters_are_those_that_are_trained(genotype: Genotype) -> None:
    live = SPACE.live(genotype)
    stack = SeedStack(SPACE, live, (0, 1), SHAPE)
    plain = Plain(live, Recipe(channels=4, cells=2))
    assert parameters(SPACE, live, SHAPE) * 2 == stack.weights.numel()
    assert parameters(SPACE, live, SHAPE) == sum(p.numel() for p in plain.parameters())


def test_multiply_adds_by_hooks() -> None:
    counted = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal counted
        per_output = module.weight[0].numel()
        counted += per_output * output[0].numel()

    plain = Plain(CELLS[1], Recipe(channels=4, cells=2))
    for module in plain.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    plain.eval()(torch.zeros(1, 2, 8, 8))
    assert multiply_adds(SPACE, CELLS[1], SHAPE) == counted


@pytest.mark.reproducibility
def test_counts_are_the_released_ones() -> None:
    path = DATA / "nb201.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is absent; set SUPERNET_BENCH_DATA")
    official = Shape(channels=16, cells=5, classes=10, image_channels=3, image_size=32)
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15_625
    for row in rows:
        genotype = SPACE.parse(row["arch"])
        assert parameters(SPACE, genotype, official) == round(1e6 * float(row["params_m"]))
        assert multiply_adds(SPACE, genotype, official) == round(1e6 * float(row["flops_m"]))
