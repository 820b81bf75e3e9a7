"""Oriented patches: a procedural image set, the same on every machine, that ranks cells much as photographs do.

Each 8x8 grey image holds two oriented wave packets (Gabor patches) on a slanted background; the class is the
unordered pair of their orientations (4 orientations, 10 classes). Place, phase, frequency, contrast,
background and noise vary, so that a network must find two local, rotated structures anywhere and tell which
pair they are: depth, 3x3 convolutions and width all help, as on CIFAR-10.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

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
BLOCK = 500  # images that are drawn together: what is computed of them stays in a processor's cache

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


class _Packets(NamedTuple):
    """One wave packet per image; each field is `[n, 1, 1]`."""

    x: NDArray[np.float64]  # of the centre, pixels
    y: NDArray[np.float64]
    angle: NDArray[np.float64]  # radians
    frequency: NDArray[np.float64]
    phase: NDArray[np.float64]
    contrast: NDArray[np.float64]

    @classmethod
    def drawn(cls, rng: np.random.RandomState, orientation: NDArray[np.int64], centre: NDArray[np.float64]) -> _Packets:
        """orientation: `[n]` 0..3; centre: `[n, 2]` pixels."""
        count = len(orientation)
        angle = (np.pi * orientation / ORIENTATIONS + WOBBLE * rng.standard_normal(count))[:, None, None]
        frequency, phase, contrast = (
            rng.uniform(low, high, (count, 1, 1)) for low, high in (FREQUENCY, (0, 2 * np.pi), CONTRAST)
        )
        x, y = centre.T[:, :, None, None]
        return cls(x, y, angle, frequency, phase, contrast)

    def signal(self, some: slice) -> NDArray[np.float64]:
        """`[m, SIZE, SIZE]` of some images."""
        left, top, angle, frequency, phase, contrast = (field[some] for field in self)
        y, x = np.ogrid[0:SIZE, 0:SIZE]
        dx, dy = x - left, y - top
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
    packets = [_Packets.drawn(rng, pair[:, k], centres[:, 2 * k : 2 * k + 2]) for k in (0, 1)]
    level, slant_x, slant_y = BACKGROUND * rng.standard_normal((3, count, 1, 1))
    y, x = np.ogrid[0:SIZE, 0:SIZE]
    across, down = x / SIZE - 0.5, y / SIZE - 0.5
    pixels = np.empty((count, 1, SIZE, SIZE), np.uint8)
    for start in range(0, count, BLOCK):
        some = slice(start, start + BLOCK)
        signal = packets[0].signal(some) + packets[1].signal(some)
        ground = level[some] + slant_x[some] * across + slant_y[some] * down
        signal += ground + NOISE * rng.standard_normal(signal.shape)
        pixels[some, 0] = np.clip(np.rint(127.5 + GREY_PER_UNIT * signal), 0, 255)
    return pixels, labels.astype(np.int64)


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
