"""ImageNet, or any folder like it: `train/` and `val/` with a folder of pictures for each class, read as they are asked
for and decoded by Pillow.

What is done to a training picture is that of the code of DARTS (quark0/darts f276dd34, train_imagenet.py): a part
of 8 to 100 % of its area and a ratio of 3:4 to 4:3, brought to 224 pixels a side; mirrored, one in two; brightness,
contrast and saturation changed by up to 40 % and hue by up to a fifth of the circle, in random order. Test pictures are
brought to 256 pixels along their shorter side, and their middle is taken.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.images.classes import Picture, decoded, names_in, pictures_in, require_same
from bench.retraining.recipes import PAPER, Recipe
from bench.store.spec import Scale

SIDE, SHORTER = 224, 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STRENGTH, HUE = 0.4, 0.2
TRIES = 10
"""Crops that are drawn before the middle is taken."""
READERS = 4
"""Threads that decode."""
AT_ONCE = 100
"""Test pictures of a batch."""
EXPECTED = "ImageNet is train/ and val/, each with a folder for every class"


class Folder:
    """See `bench.retraining.sources.Source`. Raises BadData, in one line, where the folder is not as it should be."""

    channels, size = 3, SIDE

    def __init__(self, root: Path) -> None:
        self.root, self.title = root, f"ImageNet ({root.name})"
        self.names = names_in(root / "train", EXPECTED)
        require_same(root, self.names, names_in(root / "val", EXPECTED), "train/ and val/")
        self.classes = len(self.names)
        self.train, self.test = (pictures_in(root / part, self.names) for part in ("train", "val"))
        self.tested = len(self.test)
        listed = "\n".join(f"{path.relative_to(root)} {path.stat().st_size}" for path, _ in (*self.train, *self.test))
        self.digest = hashlib.blake2b(listed.encode(), digest_size=16).hexdigest()  # of names and sizes, not of pixels

    def pictures(self, recipe: Recipe, scale: Scale, device: torch.device) -> Streamed:
        """All, or as many as a search at that scale sees, spread evenly over the classes."""
        train = self.train
        if scale.name != PAPER:
            wanted = scale.train_images + scale.valid_images
            train = [train[int(k)] for k in np.linspace(0, len(train) - 1, min(wanted, len(train)))]
        return Streamed(train, self.test, recipe.batch, device)


class Streamed:
    """See `bench.retraining.training.Pictures`. Raises BadSpec where there are fewer pictures than a batch."""

    def __init__(self, train: Sequence[Picture], test: Sequence[Picture], batch: int, device: torch.device) -> None:
        if len(train) < batch:
            raise BadSpec(f"there are fewer images than a batch: {len(train)} < {batch}; choose a smaller batch")
        self.train, self.test, self.batch, self.device = train, test, batch, device

    def __len__(self) -> int:
        return len(self.train) // self.batch

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """Shuffled and augmented; what is done to a picture hangs on its own number, not on when it is read."""
        order = torch.randperm(len(self.train), generator=generator).tolist()
        numbers = torch.randint(2**62, (len(self.train),), generator=generator).tolist()
        asked = [(self.train[k], numbers[k]) for k in order[: len(self) * self.batch]]
        yield from self._batches(asked, self.batch, lambda one, number: augmented(one, np.random.default_rng(number)))

    def tests(self) -> Iterator[Batch]:
        """In order; their middle."""
        yield from self._batches([(one, 0) for one in self.test], AT_ONCE, lambda one, number: middle(one))

    def _batches(
        self, asked: Sequence[tuple[Picture, int]], size: int, shaped: Callable[[Image.Image, int], Image.Image]
    ) -> Iterator[Batch]:
        def read(one: tuple[Picture, int]) -> NDArray[np.uint8]:
            (path, _), number = one
            return np.asarray(shaped(decoded(path), number), dtype=np.uint8)

        with ThreadPoolExecutor(READERS) as readers:
            parts = [asked[start : start + size] for start in range(0, len(asked), size)]
            coming = [readers.submit(read, one) for one in parts[0]] if parts else []
            for k, part in enumerate(parts):
                now = coming
                coming = [readers.submit(read, one) for one in parts[k + 1]] if k + 1 < len(parts) else []
                pixels = np.stack([one.result() for one in now])
                labels = torch.tensor([label for (_, label), _ in part])
                yield Batch(self._normalised(torch.from_numpy(pixels)), labels.to(self.device))

    def _normalised(self, pixels: Tensor) -> Tensor:
        values = pixels.to(self.device).float().div_(255)
        mean, std = (torch.tensor(numbers, device=self.device) for numbers in (MEAN, STD))
        return values.sub_(mean).div_(std).permute(0, 3, 1, 2)


def augmented(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A training picture of 224 pixels a side."""
    picture = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=crop(*picture.size, rng))
    if rng.random() < 0.5:
        picture = ImageOps.mirror(picture)
    factors = 1 + STRENGTH * (2 * rng.random(3) - 1)
    turn = round(255 * HUE * (2 * rng.random() - 1))
    changes: list[Callable[[Image.Image], Image.Image]] = [
        lambda one: ImageEnhance.Brightness(one).enhance(factors[0]),
        lambda one: ImageEnhance.Contrast(one).enhance(factors[1]),
        lambda one: ImageEnhance.Color(one).enhance(factors[2]),
        lambda one: _turned(one, turn),
    ]
    for k in rng.permutation(len(changes)):
        picture = changes[k](picture)
    return picture


def crop(wide: int, high: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a random part; of the middle where no draw fits."""
    for _ in range(TRIES):
        area, ratio = wide * high * rng.uniform(0.08, 1), math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= wide and 0 < h <= high:
            left, top = int(rng.integers(wide - w + 1)), int(rng.integers(high - h + 1))
            return left, top, left + w, top + h
    w, h = min(wide, round(high * 4 / 3)), min(high, round(wide * 4 / 3))
    left, top = (wide - w) // 2, (high - h) // 2
    return left, top, left + w, top + h


def middle(picture: Image.Image) -> Image.Image:
    """A test picture of 224 pixels a side."""
    wide, high = picture.size
    share = SHORTER / min(wide, high)
    picture = picture.resize((round(wide * share), round(high * share)), Image.Resampling.BILINEAR)
    left, top = ((length - SIDE) // 2 for length in picture.size)
    return picture.crop((left, top, left + SIDE, top + SIDE))


def _turned(picture: Image.Image, by: int) -> Image.Image:
    values = np.array(picture.convert("HSV"))
    values[:, :, 0] += np.uint8(by % 256)  # a circle
    return Image.fromarray(values, "HSV").convert("RGB")
