"""ImageNet16-120: the first 120 classes of ImageNet at 16 x 16 pixels, parted as NAS-Bench-201 parts it.

The files are the official downsampled batches (Chrabaszcz, Loshchilov and Hutter, 2017). A search trains on all
training images and validates on one half of the official validation set ("x-valid"); the other half is the test set
here (Dong & Yang, ICLR 2020, section 2.2).
"""

from __future__ import annotations

from pathlib import Path

from bench.images import TITLES, Augment, Images, ImageSet, splits
from bench.images.pickles import Published, images_of

NAME = "imagenet16-120"
CLASSES = 120
SIZE = 16  # pixels of a side
MEAN = (122.68 / 255, 116.66 / 255, 104.01 / 255)  # as NAS-Bench-201 normalises
STD = (63.22 / 255, 61.26 / 255, 65.09 / 255)
AUGMENT = Augment(pad=2, flip=True)

TEST_FILE = "val_data"
FILES = Published(
    TITLES[NAME],
    "ImageNet16",
    {
        "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
        "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
        "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
        "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
        "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
        "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
        "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
        "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
        "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
        "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
        TEST_FILE: "3410e3017fdaefba8d5073aaa65e4bd6",
    },
)
INDICES = splits.IndexFile("imagenet-16-120-test-split.txt", "670c7749b090d2e937e20d10e811be22", ("xvalid", "xtest"))


def missing(root: Path) -> str | None:
    """What is not in `root`, or None."""
    return FILES.missing(root)


def load(root: Path) -> ImageSet:
    """The training images of the first 120 classes, and the validation images of these in two halves."""
    parts = {name: _first_classes(images_of(batch, SIZE, first=1)) for name, batch in FILES.read(root)}
    held_out = parts.pop(TEST_FILE)
    split = INDICES.split(root, len(held_out)) or splits.by_seed(NAME, len(held_out))
    return ImageSet(
        NAME,
        TITLES[NAME],
        CLASSES,
        train=Images.joined(list(parts.values())),
        valid=held_out.at(split.first),
        test=held_out.at(split.second),
        mean=MEAN,
        std=STD,
        augment=AUGMENT,
        split=f"valid is half of the validation set, {split.origin}",
    )


def _first_classes(images: Images) -> Images:
    return images.at((images.labels < CLASSES).nonzero()[0])
