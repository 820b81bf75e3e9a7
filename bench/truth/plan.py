"""What a series of stand-alone trainings is: which classes of cells, in which order, on which images, from which seeds.

Cells that are one function when trained alone share one training. The classes come in a fixed random order, so
whatever is finished of them is a uniform sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.images import patches
from bench.spaces import nb201
from bench.spaces.space import Genotype
from bench.truth import standalone
from bench.truth.shards import COLUMNS, FORMAT, Row, Series, finite
from bench.truth.standalone import Split, Training

ORDER_SEED = 0
IMAGE_SEED = 0
TRAIN_PROBE = 2_000  # training images on which the training accuracy is taken, in evaluation mode


@dataclass(frozen=True)
class Plan:
    """Everything that decides the numbers of a series."""

    training: Training
    seeds: tuple[int, ...]
    train_images: int = 24_000
    valid_images: int = 6_000
    test_images: int = 6_000
    block: int = 64  # classes per shard


@dataclass(frozen=True)
class Images:
    """The image set as the trainer wants it, and its digest."""

    train: Split
    tests: dict[str, Split]  # train (the first TRAIN_PROBE images), valid, test
    digest: str


def load_images(plan: Plan) -> Images:
    """`patches`, normalised and split in the order drawn: train, valid, test."""
    sizes = [plan.train_images, plan.valid_images, plan.test_images]
    pixels, labels = patches.draw(sum(sizes), IMAGE_SEED)
    digest = hashlib.blake2b(pixels.tobytes() + labels.tobytes(), digest_size=8).hexdigest()
    x = (torch.from_numpy(pixels).float() / 255 - patches.MEAN) / patches.STD
    train, valid, test = map(Split, torch.split(x, sizes), torch.split(torch.from_numpy(labels), sizes))
    probe = Split(train.images[:TRAIN_PROBE], train.labels[:TRAIN_PROBE])
    return Images(train, {"train": probe, "valid": valid, "test": test}, digest)


def representative(members: Sequence[Genotype]) -> Genotype:
    """The cheapest form of a class without dead edges: fewest convolutions, then fewest poolings computed, then
    the first."""

    def cost(genotype: Genotype) -> tuple[int, int, Genotype]:
        convolutions = sum(op in (nb201.CONV1, nb201.CONV3) for op in genotype)
        pairs = zip(nb201.SPACE.edges, genotype, strict=True)
        return convolutions, len({edge.source for edge, op in pairs if op == nb201.POOL}), genotype

    return min((nb201.SPACE.live(member) for member in members), key=cost)


@cache
def trained_instead() -> NDArray[np.int64]:
    """`[15625]` the position of the representative that is trained for each cell; read-only."""
    space = nb201.SPACE
    found = np.empty(space.size, np.int64)
    for members in space.classes(space.trained_class).values():
        found[[space.population.row(member) for member in members]] = space.population.row(representative(members))
    found.flags.writeable = False
    return found


def class_order() -> list[int]:
    """The positions of all representatives in the order in which they are trained."""
    # RandomState, because NumPy promises never to change its streams.
    shuffled = np.random.RandomState(ORDER_SEED).permutation(np.unique(trained_instead()))
    return [int(position) for position in shuffled]


def series(plan: Plan, folder: Path, digest: str, positions: Sequence[int]) -> Series:
    """The shards of a plan in a folder. digest: of the images; positions: of the architectures to train, in order."""
    positions = list(positions)
    header = {
        "format": FORMAT,
        "version": standalone.VERSION,
        "space": nb201.SPACE.name,
        "images": {"name": "patches", "digest": digest},
        "order": hashlib.blake2b(repr(positions).encode(), digest_size=8).hexdigest(),
        **asdict(plan),
    }
    blocks = tuple(tuple(positions[i : i + plan.block]) for i in range(0, len(positions), plan.block))
    return Series(folder, header, plan.seeds, blocks)


def train_class(plan: Plan, images: Images, position: int) -> Row:
    """Train one architecture from all seeds of the plan."""
    genotype = nb201.SPACE.population.at(position)
    outcome = standalone.train(genotype, plan.seeds, plan.training, images.train, images.tests, patches.CLASSES)
    values = {}
    for name in COLUMNS:
        split, measure = name.split("_", 1)
        values[name] = finite(getattr(outcome, measure)[split])
    return Row(position, values, outcome.seconds)
