"""How papers train a cell that was found, as data, and how a scale shrinks it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bench.errors import BadSpec, UnknownName
from bench.spaces.layout import Shape
from bench.store.spec import Scale

CUT_OF = 32
"""Pixels a side of the images that `Recipe.cutout` speaks of."""


@dataclass(frozen=True)
class Recipe:
    """The network and its training. Numbers of epochs and images are the papers'; a `Scale` shrinks them."""

    name: str
    dataset: str  # where none is named
    channels: int
    cells: int  # per stage: 3 N + 2 in all
    epochs: int
    batch: int
    learning_rate: float
    schedule: Literal["cosine", "exponential"]  # to zero; by `decay` an epoch
    weight_decay: float
    momentum: float = 0.9
    decay: float = 0.97
    clip: float = 5.0  # largest norm of the gradient of all weights
    cutout: int = 0  # side of the square that is blanked, of an image of 32 pixels; 0 for none
    drop_path: float = 0.0  # chance that an edge drops, at the end; it grows in proportion to the epoch
    auxiliary: float = 0.0  # weight of the loss of an auxiliary head; 0 for none
    smoothing: float = 0.0  # of labels
    strided: bool = False  # three convolutions of stride 2 before the cells, as on ImageNet
    parts: int = 1  # of a batch, each normalised by itself; as many processes at most share them

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, from 0."""
        if self.schedule == "exponential":
            return self.learning_rate * self.decay**epoch
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))

    def dropped(self, epoch: int) -> float:
        """The chance that an edge drops in an epoch."""
        return self.drop_path * epoch / self.epochs

    def cut(self, side: int) -> int:
        """The side of the blanked square of images of that side."""
        return round(self.cutout * side / CUT_OF)

    def shape(self, classes: int, channels: int, side: int) -> Shape:
        """The size of the network."""
        return Shape(self.channels, self.cells, classes, channels, side)

    def shrunk(self, scale: Scale) -> Recipe:
        """At a scale: its width, its cells a stage, its share of the epochs. At `paper`, as it is."""
        if scale.name == PAPER:
            return self
        return replace(self, channels=scale.channels, cells=scale.cells, epochs=scale.times_of(self.epochs))

    def with_parts(self, parts: int) -> Recipe:
        """With batches in so many parts. Raises BadSpec where they would not be equally large."""
        if parts < 1 or self.batch % parts:
            raise BadSpec(f"a batch of {self.batch} cannot be cut into {parts} equal parts; choose a divisor of it")
        return replace(self, parts=parts)

    def settings(self) -> dict[str, Any]:
        """As JSON: part of a record's identity."""
        return asdict(self)


PAPER = "paper"

_CIFAR = Recipe(
    "darts-cifar",
    "cifar10",
    channels=36,
    cells=6,
    epochs=600,
    batch=96,
    learning_rate=0.025,
    schedule="cosine",
    weight_decay=3e-4,
    cutout=16,
    drop_path=0.2,
    auxiliary=0.4,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _CIFAR,
        Recipe(
            "darts-imagenet",
            "imagenet",
            channels=48,
            cells=4,
            epochs=250,
            batch=128,
            learning_rate=0.1,
            schedule="exponential",
            weight_decay=3e-5,
            auxiliary=0.4,
            smoothing=0.1,
            strided=True,
        ),
        replace(_CIFAR, name="quick", dataset="patches", channels=8, cells=1, epochs=5, batch=64, auxiliary=0.0),
    )
}
"""Those of DARTS (Liu et al., ICLR 2019, appendices A.1.2 and A.1.3, with the numbers of quark0/darts f276dd34,
train.py and train_imagenet.py). `quick` is the first on five cells of 8 channels, in five epochs of small images, which
are too small for its auxiliary head."""


def recipe_named(name: str) -> Recipe:
    """The recipe of that name. Raises UnknownName."""
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES)
    return RECIPES[name]
