"""What people have: text from any system, packed, with some of the columns, of any data set; and what it is not."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.commands import main
from bench.errors import BadData, BadGenotype, BadTable
from bench.images.splits import IndexFile
from bench.spaces.nb201 import SPACE
from bench.truth import text as texts
from bench.truth.convert import convert_csv
from bench.truth.official.formats import recognise
from bench.truth.official.plain import convert_plain
from bench.truth.tabular import TableTruth

ARCHS = [SPACE.show(SPACE.population.at(row)) for row in (0, 7, 4_000)]
VALUES = ("91.5", "NaN", "10")


def plain_csv(end: str = "\n", before: str = "", blank: bool = False, space: str = "") -> str:
    lines = ["arch,accuracy,other", *(f"{a}{space},{space}{v},x" for a, v in zip(ARCHS, VALUES, strict=True))]
    return before + (end * (2 if blank else 1)).join(lines) + end


FORMS: dict[str, Callable[[], bytes]] = {
    "plain": lambda: plain_csv().encode(),
    "a byte order mark": lambda: plain_csv(before="\ufeff").encode(),
    "CRLF": lambda: plain_csv("\r\n").encode(),
    "blank lines": lambda: plain_csv(blank=True, before="\n").encode(),
    "white space": lambda: plain_csv(space=" ").encode(),
    "gzip": lambda: gzip.compress(plain_csv().encode()),
    "bzip2": lambda: bz2.compress(plain_csv().encode()),
    "xz": lambda: lzma.compress(plain_csv().encode()),
    "JSON": lambda: json.dumps(dict(zip(ARCHS, (91.5, None, 10), strict=True))).encode(),
    "JSON of objects": lambda: (
        "\ufeff" + json.dumps({a: {"accuracy": v} for a, v in zip(ARCHS, VALUES, strict=True)})
    ).encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_accuracies_by_architecture_are_read_in_any_form(form: str, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_bytes(FORMS[form]())
    truth = TableTruth(convert_plain(path, "my images", ["accuracy=test"]))
    assert list(truth.targets()) == ["my images"]
    genotypes = [SPACE.parse(arch) for arch in ARCHS]
    found = truth.scores(genotypes, "my images")[:, 1].tolist()
    assert found[0] == 91.5
    assert found[1] != found[1]
    assert found[2] == 10
    assert not truth.table.header.complete


def test_official_names_become_official_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("index,good,val\n5,90.5,89\n6,,88.25\n", encoding="utf-8")
    words = ["import", str(path), str(tmp_path / "t.parquet"), "--dataset", "cifar100"]
    assert main([*words, "--column", "good=test", "--column", "val=valid"]) == 0
    from bench.truth import open_truth

    truth = open_truth(tmp_path / "t.parquet")
    assert list(truth.targets()) == ["cifar100"]
    assert truth.scores([SPACE.from_index(5)], "cifar100").tolist() == [[89.0, 90.5]]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("arch,accuracy\n|x|,1\n", (), "line 2: "),
        (f"arch,accuracy\n{ARCHS[0]},0.91\n", (), "these are shares"),
        (f"arch,accuracy\n{ARCHS[0]},101\n", (), "is no accuracy in percent"),
        (f"arch,accuracy\n{ARCHS[0]},9O\n", (), "'9O' in 'accuracy' is no accuracy"),
        (f"arch,accuracy\n{ARCHS[0]},9\n{ARCHS[0]},9\n", (), "stood in line 2 already"),
        (f"arch,acc\n{ARCHS[0]},9\n", (), "it has no column 'accuracy'; it has arch, acc"),
        (f"name,accuracy\n{ARCHS[0]},9\n", (), "it has no column of architectures"),
        (f"arch,accuracy\n{ARCHS[0]},9\n", ("accuracy",), "--column takes NAME=test"),
        (f"arch,accuracy\n{ARCHS[0]},9\n", ("accuracy=tset",), "did you mean 'test'"),
        (f'{{"{ARCHS[0]}": true}}', (), "where a number belongs"),
        (f'{{"{ARCHS[0]}": 9, "{ARCHS[0]}": 8}}', (), "stands twice"),
        ("arch,accuracy\n", (), "holds no architecture"),
        ("", (), "is empty"),
    ],
)
def test_what_is_wrong_is_named(content: str, columns: tuple[str, ...], message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadTable) as caught:
        convert_plain(path, "mine", columns)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_small_file_that_unpacks_to_more_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "LARGEST", 1_000_000)
    for pack in (gzip.compress, bz2.compress, lzma.compress):
        path = tmp_path / "bomb"
        path.write_bytes(pack(b"a,b\n" * 1_000_000))
        assert path.stat().st_size < 50_000
        with pytest.raises(BadTable, match="holds more than 1 MB of text"):
            convert_csv(path)


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("NATS-tss/000000.pickle.pbz2"), io.BytesIO())
    return stream.getvalue()


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("nb201.csv", plain_csv())
    return stream.getvalue()


@pytest.mark.parametrize(
    ("make", "message"), [(_tar, "is a packed tar archive; unpack it"), (_zip, "is a zip archive; unpack it")]
)
def test_packed_files_are_named_as_what_they_are(make: Callable[[], bytes], message: str, tmp_path: Path) -> None:
    path = tmp_path / "packed"
    path.write_bytes(make())
    for read in (recognise, convert_csv):
        with pytest.raises(BadTable, match=message):
            read(path)


def test_a_bzip2_of_the_extract_holds_no_pickles(tmp_path: Path) -> None:
    path = tmp_path / "nb201.csv.bz2"
    path.write_bytes(bz2.compress(b"index,arch,c10_test_200\n"))
    assert recognise(path).kind == "csv"


def test_six_numbers_of_two_notations_are_refused() -> None:
    text = "(4, 0, 3, 1, 4, 3)"
    with pytest.raises(BadGenotype, match="in NASLib; say which"):
        SPACE.read(text)
    assert SPACE.read(text, "naslib") == SPACE.from_naslib((4, 0, 3, 1, 4, 3))
    assert SPACE.read(text, "own") == (4, 0, 3, 1, 4, 3)
    with pytest.raises(BadGenotype, match="no notation 'theirs'"):
        SPACE.read(text, "theirs")


@pytest.mark.parametrize("wrong", [None, 1.5, b"|none~0|"])
def test_inputs_of_a_wrong_type_are_no_architecture(wrong: object) -> None:
    with pytest.raises(BadGenotype):
        SPACE.read(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [lambda b: b, lambda b: b.replace(b"\n", b"\r\n"), lambda b: b + b"\n", lambda b: b[:-1]]
)
def test_line_ends_of_a_split_make_no_difference(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """The official file, as another system or an editor leaves it."""
    content = b'{"train": ["int", ["0", "2"]],\n"valid": ["int", ["1"]]}\n'
    file = IndexFile("split.txt", hashlib.md5(content).hexdigest(), ("train", "valid"))
    (tmp_path / "split.txt").write_bytes(change(content))
    split = file.split(tmp_path, 3)
    assert split is not None
    assert (split.first.tolist(), split.second.tolist()) == ([0, 2], [1])
    (tmp_path / "split.txt").write_bytes(content.replace(b"2", b"3"))
    with pytest.raises(BadData, match="has MD5"):
        file.split(tmp_path, 3)
