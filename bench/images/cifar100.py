"""CIFAR-100 from the official files (Krizhevsky, 2009), parted as NAS-Bench-201 parts it.

A search trains on the whole training set and validates on one half of the official test set ("x-valid"); the other
half is the test set here (Dong & Yang, ICLR 2020, section 2.2).
"""

from __future__ import annotations

from pathlib import Path

from bench.images import TITLES, Augment, ImageSet, splits
from bench.images.pickles import Published, images_of

NAME = "cifar100"
CLASSES = 100
SIZE = 32  # pixels of a side
MEAN = (129.3 / 255, 124.1 / 255, 112.4 / 255)  # as NAS-Bench-201 normalises
STD = (68.2 / 255, 65.4 / 255, 70.4 / 255)
AUGMENT = Augment(pad=4, flip=True)

FILES = Published(
    TITLES[NAME],
    "cifar-100-python",
    {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    archive=("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
)
INDICES = splits.IndexFile("cifar100-test-split.txt", "16f51963f0ccd95cb6c08c33ca4c1665", ("xvalid", "xtest"))


def missing(root: Path) -> str | None:
    """What is not in `root`, or None."""
    return FILES.missing(root)


def load(root: Path) -> ImageSet:
    """The official training images, and the official test images in two halves."""
    parts = {name: images_of(batch, SIZE, labels="fine_labels") for name, batch in FILES.read(root)}
    held_out = parts["test"]
    split = INDICES.split(root, len(held_out)) or splits.by_seed(NAME, len(held_out))
    return ImageSet(
        NAME,
        TITLES[NAME],
        CLASSES,
        train=parts["train"],
        valid=held_out.at(split.first),
        test=held_out.at(split.second),
        mean=MEAN,
        std=STD,
        augment=AUGMENT,
        split=f"valid is half of the test set, {split.origin}",
    )
