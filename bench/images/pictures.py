"""A folder of class folders with pictures, whole in memory: what stands behind `folder:PATH`.

```
shapes/circle/1.png, shapes/circle/2.png, …, shapes/square/1.png, …
shapes/train/circle/…, shapes/val/circle/… (or valid/), shapes/test/circle/…
```
Pictures are grey where all are, else of three colours.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from bench.errors import BadData
from bench.images import Images
from bench.images.cache import cached
from bench.images.classes import (
    ENDINGS,
    Picture,
    is_hidden,
    is_picture,
    names_in,
    opened,
    pictures_in,
    require_same,
    squared,
    undecodable,
)
from bench.images.given import Given, Part

GREY = frozenset({"1", "L", "LA"})
COLOUR = frozenset({"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})
"""Pillow's modes of 8 bits a channel; others, of 16 or 32 bits, would be cut off at 255."""
READERS = 4
"""Threads that decode."""
FORM = 1
"""Raised by hand when pixels are made of files in another way: what is cached of earlier ones is not taken then."""
VALID = ("val", "valid")
EXPECTED = "a set of one's own is a folder with a folder of pictures for every class"


@dataclass(frozen=True)
class _Look:
    """What a file says of its picture before it is decoded."""

    size: tuple[int, int]  # as a person sees it
    grey: bool


def read(path: Path, side: int | None) -> Given:
    """The pictures of a folder, decoded once and then cached; side: see `bench.images.own.Place`. Raises BadData."""
    try:
        return _read(path, side)
    except OSError as error:
        why = error.strerror or error
        raise BadData(f"cannot read {error.filename or path}: {why}; check it and its permissions") from None


def _read(path: Path, side: int | None) -> Given:
    if path.is_file():
        raise BadData(f"{path} is a file; folder:PATH takes a folder, and npz:FILE a file of arrays")
    folders = _parts(path)
    classes: list[str] | None = None
    found: dict[Part, list[Picture]] = {}
    for part, folder in folders.items():
        names = names_in(folder, EXPECTED)
        if classes is not None:
            require_same(path, classes, names, f"train/ and {folder.name}/")
        classes = names
        for name in names:
            _require_pictures_alone(folder / name)
        found[part] = pictures_in(folder, names)
    assert classes is not None
    every = [picture for part in found.values() for picture in part]
    pixels = _pixels(path, [file for file, _ in every], side)
    parts: dict[Part, Images] = {}
    for part, some in found.items():
        labels = np.array([label for _, label in some], dtype=np.int64)
        parts[part], pixels = Images(pixels[: len(some)], labels), pixels[len(some) :]
    return Given(parts, classes)


def _parts(root: Path) -> dict[Part, Path]:
    """The folders of parts, or the one of the whole. Raises BadData where it could be either."""
    if not root.is_dir():
        raise BadData(f"there is no folder {root}; {EXPECTED}")
    there = sorted(one.name for one in root.iterdir() if one.is_dir() and not is_hidden(one))
    strays = sorted(one.name for one in root.iterdir() if is_picture(one))
    if strays:
        raise BadData(f"{root / strays[0]} is in no class folder; put it into one, or elsewhere")
    held_out = [name for name in (*VALID, "test") if name in there]
    if "train" not in there or not (held_out or there == ["train"]):
        return {"whole": root}
    others = [name for name in there if name not in ("train", *held_out)]
    if others:
        raise BadData(f"{root} has {others[0]}/ beside train/ and {held_out[0]}/; keep parts or classes in it")
    if not held_out:
        raise BadData(f"{root} has train/ alone; give {root / 'train'}, or put valid/ or test/ beside it")
    if all(name in held_out for name in VALID):
        raise BadData(f"{root} has both val/ and valid/; keep one of them")
    parts: dict[Part, Path] = {"train": root / "train"}
    parts |= {"test" if name == "test" else "valid": root / name for name in held_out}
    return parts


def _require_pictures_alone(folder: Path) -> None:
    """Raises BadData for anything else in a class folder: nothing is passed over in silence."""
    for one in sorted(folder.iterdir()):
        if not is_hidden(one) and not is_picture(one):
            what = "a folder" if one.is_dir() else f"no picture ({', '.join(sorted(ENDINGS))})"
            raise BadData(f"{one} is {what}; take it out of the class folder")


def _pixels(root: Path, files: Sequence[Path], side: int | None) -> NDArray[np.uint8]:
    """`[n, C, H, W]` in the order of the files."""
    digest = hashlib.blake2b(f"{FORM} {PIL.__version__} {side}".encode(), digest_size=16)
    looks = []
    for file in files:
        content = file.read_bytes()
        digest.update(os.fsencode(file.relative_to(root)) + f" {len(content)}\0".encode() + content)
        looks.append(_look(file))
    if side is None:
        side = _side(root, files, looks)
    channels = 1 if all(look.grey for look in looks) else 3

    def decode(file: Path) -> NDArray[np.uint8]:
        return _decoded(file, channels, side)

    def make() -> NDArray[np.uint8]:
        pixels = np.empty((len(files), channels, side, side), dtype=np.uint8)
        with ThreadPoolExecutor(READERS) as readers:
            for k, picture in enumerate(readers.map(decode, files)):
                pixels[k] = picture
        return pixels

    return cached(f"own-{digest.hexdigest()}", (len(files), channels, side, side), make)


def _look(file: Path) -> _Look:
    try:
        with Image.open(file) as picture:
            size, mode, turned = picture.size, picture.mode, picture.getexif().get(0x0112, 1) >= 5
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise undecodable(file, error) from None
    if mode not in GREY | COLOUR:
        raise BadData(f"{file} is a picture of mode {mode}; save it with 8 bits for each channel")
    return _Look((size[1], size[0]) if turned else size, mode in GREY)


def _side(root: Path, files: Sequence[Path], looks: Sequence[_Look]) -> int:
    """That all pictures share. Raises BadData where they do not."""
    first = looks[0].size
    other = next((k for k, look in enumerate(looks) if look.size != first), None)
    smallest = min(min(look.size) for look in looks)
    remedy = f"folder:{root}@{smallest} brings the middle of each to {smallest}x{smallest}"
    if other is not None:
        (wide, high), name = looks[other].size, files[other].relative_to(root)
        raise BadData(
            f"{root} has pictures of several sizes: {files[0].relative_to(root)} has {first[0]}x{first[1]} pixels, "
            f"{name} {wide}x{high}; {remedy}"
        )
    if first[0] != first[1]:
        raise BadData(f"{root} has pictures of {first[0]}x{first[1]} pixels, and networks take squares; {remedy}")
    return first[0]


def _decoded(file: Path, channels: int, side: int) -> NDArray[np.uint8]:
    """`[C, side, side]`: the picture as a person sees it, of one of another size its middle square, resized."""
    picture = ImageOps.exif_transpose(opened(file))
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise BadData(f"{file} has transparent pixels; lay it on a background")
    picture = squared(picture.convert("L" if channels == 1 else "RGB"), side)
    return np.asarray(picture, dtype=np.uint8).reshape(side, side, channels).transpose(2, 0, 1)
