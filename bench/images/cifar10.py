"""CIFAR-10 from the official files (Krizhevsky, 2009), parted as in NAS-Bench-201 where its indices are at hand."""

from __future__ import annotations

from pathlib import Path

from bench.images import TITLES, Augment, Images, ImageSet, splits
from bench.images.pickles import Published, images_of

NAME = "cifar10"
CLASSES = 10
SIZE = 32  # pixels of a side
MEAN = (125.3 / 255, 123.0 / 255, 113.9 / 255)  # as NAS-Bench-201 normalises
STD = (63.0 / 255, 62.1 / 255, 66.7 / 255)
AUGMENT = Augment(pad=4, flip=True)

TEST_FILE = "test_batch"
FILES = Published(
    TITLES[NAME],
    "cifar-10-batches-py",
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        TEST_FILE: "40351d587109b95175f43aff81a1287e",
    },
    archive=("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
)
INDICES = splits.IndexFile("cifar-split.txt", "2da7627956f17981dc0b841ab8385f37", ("train", "valid"))


def missing(root: Path) -> str | None:
    """What is not in `root`, or None."""
    return FILES.missing(root)


def load(root: Path) -> ImageSet:
    """The official training images in two halves, and the official test images."""
    parts = {name: images_of(batch, SIZE) for name, batch in FILES.read(root)}
    test = parts.pop(TEST_FILE)
    whole = Images.joined(list(parts.values()))
    count = len(whole)
    split = INDICES.split(root, count) or splits.beside_jpeg(root, count) or splits.by_seed(NAME, count)
    return ImageSet(
        NAME,
        TITLES[NAME],
        CLASSES,
        train=whole.at(split.first),
        valid=whole.at(split.second),
        test=test,
        mean=MEAN,
        std=STD,
        augment=AUGMENT,
        split=split.origin,
    )
