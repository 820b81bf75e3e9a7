"""300 damaged files of every format, through the command: refused in one line, none executed, nothing written over."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pickle
import random
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import nas_201_api.api_utils
import nats_bench
import pyarrow.parquet as pq
import pytest
import torch

from bench.cli.commands import main
from bench.spaces.nb201 import SPACE
from bench.truth import plausible
from bench.truth.column import MEAN
from bench.truth.convert import COLUMNS, convert_csv
from bench.truth.official import children
from bench.truth.official.children import Child
from tests import official_files as made

CASES = 300
FAST = [case for case in range(CASES) if case % 5 == case // 45 % 5]
"""Sixty of them, in which every format meets every damage."""

KINDS = ("folder", "archive", "nats", "pth", "legacy", "naslib", "csv", "csvgz", "table")
DAMAGES = ("truncated", "flipped", "swapped", "foreign", "hostile")
UNCHECKED = {("naslib", "flipped"), ("legacy", "flipped")}
"""Once the user vouches for such a file, a flipped bit may pass as another number: nothing in it could tell."""

INDICES = (0, 11, 284, 15_624)
NAMES = {
    "folder": "NATS-tss-v1_0-made-up-simple",
    "archive": "NATS-tss-v1_0-made-up-simple.tar",
    "nats": "NATS-tss-v1_0-made-up.pickle.pbz2",
    "pth": "NAS-Bench-201-v1_1-made-up.pth",
    "legacy": "NAS-Bench-201-v1_0-made-up.pth",
    "naslib": "nb201_cifar10_full_training.pickle",
    "csv": "extract.csv",
    "csvgz": "extract.csv.gz",
    "table": "table.parquet",
}


# --- files that are right


def extract(rng: random.Random, heading: list[str]) -> str:
    """A whole extract in which every column has numbers that only its number of images gives."""
    columns = {
        name: (plausible.IMAGES[what.dataset, what.split] * (3 if what.seed == MEAN else 1))
        for name, (what, _) in COLUMNS.items()
        if what.metric == "accuracy"
    }
    lines = [",".join(heading)]
    for index in range(SPACE.size):
        genotype = SPACE.from_index(index)
        parts = [f"{100 * rng.randrange(count // 10, count) / count:.4f}" for count in columns.values()]
        sizes = [str(size / 1e6) for size in plausible.size_of(genotype)]
        seconds = [f"{rng.uniform(5, 90):.4f}" for _ in range(3)]
        lines.append(",".join([str(index), SPACE.show(genotype), *parts, *sizes, *seconds]))
    return "\n".join(lines) + "\n"


def heading() -> list[str]:
    seconds = [name for name in COLUMNS if "_train_s_" in name]
    return ["index", "arch", *(name for name in COLUMNS if name not in seconds), "params_m", "flops_m", *seconds]


def trainings(package: Any) -> dict[int, Any]:
    return {index: made.results(index, package)[0] for index in INDICES}


def write(kind: str, path: Path, architectures: dict[int, Any]) -> None:
    """The architectures in one of the formats that hold single trainings."""
    if kind == "folder":
        made.nats_folder(path, architectures)
    elif kind == "archive":
        folder = made.nats_folder(path.with_suffix(".tmp"), architectures)
        made.nats_archive(path, folder)
        shutil.rmtree(folder)
    elif kind == "nats":
        made.nats_file(path, architectures)
    else:
        made.nb201_pth(path, architectures, zipped=kind == "pth")


def package_of(kind: str) -> Any:
    return nas_201_api.api_utils if kind in ("pth", "legacy") else nats_bench


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("good")
    paths = {kind: root / name for kind, name in NAMES.items()}
    for kind in ("folder", "archive", "nats", "pth", "legacy"):
        write(kind, paths[kind], trainings(package_of(kind)))
    made.naslib_pickle(paths["naslib"], dict(zip(INDICES, (91.604, 88.0, 10.004, 50.0), strict=True)))
    paths["csv"].write_text(extract(random.Random(0), heading()))
    paths["csvgz"].write_bytes(gzip.compress(paths["csv"].read_bytes()))
    convert_csv(paths["csv"]).save(paths["table"])
    return paths


# --- damage


def damaged(kind: str, damage: str, rng: random.Random, good: dict[str, Path], path: Path, marker: Path) -> None:
    """Write the file (or folder) of that kind with that damage."""
    if damage == "swapped":
        swapped(kind, rng, good[kind], path)
        return
    if kind == "folder":  # one file of it is damaged, as a file of one architecture
        shutil.copytree(good[kind], path)
        path = path / f"{rng.choice(INDICES):06d}.pickle.pbz2"
        right = path.read_bytes()
    else:
        right = good[kind].read_bytes()
    if damage == "truncated":
        path.write_bytes(right[: rng.randrange(_end(kind, right))])
    elif damage == "flipped":
        path.write_bytes(flipped(kind, right, rng))
    elif damage == "foreign":
        path.write_bytes(foreign(rng))
    else:
        hostile(kind, rng, path, marker)


def _end(kind: str, content: bytes) -> int:
    """Up to where a cut is one: behind it an archive has padding, and text a last number that could be shorter."""
    if kind == "archive":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            return max(entry.offset_data + entry.size for entry in archive)
    return content.rindex(b"\n", 0, len(content) - 1) if kind == "csv" else len(content)


def flipped(kind: str, content: bytes, rng: random.Random) -> bytes:
    """One to four bits the other way, where something is written with them."""
    first, last, spoilt = 4, len(content) - 1, bytearray(content)  # bz2: level and padding bits say nothing
    if kind == "archive":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            entry = rng.choice(
                [entry for entry in archive if entry.name.endswith(".pbz2") and "meta" not in entry.name]
            )
            head = rng.random() < 0.3
            first = entry.offset if head else entry.offset_data + 4
            last = entry.offset + 100 if head else entry.offset_data + entry.size - 1
    elif kind == "pth":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (record,) = (entry for entry in archive.infolist() if entry.filename.endswith("data.pkl"))
            first = content.index(b"\x80\x02", record.header_offset)
            last = first + record.file_size
    elif kind == "csvgz":
        first, last = 10, len(content)  # the header's time and system say nothing
    for place in rng.sample(range(first, last), rng.randrange(1, 5)):
        # of text the eighth bit: another digit would be another number, and text has no checksum
        spoilt[place] ^= 0x80 if kind == "csv" else 1 << rng.randrange(8)
    return bytes(spoilt)


def foreign(rng: random.Random) -> bytes:
    """A file of some other kind."""
    archive, tar = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("readme.txt", "nothing of the kind")
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as packed:
        packed.addfile(tarfile.TarInfo("readme.txt"))
    return rng.choice(
        [
            b"",
            b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>",
            b"\xef\xbb\xbf\r\n <html lang=en>",
            b'{"error": "not found"}',
            b"\x89PNG\r\n\x1a\n" + rng.randbytes(500),
            b"\x7fELF" + rng.randbytes(500),
            b"SQLite format 3\0" + bytes(500),
            b"PAR1" + rng.randbytes(500) + b"PAR1",
            b"\x93NUMPY\x01\0v\0" + bytes(500),
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n",
            rng.randbytes(700),
            gzip.compress(b"<html>"),
            bz2.compress(b"not a pickle"),
            bz2.compress(pickle.dumps([1, 2, 3])),
            archive.getvalue(),
            tar.getvalue(),
        ]
    )


def swapped(kind: str, rng: random.Random, good: Path, path: Path) -> None:
    """Whole and readable, but numbers stand where others belong."""
    if kind in ("csv", "csvgz"):
        content = (",".join(_mixed(rng)) + "\n" + extract(rng, heading()).split("\n", 1)[1]).encode()
        path.write_bytes(gzip.compress(content) if kind == "csvgz" else content)
    elif kind == "table":
        held = pq.read_table(good)
        one, other = rng.sample([name for name in held.column_names if name != "arch"], 2)
        names = [{one: other, other: one}.get(name, name) for name in held.column_names]
        pq.write_table(held.rename_columns(names), path)
    elif kind == "naslib":
        content = pickle.loads(good.read_bytes())
        how = rng.randrange(3)
        for datasets in content.values():
            curves = datasets["cifar10-valid"]
            if how == 0:
                curves["eval_acc1es"], curves["eval_losses"] = curves["eval_losses"], curves["eval_acc1es"]
            elif how == 1:
                costs = curves["cost_info"]
                costs["flops"], costs["params"] = costs["params"], costs["flops"]
            else:
                datasets["cifar10"] = datasets.pop("cifar10-valid")
        path.write_bytes(pickle.dumps(content, protocol=4))
    else:
        write(kind, path, _mixed_up(rng, trainings(package_of(kind))))


def _mixed(rng: random.Random) -> list[str]:
    """The heading with two columns under each other's names, which are not on equally many images."""

    def sort(name: str) -> Any:
        if name not in COLUMNS:
            return name
        what = COLUMNS[name][0]
        return what.metric, plausible.IMAGES.get((what.dataset, what.split)), what.seed

    names = heading()
    while True:
        one, other = rng.sample(names[2:], 2)
        if sort(one) != sort(other):
            return [{one: other, other: one}.get(name, name) for name in names]


def _mixed_up(rng: random.Random, architectures: dict[int, Any]) -> dict[int, Any]:
    index, how = rng.choice(INDICES[1:]), rng.randrange(5)
    trained = architectures[index]
    runs = trained[200].all_results
    if how == 0:
        architectures[0], architectures[index] = trained, architectures[0]
    elif how == 1:
        trained[12], trained[200] = trained[200], trained[12]
    elif how == 2:
        runs["cifar10", 777], runs["cifar100", 777] = runs["cifar100", 777], runs["cifar10", 777]
    elif how == 3:
        runs["cifar10", 777], runs["cifar10", 999] = runs["cifar10", 999], runs["cifar10", 777]
    else:
        for run in runs.values():
            run.params, run.flop = run.flop, run.params
    return architectures


class Evil:
    """Unpickled by anyone who trusts it, it makes a folder."""

    WAYS = 6

    def __init__(self, marker: Path, way: int) -> None:
        self.marker, self.way = str(marker), way

    def __reduce__(self) -> Any:
        return (
            (os.mkdir, (self.marker,)),
            (os.makedirs, (self.marker,)),
            (subprocess.check_call, (["mkdir", self.marker],)),
            (eval, (f"__import__('os').mkdir({self.marker!r})",)),
            (exec, (f"import os; os.mkdir({self.marker!r})",)),
            (Path.mkdir, (Path(self.marker),)),
        )[self.way]


def by_hand(marker: Path) -> list[bytes]:
    """The same attack in other operations of the format: those of protocol 0, a class made at once, dotted names."""
    name = str(marker).encode()
    return [
        b"cos\nmkdir\n(S'" + name + b"'\ntR.",
        b"(S'" + name + b"'\nios\nmkdir\n.",
        b"(cos\nmkdir\nS'" + name + b"'\no.",
        b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c" + bytes([len(name)]) + name + b"\x85R.",
        b"\x80\x04\x8c\x07pathlib\x8c\x0aPath.mkdir\x93\x8c\x07pathlib\x8c\x04Path\x93\x8c"
        + bytes([len(name)])
        + name
        + b"\x85R\x85R.",
    ]


def hostile(kind: str, rng: random.Random, path: Path, marker: Path) -> None:
    """An attack, alone or deep inside a file that is otherwise right."""
    evil: Any = Evil(marker, rng.randrange(Evil.WAYS))
    if kind in ("pth", "legacy"):
        content = {"meta_archs": made.archs(), "evaluated_indexes": [0], "arch2infos": {0: {"less": {}, "full": evil}}}
        torch.save(rng.choice([content, evil]), path, _use_new_zipfile_serialization=kind == "pth")
        return
    if kind == "naslib":
        made.naslib_pickle(path, {0: 91.604})
        inside = pickle.loads(path.read_bytes())
        next(iter(inside.values()))["cifar10-valid"]["cost_info"]["latency"] = evil
    else:
        inside = {"12": made.results(0, nats_bench)[0][12].state_dict(), "200": {"all_results": evil}}
        if kind == "nats":
            inside = {"meta_archs": made.archs(), "arch2infos": {0: inside}}
    attacks = [pickle.dumps(rng.choice([inside, evil]), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    attack = rng.choice([*attacks, *by_hand(marker)])
    if kind == "archive":
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            member = tarfile.TarInfo("NATS-tss/000000.pickle.pbz2")
            member.size = len(packed := bz2.compress(attack))
            archive.addfile(member, io.BytesIO(packed))
    else:
        packing = {"folder": bz2.compress, "nats": bz2.compress, "csvgz": gzip.compress}
        path.write_bytes(packing.get(kind, bytes)(attack))


# --- the tests


class OneChild:
    """All imports share one child: it reads every damaged file and must outlive them all."""

    kept: ClassVar[list[Child]] = []

    def __enter__(self) -> OneChild:
        if not self.kept:
            self.kept.append(Child())
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def stop(self) -> None:
        pass

    def ask(self, job: children.Job) -> Iterator[Any]:
        return self.kept[0].ask(job)


@pytest.fixture(scope="module", autouse=True)
def _one_child() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(children, "Child", OneChild)
        yield
    for child in OneChild.kept:
        alive = child._process.poll() is None
        child.__exit__(None, None, None)
        assert alive
    OneChild.kept.clear()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in FAST else pytest.mark.slow) for case in range(CASES)]
)
def test_a_damaged_file_is_refused_and_nothing_happens(
    case: int, good: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, damage, rng = KINDS[case % 9], DAMAGES[case // 9 % 5], random.Random(case)
    path, marker, out = tmp_path / NAMES[kind], tmp_path / "marker", tmp_path / "out" / "table.parquet"
    damaged(kind, damage, rng, good, path, marker)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.parquet").write_text("mine")
    before = snapshot(tmp_path)
    words = ["import", str(path), str(out), "--partial", "--workers", "1"]
    if kind == "table":
        words = ["score", "--truth", str(path), "--results", str(tmp_path / "results")]
    pickled = kind not in ("csv", "csvgz", "table")
    for trust in (False, True) if pickled else (False,):
        code = main([*words, *(["--trust"] if trust else [])])
        said = capsys.readouterr().err
        assert not marker.exists()
        after = snapshot(tmp_path)
        assert {name: after[name] for name in before} == before
        if trust and (kind, damage) in UNCHECKED and code == 0:
            continue
        assert code == 2
        assert not out.exists()
        assert [line.startswith("error: ") for line in said.splitlines()].count(True) == 1
        assert said.splitlines()[-1].startswith(f"error: {path}")
        assert "Traceback" not in said


def test_the_files_are_right_before_they_are_damaged(
    good: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in KINDS[:-1]:
        words = ["import", str(good[kind]), str(tmp_path / kind), "--partial", "--workers", "1", "--trust"]
        assert main(words) == 0, capsys.readouterr().err
    assert main(["score", "--truth", str(good["table"]), "--results", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err


def test_the_attacks_work(tmp_path: Path) -> None:
    """On whoever opens them with `pickle`."""
    marker = tmp_path / "marker"
    for attack in [pickle.dumps(Evil(marker, way)) for way in range(Evil.WAYS)] + by_hand(marker):
        pickle.loads(attack)
        assert marker.is_dir()
        marker.rmdir()


def test_every_format_meets_every_damage_in_the_default_suite() -> None:
    assert len(FAST) == 60
    assert {(case % 9, case // 9 % 5) for case in FAST} == {(kind, damage) for kind in range(9) for damage in range(5)}
