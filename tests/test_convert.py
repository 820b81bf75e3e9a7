"""The converter: every column where it belongs, every fault by its line; the real extract where it is at hand."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BadTable
from bench.folders import data_folder
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE
from bench.truth import counts
from bench.truth.column import Column
from bench.truth.convert import COLUMNS, convert, convert_csv
from bench.truth.table import Table
from bench.truth.tabular import TableTruth

EXTRACT = data_folder() / "nb201.csv.gz"
needs_extract = pytest.mark.skipif(not EXTRACT.exists(), reason=f"needs {EXTRACT} (set SUPERNET_BENCH_DATA)")

HEADING = (
    "index,arch,c10_test_200,c100_test_200,in16_test_200,c10_valid_200_1run,in16_valid_200_1run,c10_test_12,c10_valid_12,"
    "c100_test_12,c100_valid_12,in16_test_12,in16_valid_12,params_m,flops_m,c10_train_s_per_epoch,c100_train_s_per_epoch,"
    "in16_train_s_per_epoch"
)

SHAPE = Shape(channels=16, cells=5, classes=10, image_channels=3, image_size=32)

# What each column is, written down a second time: metric, dataset, split, epochs, seeds.
MEANING = {
    "c10_test_200": ("accuracy", "cifar10", "ori-test", 200, "mean"),
    "c100_test_200": ("accuracy", "cifar100", "x-test", 200, "mean"),
    "in16_test_200": ("accuracy", "ImageNet16-120", "x-test", 200, "mean"),
    "c10_valid_200_1run": ("accuracy", "cifar10-valid", "ori-test", 200, "run"),
    "in16_valid_200_1run": ("accuracy", "ImageNet16-120", "x-valid", 200, "run"),
    "c10_test_12": ("accuracy", "cifar10", "ori-test", 12, "run"),
    "c10_valid_12": ("accuracy", "cifar10-valid", "x-valid", 12, "mean"),
    "c100_test_12": ("accuracy", "cifar100", "x-test", 12, "run"),
    "c100_valid_12": ("accuracy", "cifar100", "x-valid", 12, "run"),
    "in16_test_12": ("accuracy", "ImageNet16-120", "x-test", 12, "run"),
    "in16_valid_12": ("accuracy", "ImageNet16-120", "x-valid", 12, "run"),
    "c10_train_s_per_epoch": ("train_seconds", "cifar10", "train", 1, "mean"),
    "c100_train_s_per_epoch": ("train_seconds", "cifar100", "train", 1, "mean"),
    "in16_train_s_per_epoch": ("train_seconds", "ImageNet16-120", "train", 1, "mean"),
}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """A whole made-up extract: each number tells its column and, among its neighbours, its row. Tenths of a percent
    are whole numbers of images on all splits."""
    made = [HEADING]
    for index in range(SPACE.size):
        accuracies = (f"{20 + 5 * column + index % 47 / 10:.1f}" for column in range(11))
        genotype = SPACE.from_index(index)
        sizes = (f"{count(SPACE, genotype, SHAPE) / 1e6}" for count in (counts.parameters, counts.multiply_adds))
        seconds = "7.5,8.5,9.5" if index % 2 else ",,"
        fields = [str(index), SPACE.show(genotype), *accuracies, *sizes, seconds]
        made.append(",".join(fields))
    return made


@pytest.fixture
def faulty(lines: list[str], tmp_path: Path) -> Callable[[dict[int, str | None]], str]:
    """The message that refuses the extract with some lines (counted from 1) replaced or, by None, left out."""

    def refusal(changes: dict[int, str | None]) -> str:
        made = [changes.get(number, line) for number, line in enumerate(lines, 1)]
        path = tmp_path / "extract.csv"
        path.write_text("\n".join(line for line in made if line is not None) + "\n")
        with pytest.raises(BadTable) as caught:
            convert_csv(path)
        assert "\n" not in str(caught.value)
        return str(caught.value).removeprefix(f"{path}: ")

    return refusal


def test_every_column_arrives_where_it_belongs(lines: list[str], tmp_path: Path) -> None:
    source, out = tmp_path / "extract.csv.gz", tmp_path / "table.parquet"
    source.write_bytes(gzip.compress("\n".join(lines).encode()))
    made = convert(source, out)
    table = Table.load(out)
    assert table.checksum == made.checksum
    assert {column.name for column in table.columns} == {"|".join(map(str, key)) for key in MEANING.values()}
    for index in (0, 1, 777, 15_624):
        fields = dict(zip(HEADING.split(","), lines[index + 1].split(","), strict=True))
        genotype = SPACE.parse(fields["arch"])
        row = SPACE.population.row(genotype)
        for name, (metric, dataset, split, epochs, seeds) in MEANING.items():
            value = table.column(metric=metric, dataset=dataset, split=split, epochs=epochs, seeds=seeds)[row]
            assert math.isnan(value) if fields[name] == "" else value == np.float32(fields[name])
        assert table.constant("parameters")[row] == round(1e6 * float(fields["params_m"]))
        assert table.constant("multiply_adds")[row] == round(1e6 * float(fields["flops_m"]))
    assert not table.header.complete


def test_every_column_has_a_note() -> None:
    assert all(note for _, note in COLUMNS.values())
    assert [Column(*MEANING[name]) for name in COLUMNS] == [column for column, _ in COLUMNS.values()]


def test_the_result_is_not_written_over(lines: list[str], tmp_path: Path) -> None:
    source, out = tmp_path / "extract.csv", tmp_path / "table.parquet"
    source.write_text("\n".join(lines))
    out.write_bytes(b"mine")
    with pytest.raises(BadTable, match="exists already"):
        convert(source, out)
    assert out.read_bytes() == b"mine"


def test_truncated_compression_is_refused(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "extract.csv.gz"
    content = gzip.compress("\n".join(lines).encode())
    for keep in (10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:keep])
        with pytest.raises(BadTable, match="is cut off after"):
            convert_csv(path)


def test_damaged_compression_is_refused(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "extract.csv.gz"
    content = bytearray(gzip.compress("\n".join(lines).encode()))
    for place in (12, len(content) // 2, len(content) - 6):  # at the start, in the data, in the checksum
        content[place] ^= 0xFF
        path.write_bytes(content)
        content[place] ^= 0xFF
        with pytest.raises(BadTable, match=r"cannot be read|cut off"):
            convert_csv(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\n<!doctype html><html>", "web page"),
        (b"\xff\xfe\x00", "no text"),
        (b"PAR1\x15\x04", "unknown column"),
        (b"[" + b"1 " * 100_000, "no CSV"),
        (HEADING.encode(), "15625 of 15625 architectures are missing"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "extract.csv"
    path.write_bytes(content)
    with pytest.raises(BadTable, match=words):
        convert_csv(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="no such file"):
        convert_csv(tmp_path / "absent.csv.gz")


def test_columns_must_be_those_of_the_extract(faulty: Callable[[dict[int, str | None]], str]) -> None:
    typo = faulty({1: HEADING.replace("c100_valid_12", "c100_vaild_12")})
    assert typo.startswith(
        "unknown column 'c100_vaild_12'; did you mean 'c100_valid_12'?; or say what it is: --dataset"
    )
    assert "unknown column 'extra'" in faulty({1: f"{HEADING},extra"})
    assert "stands twice" in faulty({1: f"{HEADING},arch"})


def test_a_faulty_row_is_named_by_its_line(faulty: Callable[[dict[int, str | None]], str], lines: list[str]) -> None:
    fields = lines[41].split(",")  # line 42

    def spoilt(place: int, text: str) -> str:
        return faulty({42: ",".join([*fields[:place], text, *fields[place + 1 :]])})

    assert spoilt(2, "9O.1") == "line 42: '9O.1' in column 'c10_test_200' is no number"
    assert spoilt(2, "inf") == "line 42: 'inf' in column 'c10_test_200' is no number"
    assert spoilt(7, "100.01") == "line 42: 'c10_test_12' is 100.01; it takes 0..100 percent"
    assert spoilt(7, "-1") == "line 42: 'c10_test_12' is -1; it takes 0..100 percent"
    assert spoilt(15, "-1") == "line 42: 'c10_train_s_per_epoch' is -1; it takes 0 or more"
    assert spoilt(13, "") == "line 42: '' in column 'params_m' is no number"
    assert spoilt(0, "x") == "line 42: 'x' is no index"
    assert "line 42: nb201 has no index 15625" in spoilt(0, "15625")
    assert f"line 42: index 0 is {SPACE.show(SPACE.from_index(0))}, but the line says {fields[1]}" in spoilt(0, "0")
    assert "line 42: " in spoilt(1, fields[1].replace("~0", "~3", 1))
    assert faulty({42: ",".join(fields[:-1])}) == "line 42 has 17 fields, not 18"


def test_each_architecture_stands_once(faulty: Callable[[dict[int, str | None]], str], lines: list[str]) -> None:
    assert faulty({42: lines[6]}) == f"architecture {lines[6].split(',')[1]} stands twice, in lines 7 and 42"
    assert faulty({42: None}).startswith(f"1 of 15625 architectures are missing, e.g. {lines[41].split(',')[1]}")


def test_shares_are_not_taken_for_percent(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "extract.csv"
    rows = [line.split(",") for line in lines[1:]]
    made = [HEADING, *(",".join([*row[:2], f"{float(row[2]) / 100:.6f}", *row[3:]]) for row in rows)]
    path.write_text("\n".join(made))
    with pytest.raises(BadTable, match="are shares"):
        convert_csv(path)


@pytest.mark.parametrize(
    ("place", "text", "words"),
    [
        (2, "37.37666", None),  # a third of one of 10,000 images, as the mean of three runs gives
        (2, "37.377", "is 37.377, which the mean of up to 3 runs on 10,000 images cannot give"),
        (7, "45.505", "is 45.505, which one run on 10,000 images cannot give (1 such values); are columns mixed up?"),
        (9, "55.03", "which one run on 5,000 images cannot give"),
        (13, "0.1", "parameters of"),
        (14, "15.64736001", None),  # text has as many digits as it likes
        (14, "15.64737", "are 15,647,370, but its network has 15,647,360; are columns mixed up?"),
    ],
)
def test_numbers_that_cannot_be_what_their_column_says(
    place: int, text: str, words: str | None, lines: list[str], tmp_path: Path
) -> None:
    """Line 2 is of index 0, whose network has 0.129306 million parameters and 15.64736 million multiply-adds."""
    fields, path = lines[1].split(","), tmp_path / "extract.csv"
    assert fields[13:15] == ["0.129306", "15.64736"]
    fields[place] = text
    path.write_text("\n".join([lines[0], ",".join(fields), *lines[2:]]))
    if words is None:
        convert_csv(path)
        return
    with pytest.raises(BadTable, match=re.escape(words)):
        convert_csv(path)


# --- the real extract


@pytest.fixture(scope="module")
def real() -> Table:
    return convert_csv(EXTRACT)


@needs_extract
@pytest.mark.reproducibility
def test_the_extract_agrees_with_its_text_row_by_row(real: Table) -> None:
    with gzip.open(EXTRACT, "rt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(io.StringIO(stream.read())))
    assert len(rows) == 15_625
    for raw in rows[::97]:
        genotype = SPACE.from_index(int(raw["index"]))
        assert SPACE.show(genotype) == raw["arch"]
        row = SPACE.population.row(genotype)
        for name, (metric, dataset, split, epochs, seeds) in MEANING.items():
            value = real.column(metric=metric, dataset=dataset, split=split, epochs=epochs, seeds=seeds)[row]
            assert math.isnan(value) if raw[name] == "" else value == np.float32(raw[name])
        assert real.constant("parameters")[row] == round(1e6 * float(raw["params_m"]))
        assert real.constant("multiply_adds")[row] == round(1e6 * float(raw["flops_m"]))


@needs_extract
@pytest.mark.reproducibility
def test_the_published_optima_and_reference_cells(real: Table) -> None:
    """NAS-Bench-201 (ICLR 2020), Table 5: optimal 94.37 / 73.51 / 47.31; the cell of skips, which DARTS finds there,
    54.30 / 15.61 / 16.32; ResNet 93.97 / 70.86 / 43.63, a training of its own, so only nearly."""
    found = TableTruth(real)
    best = [found.reference(dataset).best.test for dataset in ("cifar10", "cifar100", "imagenet16-120")]
    assert best == pytest.approx([94.37, 73.51, 47.31], abs=0.005)
    skips = [found.scores([(1,) * 6], dataset)[0, 1] for dataset in ("cifar10", "cifar100", "imagenet16-120")]
    assert skips == pytest.approx([54.30, 15.61, 16.32], abs=0.005)
    resnet = SPACE.parse("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|")
    near = [found.scores([resnet], dataset)[0, 1] for dataset in ("cifar10", "cifar100", "imagenet16-120")]
    assert near == pytest.approx([93.97, 70.86, 43.63], abs=0.7)


@needs_extract
@pytest.mark.reproducibility
def test_validation_is_offered_only_where_every_architecture_has_it(real: Table) -> None:
    found = TableTruth(real)
    assert {name: target.valid for name, target in found.targets().items()} == {
        "cifar10": None,
        "cifar100": None,
        "imagenet16-120": None,
    }
    assert {name: found.reference(name).coverage for name in found.targets()} == dict.fromkeys(found.targets(), 1.0)


@needs_extract
@pytest.mark.reproducibility
def test_the_notes_on_images_and_runs_are_what_the_numbers_say(real: Table) -> None:
    """An accuracy on m images, averaged over s runs, is a multiple of 100 / (m s) percent."""

    def fits(images: int, dataset: str, split: str, epochs: int) -> float:
        values = real.column(dataset=dataset, split=split, epochs=epochs, seeds="mean")
        values = values[np.isfinite(values)] * images / 100
        return float((np.abs(values - np.rint(values)) < 0.04).mean())

    assert fits(10_000, "cifar10", "ori-test", 12) == 1
    assert fits(5_000, "cifar100", "x-valid", 12) == fits(5_000, "cifar100", "x-test", 12) == 1
    assert fits(3_000, "ImageNet16-120", "x-valid", 12) == fits(3_000, "ImageNet16-120", "x-test", 12) == 1
    assert fits(3_000, "ImageNet16-120", "x-valid", 200) == 1
    assert fits(25_000, "cifar10-valid", "x-valid", 12) == pytest.approx(0.5, abs=0.05)  # not one run of 25,000
    assert fits(50_000, "cifar10-valid", "x-valid", 12) == 1  # but two
    assert fits(25_000, "cifar10-valid", "ori-test", 200) == pytest.approx(0.5, abs=0.05)  # not one run of 25,000
    assert fits(10_000, "cifar10-valid", "ori-test", 200) == 1  # but one of 10,000
    means = [fits(5_000 * runs, "cifar100", "x-test", 200) for runs in (1, 2, 3, 6)]
    assert means[3] == 1
    assert max(means[:3]) < 0.8  # one to three runs, in a mixture


@needs_extract
@pytest.mark.reproducibility
@pytest.mark.slow
def test_columns_that_are_mixed_up_are_noticed(tmp_path: Path) -> None:
    """All pairs of columns but those on equally many images, where no number tells which is which."""
    with gzip.open(EXTRACT, "rt", encoding="utf-8") as stream:
        heading, *rows = list(csv.reader(stream))
    path, passed = tmp_path / "mixed.csv", []
    for one, other in itertools.combinations(range(2, len(heading)), 2):
        mixed = [*heading]
        mixed[one], mixed[other] = heading[other], heading[one]
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows([mixed, *rows])
        try:
            convert_csv(path)
        except BadTable:
            continue
        passed.append((heading[one], heading[other]))
    assert passed == [
        ("c10_valid_200_1run", "c10_test_12"),
        ("in16_valid_200_1run", "in16_test_12"),
        ("in16_valid_200_1run", "in16_valid_12"),
        ("c100_test_12", "c100_valid_12"),
        ("in16_test_12", "in16_valid_12"),
        ("c10_train_s_per_epoch", "c100_train_s_per_epoch"),
        ("c10_train_s_per_epoch", "in16_train_s_per_epoch"),
        ("c100_train_s_per_epoch", "in16_train_s_per_epoch"),
    ]
