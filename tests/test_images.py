"""Names, types and digests of image sets, and the procedural set against its own definition."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import images
from bench.errors import BadData, BadSpec, UnknownName
from bench.folders import data_folder
from bench.images import Augment, Images, ImageSet, patches


def test_an_unknown_name_offers_the_nearest() -> None:
    for call in (images.load, images.available):
        with pytest.raises(UnknownName, match="did you mean 'cifar100'"):
            call("cifar-100")


def test_where_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = tmp_path / "shared" / "data"
    monkeypatch.setattr("bench.folders.REPOSITORY", tmp_path / "repository")
    monkeypatch.delenv("SUPERNET_BENCH_DATA", raising=False)
    assert data_folder() == Path("data")
    beside.mkdir(parents=True)
    assert data_folder() == beside
    monkeypatch.setenv("SUPERNET_BENCH_DATA", str(tmp_path / "named"))
    assert data_folder() == tmp_path / "named"
    assert data_folder(tmp_path / "given") == tmp_path / "given"


def test_images_are_checked() -> None:
    pixels, labels = np.zeros((4, 3, 8, 8), np.uint8), np.arange(4)
    wrong: list[tuple[NDArray[Any], NDArray[Any]]] = [
        (pixels.astype(np.float32), labels),
        (pixels[..., :7], labels),
        (pixels, labels[:3]),
        (pixels, labels.astype(np.int32)),
    ]
    for pair in wrong:
        with pytest.raises(BadData, match="images are square"):
            Images(*pair)
    some = Images(pixels, labels)
    with pytest.raises(BadData, match=r"labels outside 0\.\.2"):
        image_set([some, some, some], classes=3)


def test_take_gives_the_first_and_no_more() -> None:
    some = Images(np.zeros((4, 1, 2, 2), np.uint8), np.arange(4))
    assert some.take(3).labels.tolist() == [0, 1, 2]
    assert len(some.take(0)) == 0
    for count in (5, -1):
        with pytest.raises(BadSpec, match=f"cannot take {count} of 4"):
            some.take(count)


def image_set(parts: list[Images], classes: int = 10) -> ImageSet:
    train, valid, test = parts
    return ImageSet("x", "X", classes, train, valid, test, (0.5,), (0.2,), Augment(0, False), "by hand")


def test_the_digest_covers_everything_that_counts() -> None:
    rng = np.random.default_rng(0)
    parts = [Images(rng.integers(0, 256, (n, 1, 2, 2), dtype=np.uint8), rng.integers(0, 10, n)) for n in (4, 3, 2)]
    digest = image_set(parts).digest
    by_hand = hashlib.blake2b(digest_size=16)
    for part in parts:
        by_hand.update(f"({len(part)}, 1, 2, 2)".encode() + part.pixels.tobytes())
        by_hand.update(struct.pack(f"<{len(part)}q", *part.labels))
    assert digest == by_hand.hexdigest()
    strided = Images(np.repeat(parts[0].pixels, 2, axis=0)[::2], np.repeat(parts[0].labels, 2)[::2])
    assert image_set([strided, *parts[1:]]).digest == digest
    pixels = parts[2].pixels.copy()
    pixels[-1, 0, 1, 1] ^= 1
    labels = parts[1].labels.copy()
    labels[0] = (labels[0] + 1) % 10
    others = [
        image_set([parts[0], parts[1], Images(pixels, parts[2].labels)]).digest,
        image_set([parts[0], Images(parts[1].pixels, labels), parts[2]]).digest,
        image_set([parts[0], parts[2], parts[1]]).digest,
    ]
    assert len({digest, *others}) == 4


# Oriented patches


@pytest.fixture(scope="module")
def oriented() -> ImageSet:
    return images.load("patches")


def test_patches_are_the_first_drawing_cut_in_three(oriented: ImageSet) -> None:
    pixels, labels = patches.draw(36_000, seed=0)
    for part, place in (
        (oriented.train, slice(0, 24_000)),
        (oriented.valid, slice(24_000, 30_000)),
        (oriented.test, slice(30_000, 36_000)),
    ):
        assert np.array_equal(part.pixels, pixels[place])
        assert np.array_equal(part.labels, labels[place])
    assert (oriented.size, oriented.channels, oriented.classes) == (8, 1, 10)
    assert oriented.augment == Augment(pad=0, flip=False)
    assert images.available("patches") is None


def test_another_drawing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "NOISE", 0.30001)
    with pytest.raises(BadData, match="NumPy"):
        images.load("patches")


def test_patches_are_balanced_and_within_range(oriented: ImageSet) -> None:
    parts = (oriented.train, oriented.valid, oriented.test)
    assert (np.bincount(np.concatenate([part.labels for part in parts])) == 3_600).all()
    pixels = oriented.train.pixels
    assert pixels.min() > 0  # nothing is clipped
    assert pixels.max() < 255
    assert pixels.mean() / 255 == pytest.approx(oriented.mean[0], abs=0.005)
    assert pixels.std() / 255 == pytest.approx(oriented.std[0], rel=0.02)


def test_class_means_do_not_tell_patches_apart(oriented: ImageSet) -> None:
    """Phase and place are random, so images of a class are alike in no pixel: the nearest mean is near chance."""
    flat = [part.pixels.reshape(len(part), -1).astype(float) for part in (oriented.train, oriented.valid)]
    means = np.stack([flat[0][oriented.train.labels == label].mean(0) for label in range(10)])
    distance = ((flat[1][:, None] - means) ** 2).sum(-1)
    assert np.mean(distance.argmin(1) == oriented.valid.labels) < 0.16


def test_the_label_is_the_pair_of_orientations_in_the_spectrum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise, the two strongest directions of the power spectrum are the pair; the strongest, an equal pair."""
    monkeypatch.setattr(patches, "NOISE", 0.0)
    monkeypatch.setattr(patches, "BACKGROUND", 0.0)
    pixels, labels = patches.draw(2_000, seed=5)
    power = np.abs(np.fft.fft2(pixels[:, 0] - 127.5, (64, 64))) ** 2
    frequency = 2 * np.pi * np.fft.fftfreq(64)  # radians per pixel
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius, direction = np.hypot(fx, fy), np.rint(np.arctan2(fy, fx) / (np.pi / 4)).astype(int) % 4
    band = (radius > 1.2) & (radius < 2.5)
    energy = np.stack([power[:, band & (direction == o)].sum(1) for o in range(4)], axis=1)
    strongest = np.argsort(-energy, axis=1)
    pairs = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]
    agree = [
        top[0] == a if a == b else {*top[:2]} == {a, b}
        for top, (a, b) in zip(strongest.tolist(), (pairs[label] for label in labels), strict=True)
    ]
    assert np.mean(agree) > 0.98
