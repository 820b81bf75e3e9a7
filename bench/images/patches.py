"""Oriented patches: a procedural image set, the same on every machine, that ranks cells much as photographs do.

Each 8x8 grey image holds two oriented wave packets (Gabor patches) on a slanted background; the class is the
unordered pair of their orientations (4 orientations, 10 classes). Place, phase, frequency, contrast,
background and noise vary, so that a network must find two local, rotated structures anywhere and tell which
pair they are: depth, 3x3 convolutions and width all help, as on CIFAR-10.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadData
from bench.images import TITLES, Augment, Images, ImageSet

NAME = "patches"
ORIENTATIONS = 4
PAIRS = tuple((a, b) for a in range(ORIENTATIONS) for b in range(a, ORIENTATIONS))
CLASSES = len(PAIRS)

SIZE = 8  # pixels
ENVELOPE = 1.4  # standard deviation of a patch, pixels
APART = 2.2 * ENVELOPE  # least distance between the two centres, pixels
FREQUENCY = (1.4, 2.2)  # radians per pixel
CONTRAST = (0.8, 1.6)
WOBBLE = 0.08  # standard deviation of the orientation, radians
BACKGROUND = 0.4  # standard deviation of level and slants
NOISE = 0.3  # standard deviation of the pixel noise
GREY_PER_UNIT = 32.0  # pixel = 127.5 + 32 * signal, rounded and clipped to 0..255

MEAN, STD = 127.5 / 255, 0.65 * GREY_PER_UNIT / 255  # for normalising; fixed, so that no subset moves them

SEED = 0
TRAIN, VALID, TEST = 24_000, 6_000, 6_000  # images of the three parts, cut from one drawing in this order
DIGEST = "6307f3a7cb308fed7cf701fdd7ccc672"  # every table of results stands on these pixels


def _centres(rng: np.random.RandomState, count: int) -> NDArray[np.float64]:
    """`[count, 4]` x, y of both patches, redrawn until the two are far enough apart."""
    low, high = ENVELOPE, SIZE - 1 - ENVELOPE
    centres = rng.uniform(low, high, (count, 4))
    while True:
        gap = np.hypot(centres[:, 0] - centres[:, 2], centres[:, 1] - centres[:, 3])
        near = np.flatnonzero(gap <= APART)
        if not near.size:
            return centres
        centres[near] = rng.uniform(low, high, (near.size, 4))


def _packets(
    rng: np.random.RandomState, orientation: NDArray[np.int64], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`[n, SIZE, SIZE]` one wave packet per image. orientation: `[n]` 0..3; centre: `[n, 2]` pixels."""
    count = len(orientation)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64)
    angle = (np.pi * orientation / ORIENTATIONS + WOBBLE * rng.standard_normal(count))[:, None, None]
    frequency, phase, contrast = (
        rng.uniform(low, high, (count, 1, 1)) for low, high in (FREQUENCY, (0, 2 * np.pi), CONTRAST)
    )
    dx, dy = x - centre[:, 0, None, None], y - centre[:, 1, None, None]
    wave = np.cos(frequency * (dx * np.cos(angle) + dy * np.sin(angle)) + phase)
    packet: NDArray[np.float64] = contrast * np.exp(-(dx**2 + dy**2) / (2 * ENVELOPE**2)) * wave
    return packet


def draw(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels `[count, 1, 8, 8]` uint8 and labels `[count]` 0..9, classes as equal in number as `count` allows.

    `RandomState` is used because NumPy promises never to change its streams.
    """
    rng = np.random.RandomState(seed)
    labels = rng.permutation(np.arange(count) % CLASSES)
    pair = np.array(PAIRS)[labels]
    centres = _centres(rng, count)
    signal = _packets(rng, pair[:, 0], centres[:, :2]) + _packets(rng, pair[:, 1], centres[:, 2:])
    level, slant_x, slant_y = BACKGROUND * rng.standard_normal((3, count, 1, 1))
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE - 0.5
    signal += level + slant_x * x + slant_y * y + NOISE * rng.standard_normal(signal.shape)
    pixels = np.clip(np.rint(127.5 + GREY_PER_UNIT * signal), 0, 255).astype(np.uint8)
    return pixels[:, None], labels.astype(np.int64)


def missing(root: Path) -> str | None:
    """Nothing: the set is drawn, not read."""
    return None


def load(root: Path) -> ImageSet:
    """The set; no file is read. Raises BadData where a pixel differs from those that the tables of results stand on."""
    whole = Images(*draw(TRAIN + VALID + TEST, SEED))
    train, valid, test = (
        Images(whole.pixels[start : start + count], whole.labels[start : start + count])
        for start, count in ((0, TRAIN), (TRAIN, VALID), (TRAIN + VALID, TEST))
    )
    image_set = ImageSet(
        NAME,
        TITLES[NAME],
        CLASSES,
        train,
        valid,
        test,
        mean=(MEAN,),
        std=(STD,),
        augment=Augment(pad=0, flip=False),  # a mirrored patch is of another class
        split="fixed by the generator",
    )
    if image_set.digest != DIGEST:
        raise BadData(
            f"the oriented patches drawn here have digest {image_set.digest}, expected {DIGEST}: "
            f"NumPy {np.__version__} draws or rounds otherwise on this machine; install another release of NumPy"
        )
    return image_set
