"""What a series of stand-alone trainings is: which classes of cells, in which order, on which images, from which seeds.

Cells that are one function when trained alone share one training. The classes come in a fixed random order, so
whatever is finished of them is a uniform sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench import spaces
from bench.images import patches
from bench.spaces.space import Genotype, Space
from bench.truth import FIRST_SPACE, recipe, standalone
from bench.truth.recipe import Labelled, Outcome, Recipe
from bench.truth.shards import COLUMNS, FORMAT, Series, Trained, finite

ORDER_SEED = 0
IMAGE_SEED = 0
TRAIN_PROBE = 2_000  # training images on which the training accuracy is taken, in evaluation mode


@dataclass(frozen=True)
class Plan:
    """Everything that decides the numbers of a series."""

    recipe: Recipe
    seeds: tuple[int, ...]
    train_images: int = 24_000  # how many are drawn
    valid_images: int = 6_000
    test_images: int = 6_000
    block: int = 64  # classes per shard
    judged: int | None = None  # images of each split on which a network is judged; None: all, TRAIN_PROBE of training
    space: str = FIRST_SPACE

    def settings(self) -> dict[str, Any]:
        """As JSON, for keys and headers. What came later is left out where it is as it was before."""
        found = {name: value for name, value in asdict(self).items() if name != "recipe"}
        for later, before in (("judged", None), ("space", FIRST_SPACE)):
            if found[later] == before:
                del found[later]
        return {"training": self.recipe.settings(), **found}


@dataclass(frozen=True)
class Images:
    """The image set as the trainer wants it, and its digest."""

    train: Labelled
    tests: dict[str, Labelled]  # train (the first TRAIN_PROBE images), valid, test
    digest: str


def load_images(plan: Plan) -> Images:
    """`patches`, normalised and split in the order drawn: train, valid, test."""
    sizes = [plan.train_images, plan.valid_images, plan.test_images]
    pixels, labels = patches.draw(sum(sizes), IMAGE_SEED)
    digest = hashlib.blake2b(pixels.tobytes() + labels.tobytes(), digest_size=8).hexdigest()
    x = (torch.from_numpy(pixels).float() / 255 - patches.MEAN) / patches.STD
    train, valid, test = map(Labelled, torch.split(x, sizes), torch.split(torch.from_numpy(labels), sizes))
    tests = {"train": train.first(TRAIN_PROBE), "valid": valid, "test": test}
    if plan.judged is not None:
        tests = {name: labelled.first(plan.judged) for name, labelled in tests.items()}
    return Images(train, tests, digest)


@cache
def _classes(space: Space) -> dict[Hashable, list[Genotype]]:
    return space.classes(space.trained_class)


@cache
def rows_by_class(space: Space) -> dict[Hashable, int]:
    """The row of the population that is trained for each class: that of its representative, or, where a sample lacks
    this, of its first member."""
    rows = {}
    for key, members in _classes(space).items():
        row = space.population.find(space.representative(members))
        rows[key] = space.population.row(members[0]) if row is None else row
    return rows


@cache
def trained_instead(space: Space) -> NDArray[np.int64]:
    """`[N]` the row that is trained for each architecture of the population; read-only."""
    rows, found = rows_by_class(space), np.empty(len(space.population), np.int64)
    for key, members in _classes(space).items():
        found[[space.population.row(member) for member in members]] = rows[key]
    found.flags.writeable = False
    return found


def class_order(space: Space) -> list[int]:
    """The rows of all representatives in the order in which they are trained."""
    # RandomState, because NumPy promises never to change its streams.
    shuffled = np.random.RandomState(ORDER_SEED).permutation(np.unique(trained_instead(space)))
    return [int(position) for position in shuffled]


def series(plan: Plan, folder: Path, digest: str, positions: Sequence[int]) -> Series:
    """The shards of a plan in a folder. digest: of the images; positions: rows of the architectures to train, in
    order."""
    positions = list(positions)
    header = {
        "format": FORMAT,
        "version": recipe.VERSION,
        "space": plan.space,
        "images": {"name": "patches", "digest": digest},
        "order": hashlib.blake2b(repr(positions).encode(), digest_size=8).hexdigest(),
        **plan.settings(),
    }
    blocks = tuple(tuple(positions[i : i + plan.block]) for i in range(0, len(positions), plan.block))
    return Series(folder, header, plan.seeds, blocks)


def train_class(plan: Plan, images: Images, position: int) -> Trained:
    """Train the architecture of a row from all seeds of the plan."""
    space = spaces.get(plan.space)
    outcome = train_one(plan, images, space.population.at(position))
    return Trained(position, values_of(outcome), outcome.seconds)


def train_one(plan: Plan, images: Images, genotype: Genotype) -> Outcome:
    """Train any architecture of the plan's space from all seeds of the plan."""
    space = spaces.get(plan.space)
    return standalone.train(space, genotype, plan.seeds, plan.recipe, images.train, images.tests, patches.CLASSES)


def values_of(outcome: Outcome) -> dict[str, list[float | None]]:
    """Per column of a shard the numbers of all seeds, None where one diverged."""
    parts = {name: name.split("_", 1) for name in COLUMNS}
    return {name: finite(getattr(outcome, measure)[split]) for name, (split, measure) in parts.items()}
