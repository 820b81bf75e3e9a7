"""The JPEG set against pillow, its cache against damage, and the real file, where present, against known facts."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench import images
from bench.errors import BadData
from bench.folders import data_folder
from bench.images import cache, cifar10_jpeg

Pixels = NDArray[np.uint8]


def jpeg_file(root: Path, count: int = 40) -> list[Pixels]:
    """A file in the layout of the JPEG set, of smooth random images; returns each as pillow decodes it, [32, 32, 3]."""
    rng = np.random.default_rng(3)
    header, scans, decoded = b"", [], []
    for coarse in rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8):
        buffer = io.BytesIO()
        Image.fromarray(coarse).resize((32, 32)).save(buffer, "JPEG", quality=75)
        whole = buffer.getvalue()
        start = whole.index(b"\xff\xda")
        start += 2 + int.from_bytes(whole[start + 2 : start + 4], "big")  # the scan's own header belongs to the header
        assert header in (b"", whole[:start])
        header = whole[:start]
        scans.append(whole[start:])
        decoded.append(np.asarray(Image.open(buffer)))
    np.savez(
        root / "cifar10_jpeg.npz",
        header=np.frombuffer(header, np.uint8),
        scan=np.frombuffer(b"".join(scans), np.uint8),
        length=np.array([len(scan) for scan in scans], np.uint16),
        label=np.arange(count, dtype=np.uint8) % 10,
        nb201_train=np.arange(0, count - 10, 2, dtype=np.uint16),
        nb201_valid=np.arange(1, count - 10, 2, dtype=np.uint16),
    )
    return decoded


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SUPERNET_BENCH_CACHE", raising=False)
    return tmp_path / "cache" / "supernet-bench"


def test_jpeg_images_are_decoded_in_order(tmp_path: Path, cache_home: Path) -> None:
    decoded = jpeg_file(tmp_path)
    found = images.load("cifar10-jpeg", tmp_path)
    assert (len(found.train), len(found.valid), len(found.test)) == (15, 15, 10)
    for part, places in ((found.train, range(0, 30, 2)), (found.valid, range(1, 30, 2)), (found.test, range(30, 40))):
        for pixels, label, place in zip(part.pixels, part.labels, places, strict=True):
            assert np.array_equal(pixels.transpose(1, 2, 0), decoded[place])
            assert label == place % 10
    assert found.title == "CIFAR-10 (JPEG)"
    assert found.split == "official NAS-Bench-201 split"


def test_decoded_images_come_from_the_cache(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg_file(tmp_path)
    first = images.load("cifar10-jpeg", tmp_path)
    assert len(list(cache_home.iterdir())) == 1  # and no temporary file
    with monkeypatch.context() as patch:
        patch.setattr(cifar10_jpeg, "_decode", None)
        assert images.load("cifar10-jpeg", tmp_path).digest == first.digest
    jpeg_file(tmp_path, count=50)  # other content, another cache
    assert len(images.load("cifar10-jpeg", tmp_path).train) == 20
    assert len(list(cache_home.iterdir())) == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "longer"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, cache_home: Path, damage: str) -> None:
    jpeg_file(tmp_path)
    digest = images.load("cifar10-jpeg", tmp_path).digest
    (path,) = cache_home.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes({"flip": bytes(flipped), "cut": whole[:-1], "empty": b"", "longer": whole + b"\0"}[damage])
    with pytest.warns(UserWarning, match="damaged"):
        assert images.load("cifar10-jpeg", tmp_path).digest == digest
    assert path.read_bytes() == whole
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert images.load("cifar10-jpeg", tmp_path).digest == digest


def test_the_cache_can_be_off(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg_file(tmp_path)
    monkeypatch.setenv("SUPERNET_BENCH_CACHE", "off")
    images.load("cifar10-jpeg", tmp_path)
    assert not cache_home.exists()


def test_a_cache_that_cannot_be_written_or_read_is_a_warning(tmp_path: Path, cache_home: Path) -> None:
    jpeg_file(tmp_path)
    cache_home.parent.mkdir()
    cache_home.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match=r"cannot write the cache .*SUPERNET_BENCH_CACHE=off"):
        digest = images.load("cifar10-jpeg", tmp_path).digest
    cache_home.unlink()
    images.load("cifar10-jpeg", tmp_path)
    (path,) = cache_home.iterdir()
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match=r"cannot (read|write) the cache") as warned:
        assert images.load("cifar10-jpeg", tmp_path).digest == digest
    assert len(warned) == 2
    assert list(cache_home.iterdir()) == [path]  # the temporary file is gone


def test_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("SUPERNET_BENCH_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "supernet-bench"


def test_a_damaged_jpeg_file_is_an_error_of_the_file(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever byte is wrong, the outcome is either the same images or one line."""
    monkeypatch.setenv("SUPERNET_BENCH_CACHE", "off")
    jpeg_file(tmp_path)
    path = tmp_path / "cifar10_jpeg.npz"
    whole, digest = path.read_bytes(), images.load("cifar10-jpeg", tmp_path).digest
    refused = 0
    for place in range(0, len(whole), len(whole) // 300):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            assert images.load("cifar10-jpeg", tmp_path).digest == digest
        except BadData as error:
            refused += 1
            assert "cifar10_jpeg.npz" in str(error)  # noqa: PT017
    assert refused > 250
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadData, match="no complete npz file"):
        images.load("cifar10-jpeg", tmp_path)


def test_scans_that_do_not_add_up_and_images_that_do_not_decode(tmp_path: Path, cache_home: Path) -> None:
    jpeg_file(tmp_path)
    path = tmp_path / "cifar10_jpeg.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **{**arrays, "scan": arrays["scan"][:-1]})
    with pytest.raises(BadData, match="disagree"):
        images.load("cifar10-jpeg", tmp_path)
    small = io.BytesIO()
    Image.new("RGB", (16, 16)).save(small, "JPEG", quality=75)
    for header, reason in ((small.getvalue()[:-20], "image 0 "), (b"\0" * 20, "image 0 ")):
        np.savez(path, **{**arrays, "header": np.frombuffer(header, np.uint8)})
        with pytest.raises(BadData, match=reason):
            images.load("cifar10-jpeg", tmp_path)
    assert not cache_home.exists()


@pytest.fixture
def real_jpeg() -> Path:
    reason = images.available("cifar10-jpeg")
    if reason is not None:
        pytest.skip(reason)
    return data_folder()


def test_the_jpeg_file_has_the_published_labels_and_split(real_jpeg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels of the first images of CIFAR-10 as everybody knows them: frog, truck, truck, deer, ...; cat, ship, ..."""
    places = np.arange(60_000, dtype=np.uint32).view(np.uint8).reshape(-1, 4, 1, 1)

    def numbered(path: Path, header: Pixels, scan: Pixels, length: NDArray[np.uint16]) -> Pixels:
        return np.broadcast_to(places.reshape(-1, 1, 2, 2), (60_000, 3, 2, 2)).copy()  # decoding takes a while

    monkeypatch.setenv("SUPERNET_BENCH_CACHE", "off")
    monkeypatch.setattr(cifar10_jpeg, "_decode", numbered)
    found = images.load("cifar10-jpeg", real_jpeg)
    assert (len(found.train), len(found.valid), len(found.test)) == (25_000, 25_000, 10_000)
    place = [
        np.ascontiguousarray(part.pixels[:, 0]).reshape(-1, 4).view(np.uint32)[:, 0]
        for part in (found.train, found.valid, found.test)
    ]
    assert place[0][:8].tolist() == [0, 5, 7, 11, 13, 15, 16, 17]
    assert place[1][:8].tolist() == [1, 2, 3, 4, 6, 8, 9, 10]
    assert np.array_equal(place[2], np.arange(50_000, 60_000))
    assert np.array_equal(np.sort(np.concatenate(place)), np.arange(60_000))
    labels = np.empty(60_000, np.int64)
    for part, where in zip((found.train, found.valid, found.test), place, strict=True):
        labels[where] = part.labels
    assert labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    assert labels[50_000:50_010].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    assert (np.bincount(labels[:50_000]) == 5_000).all()
    assert (np.bincount(labels[50_000:]) == 1_000).all()


def test_the_jpeg_images_have_the_published_colours(real_jpeg: Path) -> None:
    """Mean and deviation of each channel over the first images are CIFAR-10's: decoded right, red first."""
    with np.load(real_jpeg / "cifar10_jpeg.npz") as stored:
        length = stored["length"][:3_000]
        scan = stored["scan"][: int(length.sum(dtype=np.int64))]
        pixels = cifar10_jpeg._decode(real_jpeg, stored["header"], scan, length)
    assert pixels.mean((0, 2, 3)) == pytest.approx([125.3, 123.0, 113.9], abs=2.5)
    assert pixels.std((0, 2, 3)) == pytest.approx([63.0, 62.1, 66.7], abs=2.5)
