"""CIFAR-10 (JPEG): all of CIFAR-10 in its original order, JPEG-compressed and so lossy, in one small file.

The file holds one JPEG header that all images share, their scans end to end, the length of each, the labels, and the
official NAS-Bench-201 search split. Images 0..49999 are the training set, the rest the test set.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.errors import BadData
from bench.images import TITLES, Images, ImageSet
from bench.images.cache import cached
from bench.images.cifar10 import AUGMENT, CLASSES, MEAN, SIZE, STD
from bench.images.files import absent, arrays, read
from bench.images.splits import JPEG_FILE, official

NAME = "cifar10-jpeg"


def missing(root: Path) -> str | None:
    """What is not in `root`, or None."""
    return None if (root / JPEG_FILE).is_file() else absent(TITLES[NAME], JPEG_FILE, root)


def load(root: Path) -> ImageSet:
    """The two halves of the official search split, and the official test images, decoded once and then cached.

    Raises BadData where the file is damaged.
    """
    path = root / JPEG_FILE
    content = read(path)
    keys = ["header", "scan", "length", "label", "nb201_train", "nb201_valid"]
    header, scan, length, label, first, second = arrays(str(path), content, keys)
    if length.sum(dtype=np.int64) != len(scan) or len(label) != len(length):
        raise BadData(f"{path} is not consistent: its scans, lengths and labels disagree; fetch it again")
    split = official(first, second, len(first) + len(second), path)
    key = hashlib.blake2b(content, digest_size=8).hexdigest()
    shape = (len(length), 3, SIZE, SIZE)
    pixels = cached(f"{NAME}-{key}", shape, lambda: _decode(path, header, scan, length))
    images = Images(pixels, label.astype(np.int64))
    test = np.arange(len(first) + len(second), len(images))
    return ImageSet(
        NAME,
        TITLES[NAME],
        CLASSES,
        train=images.at(split.first),
        valid=images.at(split.second),
        test=images.at(test),
        mean=MEAN,
        std=STD,
        augment=AUGMENT,
        split=split.origin,
    )


def _decode(
    path: Path, header: NDArray[np.uint8], scan: NDArray[np.uint8], length: NDArray[np.uint16]
) -> NDArray[np.uint8]:
    """`[n, 3, 32, 32]` pixels. Raises BadData naming the image that is no JPEG of that size."""
    head, scans, end = header.tobytes(), scan.tobytes(), np.cumsum(length, dtype=np.int64)
    pixels = np.empty((len(length), 3, SIZE, SIZE), dtype=np.uint8)
    for position, (stop, size) in enumerate(zip(end.tolist(), length.tolist(), strict=True)):
        try:
            image = np.asarray(Image.open(io.BytesIO(head + scans[stop - size : stop])))
            pixels[position] = image.transpose(2, 0, 1)
        except (OSError, ValueError, SyntaxError) as error:
            raise BadData(f"image {position} of {path} cannot be decoded ({error}); fetch the file again") from error
    return pixels
