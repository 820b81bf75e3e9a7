"""Image sets in memory, as retraining sees them: both halves of a search together, and the test images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.errors import BadSpec
from bench.images import Images, ImageSet
from bench.images.batches import Batch, Batches
from bench.retraining.recipes import PAPER, Recipe
from bench.store.spec import Scale

AT_ONCE = 500
"""Test images of a batch."""


class InMemory:
    """See `bench.retraining.training.Pictures`. Raises BadSpec where a set has fewer images than a scale asks for, or
    none to test with."""

    def __init__(self, images: ImageSet, recipe: Recipe, scale: Scale, device: torch.device) -> None:
        if not len(images.test):
            raise BadSpec(f"{images.title}: it has no test images, by which a retraining is judged; add a test part")
        train, look = seen(images, scale), (images.mean, images.std)
        self.side = images.size
        self._cut = recipe.cut(self.side)
        self._train = Batches(train, *look, recipe.batch, device, torch.Generator(), images.augment)
        self._test = Batches(images.test, *look, AT_ONCE, device)

    def __len__(self) -> int:
        return len(self._train)

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """Shuffled, cropped, mirrored as in a search, and then with a square blanked."""
        for batch in self._train.drawn_from(generator).epoch():
            yield batch if not self._cut else Batch(blanked(batch.images, self._cut, generator), batch.labels)

    def tests(self) -> Iterator[Batch]:
        """In order and as they are."""
        return self._test.in_order()


def seen(images: ImageSet, scale: Scale) -> Images:
    """What is trained on: all but the test images, or as many of both parts as a search at that scale sees."""
    if scale.name == PAPER:
        return Images.joined([images.train, images.valid])
    wanted = ((images.train, scale.train_images), (images.valid, scale.valid_images))
    if any(len(part) < count for part, count in wanted):
        raise BadSpec(
            f"scale {scale.name} takes more images than {images.name} has; choose a smaller --scale, or paper, which "
            "takes all"
        )
    return Images.joined([part.take(count) for part, count in wanted])


def blanked(images: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Cutout (DeVries & Taylor, arXiv 1708.04552): a square of that side around a random pixel is 0, as far as it lies
    inside. images: `[B, C, H, W]`, normalised."""
    batch, _, high, wide = images.shape
    outside = []
    for length in (high, wide):
        centre = torch.randint(length, (batch, 1), generator=generator)
        offset = torch.arange(length) - centre + size // 2  # 0 to size - 1 inside
        outside.append((offset < 0) | (offset >= size))
    kept = outside[0][:, None, :, None] | outside[1][:, None, None, :]
    return images * kept.to(images.device)
