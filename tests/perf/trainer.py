"""The stand-alone trainer: several seeds at once against one by one, per seed."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from bench.spaces.nb201 import SPACE
from bench.spaces.space import Genotype
from bench.truth.recipe import Labelled, Recipe
from bench.truth.stacked import SeedStack
from tests.perf.interleaved import Timing, table, timed
from tests.test_standalone import CLASSES, Plain

BATCH, STEPS = 64, 6
TOGETHER = (1, 3, 6, 12)
CELLS = 5


def cells() -> list[Genotype]:
    """Random cells, the same in every run."""
    rng = np.random.default_rng(0)
    return [SPACE.population.at(int(row)) for row in rng.choice(SPACE.size, CELLS, replace=False)]


def plain(genotype: Genotype, recipe: Recipe, images: Labelled) -> Callable[[], object]:
    """torch's modules and its own SGD, one seed, every operation computed: the definition."""
    net = Plain(genotype, recipe)
    sgd = torch.optim.SGD(net.parameters(), 0.1, recipe.momentum, 0.0, recipe.weight_decay, nesterov=True)

    def train() -> None:
        for x, y in zip(images.images.split(BATCH), images.labels.split(BATCH), strict=True):
            sgd.zero_grad()
            F.cross_entropy(net(x), y).backward()
            sgd.step()

    return train


def stacked(genotype: Genotype, seeds: int, recipe: Recipe, images: Labelled) -> Callable[[], object]:
    """The trainer with so many seeds at once."""
    net = SeedStack(SPACE, genotype, range(seeds), recipe.shape(images.images, CLASSES))
    return lambda: net.descend(recipe, images)


def per_seed_step(channels: int, rounds: int) -> dict[str, Timing]:
    """CPU ms per step and seed of every form, mean over the cells."""
    recipe = replace(Recipe(), channels=channels, batch=BATCH, images=STEPS * BATCH)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(STEPS * BATCH, 2, 8, 8, generator=generator)
    images = Labelled(drawn, torch.randint(CLASSES, (STEPS * BATCH,), generator=generator))
    measured = []
    for genotype in cells():
        forms = {"plain, one by one": plain(genotype, recipe, images)}
        forms |= {_name(seeds): stacked(genotype, seeds, recipe, images) for seeds in TOGETHER}
        measured.append(timed(forms, rounds, 1))
    return {name: _mean([one[name] for one in measured], seeds) for name, seeds in _seeds().items()}


def _name(seeds: int) -> str:
    return f"{seeds} seed{'s' if seeds > 1 else ''} at once"


def _seeds() -> dict[str, int]:
    return {"plain, one by one": 1, **{_name(seeds): seeds for seeds in TOGETHER}}


def _mean(timings: Sequence[Timing], seeds: int) -> Timing:
    rounds = zip(*(timing.rounds for timing in timings), strict=True)
    return Timing(timings[0].name, tuple(statistics.mean(each) / (STEPS * seeds) for each in rounds))


def main(rounds: int = 5) -> None:
    """Print both widths."""
    for channels in (8, 16):
        title = f"Stand-alone trainer, C={channels} N=1 8x8, batch {BATCH}: CPU ms per step and seed, {CELLS} cells"
        print(table(title, per_seed_step(channels, rounds), "plain, one by one"), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
