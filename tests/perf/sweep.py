"""Scoring the whole space on one supernet: `bench.nets.sweep` against the supernet called on every architecture.

Every form scores the same share of the space per call, so the ratio of times is that of the whole space. The share of
the naive forms is drawn at random; that of the sweep is made of runs of 75 neighbours spread over the space, so it
shares first cells as a whole sweep does but pays its set-up once per share: the whole space is a little faster.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from bench.images.batches import Batch
from bench.nets import nb201
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet
from bench.nets.sweep import scores
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE
from bench.spaces.space import Genotype, Region
from tests.perf.interleaved import table, timed

RUN = 75


def one_by_one(net: Supernet, batch: Batch, genotypes: list[Genotype]) -> Callable[[], object]:
    """The definition: accuracy and cross-entropy of each, alone."""
    regions = [Region.of([{op} for op in genotype]) for genotype in genotypes]

    @torch.no_grad()
    def score() -> list[tuple[float, float]]:
        rows = []
        for region in regions:
            logits = net(batch.images, None, region)
            nats = F.cross_entropy(logits, batch.labels)
            rows.append((float((logits.argmax(1) == batch.labels).float().mean()), float(nats)))
        return rows

    return score


def runs(genotypes: list[Genotype], count: int) -> list[Genotype]:
    """About `count` genotypes: runs of neighbours at equal distances."""
    pieces = max(1, round(count / RUN))
    starts = (np.arange(pieces) + 0.5) * len(genotypes) / pieces
    return [genotypes[int(start) + k] for start in starts for k in range(count // pieces)]


def drawn(genotypes: list[Genotype], share: int) -> list[Genotype]:
    """One in `share` at random, the same every time."""
    rows: NDArray[np.int64] = np.random.default_rng(0).permutation(len(genotypes))[: round(len(genotypes) / share)]
    return [genotypes[int(row)] for row in rows]


def main(rounds: int = 3, share: int = 20) -> None:
    """Print two numbers of images."""
    space = list(SPACE.population)
    live = [genotype for genotype in space if SPACE.live(genotype) == genotype]
    _, chosen = SPACE.functions(space)
    shape = Shape(8, 1, 10, 3, 8)
    for images in (500, 64):
        net = nb201.NB201Network(SPACE, shape, Norm(), seed=0).eval()
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randn(images, shape.image_channels, shape.image_size, shape.image_size, generator=generator)
        labels = torch.randint(0, shape.classes, (images,), generator=generator)
        batch = Batch(pixels.contiguous(memory_format=torch.channels_last), labels)
        swept = runs(chosen, round(len(chosen) / share))
        forms: dict[str, Callable[[], object]] = {
            f"all {len(space):,} one by one": one_by_one(net, batch, drawn(space, share)),
            f"{len(live):,} live cells": one_by_one(net, batch, drawn(live, share)),
            f"{len(chosen):,} functions, swept": partial(scores, net, [batch], swept),
        }
        timings = timed(forms, rounds, 1)
        title = (
            f"1/{share} of the space on {images} images, C={shape.channels} N={shape.cells} "
            f"{shape.image_size}x{shape.image_size}, fp32; whole space: "
            + ", ".join(f"{timing.median * share / 1_000:.0f} s" for timing in timings.values())
        )
        print(table(title, timings, next(iter(forms))), flush=True)
