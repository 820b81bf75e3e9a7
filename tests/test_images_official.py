"""CIFAR and ImageNet16-120 against files written here in the official layouts, sound and damaged."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import images
from bench.errors import BadData
from bench.images import Augment, Images, cifar10, cifar100, imagenet16_120, splits
from bench.images.pickles import Published, unpickle

Pixels = NDArray[np.uint8]
PER_FILE = 24


def md5(content: bytes | bytearray) -> str:
    return hashlib.md5(content).hexdigest()


def python2_pickle(value: object) -> bytes:
    """A protocol 2 pickle as Python 2 wrote the CIFAR files: byte strings, and arrays of NumPy before version 2."""

    def put(item: object) -> bytes:
        if isinstance(item, dict):
            return b"}(" + b"".join(put(k) + put(v) for k, v in item.items()) + b"u"
        if isinstance(item, list):
            return b"](" + b"".join(map(put, item)) + b"e"
        if isinstance(item, str | bytes):
            text = item.encode("latin1") if isinstance(item, str) else item
            return b"T" + struct.pack("<i", len(text)) + text
        if isinstance(item, np.ndarray):
            dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            shape = b"(" + b"".join(map(put, item.shape)) + b"t"
            empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
            return empty + b"(K\x01" + shape + dtype + b"\x89" + put(item.tobytes()) + b"tb"
        assert isinstance(item, int)
        return b"J" + struct.pack("<i", item)

    return b"\x80\x02" + put(value) + b"."


@dataclass
class Written:
    """Synthetic official files and what is in them."""

    root: Path
    rows: dict[str, Pixels]  # file name: [n, 3 * size * size]
    labels: dict[str, list[int]]


def store(root: Path, files: Published, contents: Mapping[str, bytes], as_archive: bool) -> Published:
    """Write the files as a folder or an archive; the returned table has their true MD5s."""
    archive = None
    if as_archive:
        assert files.archive is not None
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in reversed(list(contents.items())):  # an archive has its own order
                entry = tarfile.TarInfo(f"{files.folder}/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        (root / files.archive[0]).write_bytes(buffer.getvalue())
        archive = (files.archive[0], md5(buffer.getvalue()))
    else:
        (root / files.folder).mkdir()
        for name, content in contents.items():
            (root / files.folder / name).write_bytes(content)
        archive = files.archive
    return replace(files, members={name: md5(content) for name, content in contents.items()}, archive=archive)


def rows_of(count: int, size: int) -> Pixels:
    """Random rows; no two images are equal."""
    return np.random.default_rng(count).integers(0, 256, (count, 3 * size * size), dtype=np.uint8)


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch, as_archive: bool = False) -> Written:
    names = list(cifar10.FILES.members)
    rows = dict(zip(names, np.split(rows_of(PER_FILE * len(names), 32), len(names)), strict=True))
    labels = {name: [(3 * i + k) % 10 for i in range(PER_FILE)] for k, name in enumerate(names)}
    contents = {
        name: python2_pickle({"batch_label": "b", "labels": labels[name], "data": rows[name], "filenames": ["é.png"]})
        for name in names
    }
    monkeypatch.setattr(cifar10, "FILES", store(root, cifar10.FILES, contents, as_archive))
    return Written(root, rows, labels)


def write_cifar100(root: Path, monkeypatch: pytest.MonkeyPatch, as_archive: bool = False) -> Written:
    rows = dict(zip(("train", "test"), np.split(rows_of(4 * PER_FILE, 32), [3 * PER_FILE]), strict=True))
    labels = {name: [(7 * i) % 100 for i in range(len(part))] for name, part in rows.items()}
    contents = {
        name: python2_pickle({"coarse_labels": [0] * len(part), "fine_labels": labels[name], "data": part})
        for name, part in rows.items()
    }
    monkeypatch.setattr(cifar100, "FILES", store(root, cifar100.FILES, contents, as_archive))
    return Written(root, rows, labels)


def write_imagenet16(root: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    names = list(imagenet16_120.FILES.members)
    rows = dict(zip(names, np.split(rows_of(PER_FILE * len(names), 16), len(names)), strict=True))
    labels = {name: [(11 * i + 31 * k) % 200 + 1 for i in range(PER_FILE)] for k, name in enumerate(names)}
    contents = {  # these were written by Python 3
        name: pickle.dumps({"data": rows[name], "labels": labels[name], "mean": rows[name].mean(0)}, protocol=3)
        for name in names
    }
    monkeypatch.setattr(imagenet16_120, "FILES", store(root, imagenet16_120.FILES, contents, False))
    return Written(root, rows, labels)


def as_image(row: Pixels, size: int) -> Pixels:
    """`[3, size, size]` from a row: red, green, blue plane, each row by row; counted by hand."""
    image = np.empty((3, size, size), dtype=np.uint8)
    for channel in range(3):
        for y in range(size):
            for x in range(size):
                image[channel, y, x] = row[channel * size * size + y * size + x]
    return image


def known(written: Written, names: list[str], size: int) -> dict[bytes, int]:
    """Label by image, over these files."""
    return {
        as_image(row, size).tobytes(): label
        for name in names
        for row, label in zip(written.rows[name], written.labels[name], strict=True)
    }


def content(*parts: Images) -> dict[bytes, int]:
    return {x.tobytes(): int(y) for part in parts for x, y in zip(part.pixels, part.labels, strict=True)}


@pytest.mark.parametrize("as_archive", [False, True], ids=["folder", "archive"])
def test_cifar10_is_what_its_files_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_archive: bool) -> None:
    written = write_cifar10(tmp_path, monkeypatch, as_archive)
    found = images.load("cifar10", tmp_path)
    names = [f"data_batch_{i}" for i in range(1, 6)]
    assert content(found.train, found.valid) == known(written, names, 32)
    assert content(found.test) == known(written, ["test_batch"], 32)
    assert (len(found.train), len(found.valid), len(found.test)) == (60, 60, 24)
    assert not content(found.train).keys() & content(found.valid).keys()
    assert (found.title, found.classes, found.size, found.channels) == ("CIFAR-10", 10, 32, 3)
    assert found.augment == Augment(pad=4, flip=True)
    assert found.split == "split by seed 0"
    assert found.digest == images.load("cifar10", tmp_path).digest


@pytest.mark.parametrize("as_archive", [False, True], ids=["folder", "archive"])
def test_cifar100_trains_on_all_and_halves_the_test_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_archive: bool
) -> None:
    written = write_cifar100(tmp_path, monkeypatch, as_archive)
    found = images.load("cifar100", tmp_path)
    assert content(found.train) == known(written, ["train"], 32)
    assert found.train.labels.tolist() == written.labels["train"]  # in order; fine labels
    assert content(found.valid, found.test) == known(written, ["test"], 32)
    assert len(found.valid) == len(found.test) == PER_FILE // 2
    assert "half of the test set" in found.split
    assert "seed 0" in found.split


def test_imagenet16_keeps_the_first_120_classes_counted_from_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_imagenet16(tmp_path, monkeypatch)
    found = images.load("imagenet16-120", tmp_path)
    names = [f"train_data_batch_{i}" for i in range(1, 11)]

    def expected(*files: str) -> dict[bytes, int]:
        return {x: y - 1 for x, y in known(written, list(files), 16).items() if y <= 120}

    assert content(found.train) == expected(*names)
    assert content(found.valid, found.test) == expected("val_data")
    assert abs(len(found.valid) - len(found.test)) <= 1
    assert (found.classes, found.size, found.augment) == (120, 16, Augment(pad=2, flip=True))
    assert 119 in found.train.labels  # class 120 of the file, the last one kept


def test_published_normalisation() -> None:
    """As NAS-Bench-201 prints them, on the scale 0..255."""
    for module, mean, std in (
        (cifar10, (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
        (cifar100, (129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
        (imagenet16_120, (122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
    ):
        assert np.allclose(np.multiply(module.MEAN, 255), mean)
        assert np.allclose(np.multiply(module.STD, 255), std)


# Splits


def index_file(path: Path, first: list[int], second: list[int], keys: tuple[str, str]) -> str:
    text = json.dumps({key: ["int", [str(i) for i in part]] for key, part in zip(keys, (first, second), strict=True)})
    path.write_text(text)
    return md5(text.encode())


def test_the_official_indices_are_used_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_cifar10(tmp_path, monkeypatch)
    first, second = list(range(0, 120, 2)), list(range(1, 120, 2))
    np.savez(
        tmp_path / splits.JPEG_FILE, nb201_train=np.array(first, np.uint16), nb201_valid=np.array(second, np.uint16)
    )
    rows = np.concatenate([written.rows[f"data_batch_{i}"] for i in range(1, 6)])
    found = images.load("cifar10", tmp_path)
    assert found.split == "official NAS-Bench-201 split"
    assert np.array_equal(found.train.pixels.reshape(60, -1), rows[0::2])
    assert np.array_equal(found.valid.pixels.reshape(60, -1), rows[1::2])

    # The text file goes first.
    digest = index_file(tmp_path / "cifar-split.txt", list(range(40)), list(range(40, 120)), ("train", "valid"))
    monkeypatch.setattr(cifar10, "INDICES", replace(cifar10.INDICES, md5=digest))
    found = images.load("cifar10", tmp_path)
    assert np.array_equal(found.train.pixels.reshape(40, -1), rows[:40])
    assert np.array_equal(found.valid.pixels.reshape(80, -1), rows[40:])


@pytest.mark.parametrize(
    ("module", "write", "name"),
    [(cifar100, write_cifar100, "cifar100"), (imagenet16_120, write_imagenet16, "imagenet16-120")],
)
def test_the_official_x_valid_half(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    write: Callable[[Path, pytest.MonkeyPatch], Written],
    name: str,
) -> None:
    write(tmp_path, monkeypatch)
    by_seed = images.load(name, tmp_path)
    whole = Images.joined([by_seed.valid, by_seed.test])
    order = splits.by_seed(name, len(whole))
    held_out = whole.at(np.argsort(np.concatenate([order.first, order.second])))  # as in the file
    middle = len(held_out) // 2
    first, second = list(range(middle, len(held_out))), list(range(middle))
    digest = index_file(tmp_path / module.INDICES.name, first, second, ("xvalid", "xtest"))
    monkeypatch.setattr(module, "INDICES", replace(module.INDICES, md5=digest))
    found = images.load(name, tmp_path)
    assert np.array_equal(found.valid.pixels, held_out.pixels[middle:])
    assert np.array_equal(found.test.labels, held_out.labels[:middle])
    assert "official NAS-Bench-201 split" in found.split
    assert found.digest != by_seed.digest


def test_an_index_file_of_another_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    index_file(tmp_path / "cifar-split.txt", list(range(60)), list(range(60, 120)), ("train", "valid"))
    with pytest.raises(BadData, match=r"cifar-split\.txt has MD5"):
        images.load("cifar10", tmp_path)


def test_indices_that_overlap_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    np.savez(tmp_path / splits.JPEG_FILE, nb201_train=np.arange(61), nb201_valid=np.arange(60, 119))
    with pytest.raises(BadData, match="not a split of 120 images"):
        images.load("cifar10", tmp_path)


@pytest.mark.parametrize("count", [0, 1, 7, 50_000])
def test_a_split_by_seed_halves_and_covers(count: int) -> None:
    split = splits.by_seed("cifar10", count)
    assert sorted([*split.first, *split.second]) == list(range(count))
    assert len(split.second) - len(split.first) == count % 2


def test_a_split_by_seed_stays_what_it_was() -> None:
    """Records of earlier runs name this split by seed, so it must not move."""
    assert splits.by_seed("cifar10", 50_000).first[:6].tolist() == GOLDEN_SPLIT
    assert splits.by_seed("cifar100", 50_000).first[:6].tolist() != GOLDEN_SPLIT


GOLDEN_SPLIT = [43332, 17110, 9223, 26720, 44587, 8396]


# Files that are not what they should be


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("cifar10", "cifar-10-python.tar.gz, or data_batch_1 to test_batch in its folder cifar-10-batches-py"),
        ("cifar100", "cifar-100-python.tar.gz, or train, test in its folder cifar-100-python"),
        ("imagenet16-120", "train_data_batch_1 to val_data in its folder ImageNet16"),
        ("cifar10-jpeg", "cifar10_jpeg.npz"),
    ],
)
def test_missing_files_are_named(tmp_path: Path, name: str, wanted: str) -> None:
    reason = images.available(name, tmp_path)
    assert reason is not None
    for part in (images.TITLES[name], wanted, str(tmp_path), "SUPERNET_BENCH_DATA"):
        assert part in reason
    assert "\n" not in reason
    with pytest.raises(BadData) as error:
        images.load(name, tmp_path)
    assert str(error.value) == reason


def test_one_missing_batch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    assert images.available("cifar10", tmp_path) is None
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
    assert "data_batch_3 in its folder" in str(images.available("cifar10", tmp_path))


def test_a_changed_file_is_refused_with_both_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    damaged = bytearray(path.read_bytes())
    damaged[1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(BadData) as error:
        images.load("cifar10", tmp_path)
    for part in (str(path), md5(damaged), cifar10.FILES.members["data_batch_2"]):
        assert part in str(error.value)


def test_a_truncated_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch, as_archive=True)
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadData, match=rf"has MD5 {md5(path.read_bytes())} .*expected [0-9a-f]{{32}}.*incomplete"):
        images.load("cifar10", tmp_path)
    # Even where the hash were right, what cannot be unpacked is an error of the file.
    assert cifar10.FILES.archive is not None
    cut = replace(cifar10.FILES, archive=(cifar10.FILES.archive[0], md5(path.read_bytes())))
    monkeypatch.setattr(cifar10, "FILES", cut)
    with pytest.raises(BadData, match=r"cannot be unpacked|lacks"):
        images.load("cifar10", tmp_path)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\xef\xbb\xbf\n <HTML><head>", b"<?xml version='1.0'?>"])
@pytest.mark.parametrize(
    ("name", "file"), [("cifar10", "cifar-10-python.tar.gz"), ("cifar10-jpeg", "cifar10_jpeg.npz")]
)
def test_a_web_page_is_called_one(tmp_path: Path, name: str, file: str, page: bytes) -> None:
    (tmp_path / file).write_bytes(page)
    with pytest.raises(BadData, match=rf"{file} is a web page"):
        images.load(name, tmp_path)


def test_an_unreadable_file_is_an_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar100(tmp_path, monkeypatch)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(BadData, match=r"cannot read .*train: Permission denied"):
        images.load("cifar100", tmp_path)


class Shell:
    """Runs a command when it is unpickled in the ordinary way."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_malicious_pickle_is_refused_even_where_its_hash_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar100(tmp_path, monkeypatch)
    trace = tmp_path / "trace"
    payload = pickle.dumps({"data": Shell(f"touch {trace}"), "fine_labels": []}, protocol=2)
    pickle.loads(payload)
    assert trace.exists(), "the payload works in the ordinary way"
    trace.unlink()
    (tmp_path / "cifar-100-python" / "train").write_bytes(payload)
    members = {**cifar100.FILES.members, "train": md5(payload)}
    monkeypatch.setattr(cifar100, "FILES", replace(cifar100.FILES, members=members))
    with pytest.raises(BadData, match=r"asks for \w+\.system"):
        images.load("cifar100", tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "payload",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cbuiltins\ngetattr\n.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"(ios\nsystem\n.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
    ],
)
def test_the_unpickler_knows_arrays_only(payload: bytes) -> None:
    with pytest.raises(BadData):
        unpickle("file", payload)


@pytest.mark.parametrize(
    "payload", [b"", b"no pickle", b"\x80\x02}(", b"K\x01.", b"\x80\x02cnumpy\ndtype\nK\x01\x85R."]
)
def test_a_broken_pickle_is_an_error_of_the_file(payload: bytes) -> None:
    with pytest.raises(BadData, match="batch_x"):
        unpickle("batch_x", payload)
