"""Arrays of images and labels in a NumPy archive: what stands behind `npz:FILE`. Nothing in it is unpickled.

A whole set is `images` and `labels` (or `x` and `y`). One in parts is `train_images` and `train_labels`, the same with
`val_` or `valid_`, and with `test_`; or `x_train` and `y_train`, and so on. MedMNIST and the archives of Keras are so.

Images are uint8: `[n, H, W]` grey, `[n, H, W, C]` or `[n, C, H, W]`. Labels are whole numbers from 0: `[n]` or
`[n, 1]`.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.errors import BadData
from bench.images import Images
from bench.images.classes import squared
from bench.images.given import Given, Part

ALIASES: Mapping[Part, tuple[str, ...]] = {"train": ("train",), "valid": ("val", "valid"), "test": ("test",)}
WHOLE = (("images", "labels"), ("x", "y"), ("X", "y"))
NAMES = "images and labels, or train_images, train_labels, the same with valid_ and with test_"
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    MemoryError,
)


def read(path: Path, side: int | None) -> Given:
    """The images of a file; side: see `bench.images.own.Place`. Raises BadData in one line."""
    try:
        return _given(path, _arrays(path), side)
    except BadData as error:
        raise BadData(f"{path}: {error}") from None


def _given(path: Path, arrays: Mapping[str, NDArray[Any]], side: int | None) -> Given:
    names = _names(arrays)
    parts = {part: _images(arrays, *pair, path, side) for part, pair in names.items()}
    shapes = {part: images.pixels.shape[1:] for part, images in parts.items()}
    first, *others = shapes
    for part in others:
        if shapes[part] != shapes[first]:
            raise BadData(f"{names[part][0]} has images of another size or other channels than {names[first][0]}")
    classes = 1 + max(int(images.labels.max()) for images in parts.values())
    every = np.concatenate([images.labels for images in parts.values()])
    if classes < 2:
        raise BadData("all labels are 0: one class; a set has two or more")
    if classes > len(every):  # before anything of that length is made
        raise BadData(f"labels go up to {classes - 1} with {len(every)} images; number classes from 0 without gaps")
    lacking = np.flatnonzero(np.bincount(every, minlength=classes) == 0)
    if len(lacking):
        raise BadData(f"no image has label {lacking[0]}, and labels go up to {classes - 1}; number classes in a row")
    return Given(parts, [str(label) for label in range(classes)])


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if path.is_dir():
        raise BadData("it is a folder; npz:FILE takes a file of arrays, and folder:PATH a folder of class folders")
    if not path.is_file():
        raise BadData("there is no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            if any(not name.endswith(".npy") for name in archive.namelist()):
                raise BadData("it is a zip archive of something else than arrays; write it by numpy.savez")
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _DAMAGED as error:
        if "allow_pickle" in str(error):
            raise BadData("it holds pickled objects, which are never opened; save plain arrays of numbers") from None
        said = " ".join(str(error).split())
        raise BadData(f"it is no complete npz file ({said}); write it by numpy.savez") from None


def _names(arrays: Mapping[str, NDArray[Any]]) -> dict[Part, tuple[str, str]]:
    """The names of images and labels by part. Raises BadData where they are not those of one set."""
    found: dict[Part, tuple[str, str]] = {}
    for part, images, labels in _pairs():
        if images in arrays:
            if part in found:
                raise BadData(f"it holds both {found[part][0]} and {images}; keep one of them")
            if labels not in arrays:
                raise BadData(f"it holds {images} without {labels}")
            found[part] = images, labels
    used = {name for pair in found.values() for name in pair}
    held = ", ".join(sorted(arrays)) or "nothing"
    if not found:
        raise BadData(f"it holds {held[:200]}; a set is {NAMES}")
    if others := sorted(set(arrays) - used):
        raise BadData(f"it also holds {others[0][:60]!r}, which is no part of a set ({NAMES}); leave it out")
    if "whole" in found and len(found) > 1:
        raise BadData(f"it holds a whole set and parts of one ({held[:200]}); keep one of both")
    if "whole" not in found and not ("train" in found and len(found) > 1):
        raise BadData(f"it holds {held[:200]}; parts are train_ and valid_ or test_ or both")
    return found


def _pairs() -> Iterator[tuple[Part, str, str]]:
    for images, labels in WHOLE:
        yield "whole", images, labels
    for part, words in ALIASES.items():
        for word in words:
            yield part, f"{word}_images", f"{word}_labels"
            yield part, f"x_{word}", f"y_{word}"
            yield part, f"X_{word}", f"y_{word}"


def _images(arrays: Mapping[str, NDArray[Any]], images: str, labels: str, path: Path, side: int | None) -> Images:
    pixels, classes = arrays[images], arrays[labels]
    if pixels.dtype != np.uint8:
        raise BadData(f"{images} is {pixels.dtype}; save pixels as uint8, 0 to 255")
    if classes.dtype.kind not in "iu":
        raise BadData(f"{labels} is {classes.dtype}; save classes as whole numbers from 0")
    if pixels.ndim not in (3, 4) or 0 in pixels.shape:
        raise BadData(
            f"{images} is {_shape(pixels)}; images are [n, H, W], [n, H, W, C] or [n, C, H, W], with none of them 0"
        )
    if classes.shape not in ((len(pixels),), (len(pixels), 1)):
        raise BadData(f"{labels} is {_shape(classes)} where {images} is {_shape(pixels)}; there is one label an image")
    numbers = classes.reshape(-1).astype(np.int64)
    if classes.min() < 0 or int(classes.max()) > np.iinfo(np.int32).max:
        raise BadData(f"{labels} goes from {classes.min()} to {classes.max()}; number classes from 0")
    return Images(_squared(_channels_first(pixels, images), images, path, side), numbers)


def _channels_first(pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """`[n, C, H, W]`. Where images are square, the third length is the channels'; else a length of 1 or 3 is."""
    if pixels.ndim == 3:
        return pixels[:, None]
    _, a, b, c = pixels.shape
    last, first = (a == b, b == c) if a == b or b == c else (c in (1, 3), a in (1, 3))
    if last == first:
        raise BadData(f"{name} is {_shape(pixels)}; which length is the channels' cannot be told, save [n, H, W]")
    return pixels.transpose(0, 3, 1, 2) if last else pixels


def _squared(pixels: NDArray[np.uint8], name: str, path: Path, side: int | None) -> NDArray[np.uint8]:
    """Of images of another size the middle square, resized channel by channel."""
    high, wide = pixels.shape[2:]
    if side is None and high != wide:
        least = min(high, wide)
        raise BadData(
            f"{name} has images of {wide}x{high} pixels, and networks take squares; npz:{path}@{least} brings the "
            f"middle of each to {least}x{least}"
        )
    if side is None or (high, wide) == (side, side):
        return np.ascontiguousarray(pixels)
    flat = pixels.reshape(-1, high, wide)
    made = np.empty((len(flat), side, side), dtype=np.uint8)
    for k, plane in enumerate(flat):
        made[k] = np.asarray(squared(Image.fromarray(plane), side))
    return made.reshape(len(pixels), -1, side, side)


def _shape(array: NDArray[Any]) -> str:
    return f"of shape {list(array.shape)}"
