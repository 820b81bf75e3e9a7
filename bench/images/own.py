"""Image sets of one's own: `folder:PATH`, a folder of class folders with pictures, and `npz:FILE`, arrays.

A set is called after its folder or file and the digest of its images (`bench.store.own`), so that its content decides
what it is, and not where it lies. How it falls into parts follows from its content alone; nothing of it is augmented,
since nobody knows which changes keep its classes.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadData, BadSpec, counted
from bench.folders import ENVIRONMENT
from bench.images import OWN, TITLES, Augment, Images, ImageSet
from bench.images.classes import is_picture
from bench.images.given import Given, Part
from bench.images.splits import by_class, stratified
from bench.store import names
from bench.store import own as own_names
from bench.streams import numpy_stream

Kind = Literal["folder", "npz"]

SHARES: Mapping[Part, int] = {"train": 60, "valid": 20, "test": 20}
"""Percent of a set that comes whole; of a training part without a validation part the first two alone."""
FORBIDDEN = (*TITLES, "imagenet")
"""What no set of one's own is called: the names of others."""
SIDES = range(1, 4_097)
"""Pixels of a side that pictures can be brought to."""
ENDING = ".npz"
_SIZED = re.compile(r"(.+)@(\d+)")
_WORD_SIZED = re.compile(r"(.+)-(\d+)px")


@dataclass(frozen=True)
class Place:
    """Where a set lies. side: pixels that its pictures are brought to; None where they stay as they are."""

    kind: Kind
    path: Path
    side: int | None = None

    @property
    def word(self) -> str:
        """What a person calls it. Raises BadSpec where that cannot be part of a name, or is the name of another set."""
        stem = self.path.stem if self.kind == "npz" else self.path.name
        names.checked(stem, f"the set in {self.path}")
        if stem in FORBIDDEN:
            raise BadSpec(f"{self.path}: another set is called {stem} here; rename yours")
        word = stem if self.side is None else f"{stem}-{self.side}px"
        names.checked(own_names.Own(word, "0" * own_names.DIGITS).name, f"the set in {self.path}")  # not too long
        return word

    def load(self) -> ImageSet:
        """The set. Raises BadData, in one line, where the folder or file is not as it should be."""
        from bench.images import npz, pictures

        word = self.word
        read = npz.read if self.kind == "npz" else pictures.read
        made = _made(word, self.path, read(self.path, self.side))
        return dataclasses.replace(made, name=own_names.Own(word, made.digest[: own_names.DIGITS]).name)


def place(text: str) -> Place | None:
    """Where `folder:PATH`, `npz:FILE`, or one of them with `@SIDE` behind it, points; None for other text.

    Raises BadSpec where there is no path, or a side that no picture can have.
    """
    kind, colon, path = text.partition(":")
    if not colon or kind not in ("folder", "npz"):
        return None
    sized = _SIZED.fullmatch(path)
    path, side = (sized[1], int(sized[2])) if sized else (path, None)
    if not path:
        raise BadSpec(f"{text} names no path; write {' or '.join(OWN)}")
    if side is not None and side not in SIDES:
        raise BadSpec(f"{text}: pictures can have {SIDES[0]} to {SIDES[-1]} pixels a side, not {side}")
    absolute = Path(os.path.abspath(Path(path).expanduser()))
    return Place("npz" if kind == "npz" else "folder", absolute, side)


@dataclass(frozen=True)
class Named:
    """The set of a name that a record holds: a folder or file itself, or what lies in a folder under the set's word."""

    name: str

    def missing(self, root: Path) -> str | None:
        """What is not in `root`, or None; reads no pixels."""
        if self._places(root):
            return None
        stem = self._called()[-1][0]
        return (
            f"{self.name} is one's own set, and {root.absolute()} has neither {stem}/ nor {stem}{ENDING}; set --data "
            f"or {ENVIRONMENT} to the folder that has it"
        )

    def load(self, root: Path) -> ImageSet:
        """The set. Raises BadData where what lies there has another content."""
        others = []
        for there in self._places(root):
            try:
                found = there.load()
            except (BadData, BadSpec) as error:  # not it: there may be another
                others.append(str(error))
                continue
            if own_names.content(found.name) == own_names.content(self.name):
                return dataclasses.replace(found, name=self.name)
            others.append(f"{there.path} is {found.name}")
        raise BadData(f"{self.name} is not there as it was when it was named: {'; '.join(others)}")

    def _called(self) -> list[tuple[str, int | None]]:
        """What the folder or file may be called, and the side that its pictures are brought to then."""
        found = own_names.own(self.name)
        assert found is not None  # as `bench.images` asks
        sized = _WORD_SIZED.fullmatch(found.word)
        return [(found.word, None), *([(sized[1], int(sized[2]))] if sized else [])]

    def _places(self, root: Path) -> list[Place]:
        found: list[Place] = []
        for stem, side in self._called():
            for path in (root, root / stem, root / f"{stem}{ENDING}"):
                if path.suffix == ENDING and path.is_file():
                    found.append(Place("npz", path, side))
                elif path.is_dir() and (path != root or _has_pictures(root)):
                    found.append(Place("folder", path, side))
        return found


def _has_pictures(root: Path) -> bool:
    """Whether a folder may be a set: with pictures two folders down, or three where it has parts."""
    return any(is_picture(path) for depth in ("*/*", "*/*/*") for path in root.glob(depth))


def _made(word: str, path: Path, given: Given) -> ImageSet:
    """A set from what lies there, parted. Raises BadData."""
    parts, split = _parted(path, given)
    train, valid = (_mixed(parts[part], part) for part in ("train", "valid"))
    mean, std = _moments(train)
    if not all(std):
        raise BadData(f"{path}: all pixels of a channel of the training images are alike; nothing can be learned of it")
    count = sum(map(len, parts.values()))
    _, channels, side, _ = train.pixels.shape
    kind = {1: "grey ", 3: "colour "}.get(channels, f"{channels}-channel ")
    nothing = Images(train.pixels[:0], train.labels[:0])
    return ImageSet(
        word,
        f"{word} ({counted(count, f'{kind}image')} of {side}x{side} pixels, {len(given.classes)} classes)",
        len(given.classes),
        train=train,
        valid=valid,
        test=_mixed(parts["test"], "test") if "test" in parts else nothing,
        mean=mean,
        std=std,
        augment=Augment(pad=0, flip=False),
        split=split,
    )


def _parted(path: Path, given: Given) -> tuple[dict[Part, Images], str]:
    """Training, validation and perhaps test images, and how they came to be: given parts stay as they are, and no test
    image ever becomes another. Raises BadData where a class has too few."""
    parts = dict(given.parts)
    rng = numpy_stream(0, "split/own")
    if "valid" in parts:
        split = "parts as given" if "test" in parts else "parts as given, without test images"
    elif "test" in parts:
        _require(path, given, parts["train"], 2, "one to train on and one to validate with")
        shares = [SHARES["train"], SHARES["valid"]]
        train, valid = by_class(parts["train"].labels, shares, rng)
        parts |= {"valid": parts["train"].at(valid), "train": parts["train"].at(train)}
        split = f"test images as given; {_percent(shares)} of the others, by class and seed 0, to train and validate"
    else:
        whole = parts.pop("whole")
        _require(path, given, whole, 3, "one to train on, one to validate with and one to test with")
        of_each = by_class(whole.labels, list(SHARES.values()), rng)
        parts |= {part: whole.at(rows) for part, rows in zip(SHARES, of_each, strict=True)}
        split = f"{_percent(list(SHARES.values()))}, by class and seed 0, to train, validate and test"
    for part, images in parts.items():
        _require(path, given, images, 1, f"one in the {part} part")
    return parts, split


def _require(path: Path, given: Given, images: Images, least: int, why: str) -> None:
    """Raises BadData for the first class of fewer images."""
    counts = np.bincount(images.labels, minlength=len(given.classes))
    for name, count in zip(given.classes, counts.tolist(), strict=True):
        if count < least:
            raise BadData(
                f"{path}: class {name} has {counted(count, 'image')}, and it takes {least}, {why}; add some or leave "
                "the class out"
            )


def _percent(shares: Sequence[int]) -> str:
    return " / ".join(f"{100 * share / sum(shares):g} %" for share in shares)


def _mixed(images: Images, part: str) -> Images:
    """In an order whose beginnings hold all classes in their shares: a scale takes the first images."""
    return images.at(stratified(images.labels, numpy_stream(0, f"order/own/{part}")))


def _moments(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, pixels on the scale 0..1, from whole counts of the 256 values: the
    same on every machine."""
    values = np.arange(256)
    mean, std = [], []
    for channel in images.pixels.swapaxes(0, 1):
        counts: NDArray[np.int64] = np.bincount(channel.ravel(), minlength=256)
        whole, total, squares = int(counts.sum()), int(counts @ values), int(counts @ values**2)
        mean.append(total / whole / 255)
        std.append(((squares * whole - total**2) / whole**2) ** 0.5 / 255)
    return tuple(mean), tuple(std)
