"""How a set of images is parted for a search: the official NAS-Bench-201 indices where they are at hand, else by seed.

The official indices are those of Dong & Yang (ICLR 2020), section 2.2, as published with their code: text files of the
form `{"train": ["int", ["0", "5", ...]], "valid": ["int", [...]]}`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadData
from bench.images.files import arrays, check, read
from bench.streams import numpy_stream

JPEG_FILE = "cifar10_jpeg.npz"
OFFICIAL = "official NAS-Bench-201 split"


@dataclass(frozen=True, eq=False)
class Split:
    """Two parts of `count` images: indices `[m]` int64, disjoint, together all of 0..count-1."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    origin: str  # how it came to be, as printed


def by_seed(name: str, count: int) -> Split:
    """Two halves at random, the same every time; the first is the smaller where `count` is odd."""
    order = numpy_stream(0, f"split/{name}").permutation(count)
    return Split(order[: count // 2], order[count // 2 :], "split by seed 0")


def stratified(labels: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
    """`[n]` an order of images whose beginnings, however long, hold the classes `[n]` in their shares, to within one
    image of each; which images of a class come first is drawn, and which class is."""
    place = np.empty(len(labels))
    for one in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == one))
        place[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
    return np.argsort(place, kind="stable")


def by_class(
    labels: NDArray[np.integer], shares: Sequence[int], rng: np.random.Generator
) -> tuple[NDArray[np.int64], ...]:
    """The indices of parts in these shares, the same in every class to within one image, and at least one image of each
    class in each part. labels: `[n]`, of every class as many as there are parts, or more."""
    parts: list[list[NDArray[np.int64]]] = [[] for _ in shares]
    for one in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == one))
        counts = [max(1, round(len(rows) * share / sum(shares))) for share in shares[1:]]
        for part, those in zip(parts, np.split(rows, np.cumsum([len(rows) - sum(counts), *counts[:-1]])), strict=True):
            part.append(those)
    return tuple(np.sort(np.concatenate(part)) for part in parts)


def official(first: NDArray[np.integer], second: NDArray[np.integer], count: int, path: Path) -> Split:
    """Published indices. Raises BadData unless they part `count` images into two. path: where they stood."""
    split = Split(first.astype(np.int64), second.astype(np.int64), OFFICIAL)
    if not np.array_equal(np.sort(np.concatenate([split.first, split.second])), np.arange(count)):
        raise BadData(f"the two parts in {path} are not a split of {count} images; replace the file")
    return split


def beside_jpeg(root: Path, count: int) -> Split | None:
    """The CIFAR-10 search split that the JPEG file carries, or None where `root` has no such file."""
    path = root / JPEG_FILE
    if not path.is_file():
        return None
    first, second = arrays(str(path), read(path), ["nb201_train", "nb201_valid"])
    return official(first, second, count, path)


@dataclass(frozen=True)
class IndexFile:
    """A published text file of indices."""

    name: str
    md5: str
    keys: tuple[str, str]  # of the first and the second part

    def _checked(self, path: Path) -> bytes:
        """The content, whose line ends another system may have changed. Raises BadData where it is another."""
        found = read(path)
        lines = found.replace(b"\r\n", b"\n")
        for content in (lines, lines.rstrip(b"\n"), lines.rstrip(b"\n") + b"\n"):
            if hashlib.md5(content, usedforsecurity=False).hexdigest() == self.md5:
                return content
        check(str(path), found, self.md5)
        return found

    def split(self, root: Path, count: int) -> Split | None:
        """The split in that file, or None where `root` has none. Raises BadData where the file is another."""
        path = root / self.name
        if not path.is_file():
            return None
        content = json.loads(self._checked(path))
        first, second = (np.array([int(index) for index in content[key][1]]) for key in self.keys)
        return official(first, second, count, path)
