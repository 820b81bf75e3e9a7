"""How a network is trained alone, on what, and what comes of it: what every form of the trainer shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bench.spaces.layout import Shape

VERSION = 1  # raised by hand when the results of a training change


@dataclass(frozen=True)
class Recipe:
    """How a stand-alone network is built and trained. Part of a table's identity."""

    channels: int = 16  # of the first stage
    cells: int = 1  # per stage
    images: int = 24_000  # training images per pass
    passes: int = 1
    batch: int = 64  # per seed
    learning_rate: float = 0.1  # peak; linear warm-up, then cosine to zero
    warmup: float = 0.05  # share of all steps
    momentum: float = 0.9  # Nesterov
    weight_decay: float = 5e-4
    clip: float | None = None  # largest norm of the gradient of all weights of a seed; None: as it is

    @property
    def per_pass(self) -> int:
        """Steps of a pass; images left over at its end are not used in it."""
        return self.images // self.batch

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.per_pass * self.passes

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return learning_rate(step, self.steps, self.learning_rate, self.warmup)

    def shape(self, images: Tensor, classes: int) -> Shape:
        """The size of a network for images `[n, C, H, W]`."""
        return Shape(self.channels, self.cells, classes, images.shape[1], images.shape[-1])

    def settings(self) -> dict[str, Any]:
        """As JSON, for keys and headers. Without `clip` where there is none: it came later."""
        found = asdict(self)
        if self.clip is None:
            del found["clip"]
        return found


@dataclass(frozen=True)
class Labelled:
    """Normalised images `[n, C, H, W]`, whose dtype is that of all the arithmetic, and labels `[n]` int64."""

    images: Tensor
    labels: Tensor

    def first(self, count: int) -> Labelled:
        """The first `count` of them, or all where there are fewer."""
        return Labelled(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class Outcome:
    """Per seed, arrays `[G]`: accuracy in percent and cross-entropy in nats on each evaluated split.

    A seed whose loss is not finite holds NaN everywhere; the other seeds are not touched by it.
    """

    accuracy: dict[str, NDArray[np.float64]]
    cross_entropy: dict[str, NDArray[np.float64]]
    seconds: float  # CPU seconds of training and evaluation, all seeds together


class Networks(Protocol):
    """The networks of one architecture, one for each seed."""

    seeds: tuple[int, ...]
    chunk: int  # images that are judged at a time

    def descend(self, recipe: Recipe, train_set: Labelled) -> None:
        """Train the weights in place: SGD with Nesterov momentum, every seed with its own order of the images.

        Clipping, momentum and weight decay as in torch; all weights decay, as in NAS-Bench-201.
        """

    def logits(self, images: Tensor) -> Tensor:
        """`[G, B, classes]` of images `[B, C, H, W]`, with running statistics."""


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Linear warm-up over `warmup * steps`, times a half cosine from `peak` to zero."""
    return peak * min(1.0, (step + 1) / (warmup * steps + 1)) * 0.5 * (1 + math.cos(math.pi * step / steps))


def orders(rngs: Sequence[np.random.Generator], images: int) -> Tensor:
    """`[G, images]`: the order of one pass, drawn for each seed."""
    return torch.from_numpy(np.stack([rng.permutation(images) for rng in rngs]))


@torch.no_grad()
def evaluate(nets: Networks, labelled: Labelled) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy in percent and cross-entropy in nats per seed, arrays `[G]`, with running statistics."""
    groups = len(nets.seeds)
    right = torch.zeros(groups, dtype=torch.float64)
    nats = torch.zeros(groups, dtype=torch.float64)
    chunks = (torch.split(tensor, nets.chunk) for tensor in (labelled.images, labelled.labels))
    for images, labels in zip(*chunks, strict=True):
        logits = nets.logits(images)
        right += (logits.argmax(-1) == labels).sum(1)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.repeat(groups), reduction="none")
        nats += loss.view(groups, -1).sum(1, dtype=torch.float64)
    count = len(labelled.labels)
    return (100 * right / count).numpy(), (nats / count).numpy()
