"""Image sets, whole and in memory: what they are, their names, and `load`.

Each set is one module of this package, named like the set, with two functions: `missing` and `load`. Sets that a person
brings are read by `own.py`.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadData, BadSpec, UnknownName
from bench.folders import data_folder
from bench.store.own import own as parts_of_name

TITLES = {
    "patches": "oriented patches",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet16-120": "ImageNet16-120",
    "cifar10-jpeg": "CIFAR-10 (JPEG)",
}
"""How each set is printed, by name."""

NAMES = tuple(TITLES)

OWN = ("folder:PATH", "npz:FILE")
"""How one's own sets are named where a set is asked for; records name them by their content (`bench.images.own`)."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their classes. pixels: `[n, C, H, W]` uint8, H = W; labels: `[n]` int64 from 0."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        pixels, labels = self.pixels, self.labels
        square = pixels.ndim == 4 and pixels.shape[2] == pixels.shape[3]
        if pixels.dtype != np.uint8 or labels.dtype != np.int64 or not square or labels.shape != pixels.shape[:1]:
            raise BadData(
                "images are square, [n, C, H, W] uint8, with one int64 label each; "
                f"got {pixels.dtype} {list(pixels.shape)} and {labels.dtype} {list(labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, count: int) -> Images:
        """The first `count` images, copied: a view would lead to all others. Raises BadSpec where there are fewer."""
        if not 0 <= count <= len(self):
            raise BadSpec(f"cannot take {count} of {len(self)} images; ask for 0..{len(self)}")
        return Images(self.pixels[:count].copy(), self.labels[:count].copy())

    @classmethod
    def joined(cls, parts: Sequence[Images]) -> Images:
        """All images of the parts, in order, copied."""
        return cls(np.concatenate([part.pixels for part in parts]), np.concatenate([part.labels for part in parts]))

    def at(self, index: NDArray[np.int64]) -> Images:
        """The images at these places, in their order, copied. index: `[m]`."""
        return Images(self.pixels[index], self.labels[index])


@dataclass(frozen=True)
class Augment:
    """What is done to a training batch at random."""

    pad: int  # zero padding on every side, in pixels, before a random crop to the old size; 0 is no crop
    flip: bool  # mirror left to right, one image in two


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A data set in three disjoint parts. A search may see `train` and `valid`; `test` never."""

    name: str
    title: str  # how it is printed
    classes: int
    train: Images
    valid: Images
    test: Images
    mean: tuple[float, ...]  # per channel, pixels on the scale 0..1
    std: tuple[float, ...]
    augment: Augment  # of training batches
    split: str  # how `train` and `valid` came to be

    def __post_init__(self) -> None:
        for part in (self.train, self.valid, self.test):
            if len(part) and not 0 <= part.labels.min() <= part.labels.max() < self.classes:
                raise BadData(
                    f"{self.name} has labels outside 0..{self.classes - 1}; its files are not what they should be"
                )

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return int(self.train.pixels.shape[3])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return int(self.train.pixels.shape[1])

    @cached_property
    def digest(self) -> str:
        """BLAKE2b (16 bytes, hex) of shapes, pixels and labels of train, valid and test, in this order."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.train, self.valid, self.test):
            digest.update(repr(part.pixels.shape).encode())
            digest.update(np.ascontiguousarray(part.pixels).data)
            digest.update(np.ascontiguousarray(part.labels, dtype="<i8").data)
        return digest.hexdigest()


class _Source(Protocol):
    """What the module of an image set has."""

    def missing(self, root: Path) -> str | None:
        """What the set lacks in the folder `root` and what to do about it, or None; reads no pixels."""
        ...

    def load(self, root: Path) -> ImageSet:
        """The set, from files that are there."""
        ...


def available(name: str, root: Path | None = None) -> str | None:
    """None where the set can be loaded from `root` (as in `load`), else one line on why not. Reads no pixels.

    Raises UnknownName.
    """
    return _source(name).missing(data_folder(root))


def load(name: str, root: Path | None = None) -> ImageSet:
    """The image set of that name.

    root: the folder with the files; where None, the one that the environment variable SUPERNET_BENCH_DATA names, else
    `../shared/data` beside the repository where it exists, else `./data`. Raises UnknownName, and BadData where files
    are missing, damaged or not what their names say.
    """
    reason = available(name, root)
    if reason is not None:
        raise BadData(reason)
    return _source(name).load(data_folder(root))


def _source(name: str) -> _Source:
    if parts_of_name(name) is not None:
        return cast(_Source, importlib.import_module(f"{__name__}.own").Named(name))
    if name not in TITLES:
        raise UnknownName("image set", name, (*NAMES, *OWN))
    return cast(_Source, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))
