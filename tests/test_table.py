"""The canonical table: round trips, refusals, queries; and tables as ground truth."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import math
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import stats

from bench import truth
from bench.errors import BadGenotype, BadSpec, BadTable, NoSuchEntry
from bench.spaces import nb201, toy, toy_darts
from bench.truth import listing, parquet
from bench.truth.column import SPLITS, UNITS, Column, explain
from bench.truth.table import Header, Table, Value
from bench.truth.tabular import TableTruth

NAN = math.nan
TOY = toy.SPACE.size  # 27


def header(space: str = "toy", complete: bool = False, **more: Any) -> Header:
    return Header("made-up", "1", space, "Made up", "the tests", complete, **more)


def accuracy(split: str = "test", seed: str = "0", epochs: int = 2, dataset: str = "patches") -> Column:
    return Column("accuracy", dataset, split, epochs, seed)


def small(complete: bool = False) -> Table:
    """27 cells, two seeds of test accuracy, one of validation; unless complete, a few numbers are missing."""
    first, second, valid = (np.linspace(low, low + 26, TOY) for low in (10, 20, 40))
    if not complete:
        first[3] = second[3] = valid[3] = second[5] = NAN
    columns = {accuracy(seed="0"): first, accuracy(seed="1"): second, accuracy("valid"): valid}
    return Table(header(complete=complete), columns, {"parameters": np.arange(TOY)})


def official(seed: int = 0) -> Table:
    """All of NAS-Bench-201, random numbers."""
    rng = np.random.default_rng(seed)
    columns = {
        Column("accuracy", dataset, split, 200, run): rng.integers(1000, 9500, nb201.SPACE.size) / 100
        for dataset, split in (("cifar10-valid", "x-valid"), ("cifar10", "ori-test"), ("cifar100", "x-test"))
        for run in ("777", "888", "999")
    }
    return Table(header("nb201", True), columns, {"multiply_adds": rng.integers(0, 10**9, nb201.SPACE.size)})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("table") / "whole.parquet"
    official().save(path)
    return path


def stored(table: Table) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """What the file of a table is written from, to be spoilt."""
    about = {name: getattr(table.header, name) for name in table.header.__dataclass_fields__}
    arrays = {
        c.name: table.column(metric=c.metric, dataset=c.dataset, split=c.split, epochs=c.epochs, seeds=c.seed).astype(
            "f4"
        )
        for c in table.columns
    }
    arrays["parameters"] = table.constant("parameters")
    about |= {"columns": sorted(arrays), "content": table.checksum}
    return about, listing.of(table.population), arrays


def refusal(path: Path) -> str:
    """The one line that refuses a file, without the file's name."""
    with pytest.raises(BadTable) as caught:
        Table.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


# --- columns


@given(
    st.sampled_from(sorted(UNITS)),
    st.sampled_from([(d, s) for d, splits in SPLITS.items() for s in splits]),
    st.integers(1, 1000),
    st.one_of(st.sampled_from(["mean", "run"]), st.integers(0, 10**6).map(str)),
)
def test_a_column_is_read_back_from_its_name(metric: str, where: tuple[str, str], epochs: int, seed: str) -> None:
    column = Column(metric, *where, epochs, seed)
    assert column.name == f"{metric}|{where[0]}|{where[1]}|{epochs}|{seed}"
    assert Column.parse(column.name) == column


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("acuracy|cifar10|ori-test|200|777", "'accuracy'"),
        ("accuracy|imagenet16-120|x-test|200|777", "'ImageNet16-120'"),
        ("accuracy|cifar10|x-valid|200|777", "split of cifar10"),
        ("accuracy|cifar10|ori-test|0|777", "epochs"),
        ("accuracy|cifar10|ori-test|0200|777", "should be named"),
        ("accuracy|cifar10|ori-test|200|07", "seed"),
        ("accuracy|cifar10|ori-test|200|mean3", "seed"),
        ("accuracy|cifar10|ori-test|200", "is not named"),
    ],
)
def test_a_wrong_column_name_is_refused_with_what_is_wrong(name: str, word: str) -> None:
    with pytest.raises(BadTable, match=word):
        Column.parse(name)


# --- round trip


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(np.float32, (3, TOY), elements=st.one_of(st.floats(0, 100, width=32), st.just(NAN))),
    hnp.arrays(np.int64, TOY, elements=st.integers(0, 2**40)),
    st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(), st.lists(st.floats(-1, 1)))),
)
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, numbers: Any, counts: Any, settings_: dict[str, Any]
) -> None:
    columns = {Column("cross_entropy", "patches", "test", 1, str(seed)): row for seed, row in enumerate(numbers)}
    note = {"parameters": "10 classes, 8 x 8 pixels; é"}
    table = Table(header(settings=settings_, notes=note), columns, {"parameters": counts})
    path: Path = tmp_path_factory.mktemp("round") / "deep" / "table.parquet"
    table.save(path)
    loaded = Table.load(path)
    assert loaded.header == table.header
    assert loaded.checksum == table.checksum
    assert loaded.columns == table.columns == tuple(sorted(columns))
    for seed, row in enumerate(numbers):
        asked: dict[str, Any] = {
            "metric": "cross_entropy",
            "dataset": "patches",
            "split": "test",
            "epochs": 1,
            "seeds": str(seed),
        }
        np.testing.assert_array_equal(loaded.column(**asked), row.astype(np.float64))
    np.testing.assert_array_equal(loaded.constant("parameters"), counts)


def test_the_file_describes_itself_to_any_parquet_reader(whole: Path) -> None:
    frame = pd.read_parquet(whole)
    assert len(frame) == 15_625
    assert list(frame["arch"]) == [nb201.SPACE.show(g) for g in itertools.product(range(5), repeat=6)]
    row = frame[frame["arch"] == nb201.SPACE.show((3, 1, 4, 0, 2, 2))].iloc[0]
    asked = {"dataset": "cifar100", "split": "x-test", "epochs": 200, "seeds": "888"}
    value = Table.load(whole).query((3, 1, 4, 0, 2, 2), **asked)  # type: ignore[arg-type]
    official = Table.load(whole).space.show((3, 1, 4, 0, 2, 2))
    assert Table.load(whole).query(official, **asked) == value  # type: ignore[arg-type]
    assert value.value == row["accuracy|cifar100|x-test|200|888"]


def test_the_checksum_follows_numbers_and_not_words() -> None:
    columns = {accuracy(): np.linspace(10, 36, TOY)}
    original = Table(header(), columns).checksum
    assert Table(header(settings={"a": 1}), columns).checksum == original
    changed = np.linspace(10, 36, TOY)
    changed[7] = np.nextafter(np.float32(changed[7]), np.float32(100))
    assert Table(header(), {accuracy(): changed}).checksum != original
    assert Table(header(), {accuracy(seed="1"): columns[accuracy()]}).checksum != original


def test_the_content_hash_is_the_documented_one() -> None:
    values, counts = np.linspace(10, 36, TOY), np.arange(TOY)
    rows = [",".join(names) for names in itertools.product(toy.SPACE.ops, repeat=3)]
    lengths = b"".join(len(row).to_bytes(4, "little") for row in rows)
    rows_hash = hashlib.blake2b("".join(rows).encode() + lengths, digest_size=16).hexdigest()
    content = rows_hash.encode() + b"\0"
    content += b"accuracy|patches|test|2|0\0float32\0" + values.astype("<f4").tobytes() + b"\0"
    content += b"parameters\0int64\0" + counts.astype("<i8").tobytes() + b"\0"
    expected = hashlib.blake2b(content, digest_size=16).hexdigest()
    assert Table(header(), {accuracy(): values}, {"parameters": counts}).checksum == expected


def test_the_known_hash_of_the_rows_is_that_of_the_space() -> None:
    assert listing.known_hash(nb201.SPACE.population) == parquet.listing_hash(listing.of(nb201.SPACE.population))


# --- files that are no table, or a damaged one


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title>", "web page"),
        (b"\xef\xbb\xbf\n <html>", "web page"),
        (gzip.compress(b"index,arch", mtime=0), "gzip"),
        (b"index,arch,accuracy\n", "no Parquet file"),
        (b"PAR1PAR1", "cut off"),
        (b"PAR1" + b"\0" * 40 + b"PAR1", "damaged"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.parquet")
    assert "cannot be read" in refusal(tmp_path)


def test_a_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"arch": ["a"], "accuracy": [1.0]}), path)
    assert "has no header" in refusal(path)


@pytest.mark.parametrize("keep", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_off_anywhere_is_refused(whole: Path, tmp_path: Path, keep: float) -> None:
    content = whole.read_bytes()
    path = tmp_path / "cut.parquet"
    path.write_bytes(content[: int(len(content) * keep)])
    assert "cut off" in refusal(path)


def test_one_flipped_bit_is_refused_or_changes_nothing(whole: Path, tmp_path: Path) -> None:
    content = bytearray(whole.read_bytes())
    original = Table.load(whole)
    rng = random.Random(0)
    # Anywhere, and in the last part: that is where the header and the description of the columns lie.
    places = [rng.randrange(len(content)) for _ in range(60)]
    places += [len(content) - 1 - rng.randrange(8000) for _ in range(120)]
    path, refused = tmp_path / "flipped.parquet", 0
    for place in places:
        bit = 1 << rng.randrange(8)
        content[place] ^= bit
        path.write_bytes(content)
        content[place] ^= bit
        try:
            loaded = Table.load(path)
        except BadTable:
            refused += 1
        else:
            assert loaded.checksum == original.checksum
            assert loaded.header == original.header
    assert refused > 150


def test_an_edited_number_is_noticed(tmp_path: Path) -> None:
    about, archs, arrays = stored(small())
    arrays["accuracy|patches|valid|2|0"][4] += 0.5
    path = tmp_path / "table.parquet"
    parquet.write(path, about, archs, arrays, replace=False)
    assert "damaged or edited" in refusal(path)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (2, "newer version (format 2; this program reads 1)"),
        (0, "format 0"),
        ("1", "format '1'"),
        (None, "format None"),
    ],
)
def test_another_format_is_refused_by_its_number(tmp_path: Path, version: object, words: str) -> None:
    about, archs, arrays = stored(small())
    path = tmp_path / "table.parquet"
    parquet.write(path, about | {"format": version}, archs, arrays, replace=False)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": "darst"}, "unknown space 'darst'"),
        ({"space": "nb201"}, "row 0 names no architecture of nb201"),
        ({"complete": True}, "claims to be complete"),
        ({"complete": 1}, "complete is 1"),
        ({"name": None}, "name is None"),
        ({"extra": 1}, "other fields"),
        ({"columns": ["accuracy|patches|test|2|0"]}, "columns other than its header lists"),
        ({"notes": {"no": "column"}}, "note on 'no'"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    about, archs, arrays = stored(small())
    path = tmp_path / "table.parquet"
    parquet.write(path, about | change, archs, arrays, replace=False)
    assert words in refusal(path)


def test_rows_are_checked_one_by_one_when_they_differ(tmp_path: Path) -> None:
    about, archs, arrays = stored(small())
    path = tmp_path / "table.parquet"

    def spoilt(rows: list[str]) -> str:
        cut = {name: values[: len(rows)] for name, values in arrays.items()}
        parquet.write(path, about, rows, cut, replace=True)
        return refusal(path)

    assert "stands twice, in rows 1 and 2" in spoilt([archs[0], archs[1], archs[1], *archs[3:]])
    assert "2 of 27 architectures are missing, e.g. nor_conv_3x3,nor_conv_3x3,skip_connect" in spoilt(archs[:25])
    assert "row 4 holds none,nor_conv_3x3,none, where" in spoilt([*archs[:4], archs[6], archs[5], archs[4], *archs[7:]])
    assert "row 2 names no architecture" in spoilt([*archs[:2], "none,none,nor_conv_5x5", *archs[3:]])
    assert "row 2 names no architecture" in spoilt([*archs[:2], "", *archs[3:]])


def test_columns_of_other_types_are_refused(tmp_path: Path) -> None:
    about, archs, arrays = stored(small())
    path = tmp_path / "table.parquet"
    parquet.write(path, about, archs, arrays | {"parameters": np.ones(TOY, np.float32)}, replace=False)
    assert "'parameters' is of type float32" in refusal(path)
    name = "accuracy|patches|valid|2|0"
    parquet.write(path, about, archs, arrays | {name: np.ones(TOY, np.int64)}, replace=True)
    assert "is of type int64" in refusal(path)


# --- numbers that are no truth


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        (accuracy(), [50.0] * 26 + [100.5], "is 100.5; it takes 0..100 percent"),
        (accuracy(), [50.0] * 26 + [-1], "is -1"),
        (accuracy(), [50.0] * 26 + [math.inf], "is inf"),
        (accuracy(), [0.5] * 26 + [1.0], "shares"),
        (accuracy(), [0.5] * 26 + [NAN], "shares"),
        (Column("cross_entropy", "patches", "test", 1, "0"), [0.5] * 26 + [-0.1], "is -0.1; it takes 0 or more nats"),
        (Column("cross_entropy", "patches", "test", 1, "0"), [0.5] * 26 + [math.inf], "is inf"),
        (accuracy(), [50.0] * 26, "takes 27 numbers"),
        (accuracy(), ["50"] * 27, "takes 27 numbers"),
    ],
)
def test_impossible_numbers_are_refused(column: Column, values: list[Any], words: str) -> None:
    with pytest.raises(BadTable, match=words):
        Table(header(), {column: values})


def test_a_complete_table_lacks_nothing() -> None:
    values = np.full(TOY, 50.0)
    values[5] = NAN
    with pytest.raises(BadTable, match=r"1 values of accuracy.*e\.g\. none,skip_connect,nor_conv_3x3"):
        Table(header(complete=True), {accuracy(): values})
    assert Table(header(complete=False), {accuracy(): values}).columns == (accuracy(),)


@pytest.mark.parametrize("bad", [[-1] * 27, [0.5] * 27, [NAN] * 27, [math.inf] * 27])
def test_counts_are_whole_numbers(bad: list[float]) -> None:
    with pytest.raises(BadTable, match="whole number"):
        Table(header(), {accuracy(): [50.0] * TOY}, {"parameters": bad})


def test_unknown_counts_and_empty_tables_are_refused() -> None:
    with pytest.raises(BadTable, match="unknown count 'flops'"):
        Table(header(), {accuracy(): [50.0] * TOY}, {"flops": [1] * TOY})
    with pytest.raises(BadTable, match="no column of results"):
        Table(header(), {})


@pytest.mark.parametrize("seed", ["mean", "run"])
def test_a_mean_or_an_unnamed_run_stands_alone(seed: str) -> None:
    with pytest.raises(BadTable, match="beside other seeds"):
        Table(header(), {accuracy(seed=seed): [50.0] * TOY, accuracy(seed="3"): [51.0] * TOY})


# --- writing


def test_nothing_is_written_over_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    small().save(path)
    with pytest.raises(BadTable, match="exists already"):
        small(complete=True).save(path)
    assert Table.load(path).checksum == small().checksum
    small(complete=True).save(path, replace=True)
    assert Table.load(path).checksum == small(complete=True).checksum


def test_a_failed_write_leaves_the_old_table_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.parquet"
    small().save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadTable, match="No space left on device"):
        small(complete=True).save(path, replace=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_settings_must_be_json(tmp_path: Path) -> None:
    table = Table(header(settings={"rate": math.nan}), {accuracy(): [50.0] * TOY})
    with pytest.raises(BadTable, match="no JSON"):
        table.save(tmp_path / "table.parquet")
    assert not list(tmp_path.iterdir())


# --- queries


ASKED: dict[str, Any] = {"dataset": "patches", "split": "test", "epochs": 2}


def test_a_query_says_what_it_averaged() -> None:
    table = small()
    full, half = toy.SPACE.population.at(4), toy.SPACE.population.at(5)
    assert table.query(full, **ASKED, seeds="mean") == Value(19.0, "accuracy", "patches", "test", 2, ("0", "1"))
    assert table.query(half, **ASKED, seeds="mean") == Value(15.0, "accuracy", "patches", "test", 2, ("0",))
    assert table.query(full, **ASKED, seeds="1") == Value(24.0, "accuracy", "patches", "test", 2, ("1",))


@pytest.mark.parametrize("seed", ["mean", "run"])
def test_the_mean_of_a_ready_mean_or_a_single_run_is_that_and_says_so(seed: str) -> None:
    table = Table(header(), {accuracy(seed=seed): np.linspace(50, 76, TOY)})
    assert table.query((0, 0, 1), **ASKED, seeds="mean") == Value(51.0, "accuracy", "patches", "test", 2, (seed,))
    with pytest.raises(NoSuchEntry, match=f"no seeds '777'.*{seed}"):
        table.query((0, 0, 1), **ASKED, seeds="777")


def test_numbered_seeds_are_no_unnamed_run() -> None:
    with pytest.raises(NoSuchEntry, match="there is '0', '1', 'mean'"):
        small().query((0, 0, 0), **ASKED, seeds="run")


def test_nothing_is_never_a_number() -> None:
    table = small()
    with pytest.raises(NoSuchEntry, match="no seed of it"):
        table.query(toy.SPACE.population.at(3), **ASKED, seeds="mean")
    with pytest.raises(NoSuchEntry, match=r"lacks accuracy\|patches\|test\|2\|1 of .*; it has seeds '0'"):
        table.query(toy.SPACE.population.at(5), **ASKED, seeds="1")
    with pytest.raises(BadGenotype):
        table.query((0, 0, 9), **ASKED, seeds="mean")


@pytest.mark.parametrize(
    ("split", "words"), [("x-valid", "which this table has at 12 epochs"), ("train", "of another table")]
)
def test_the_way_out_that_is_named_is_one_that_the_table_has(split: str, words: str) -> None:
    columns = [accuracy("ori-test", "777", 200, "cifar10"), accuracy(split, "mean", 12, "cifar10-valid")]
    said = explain(columns, ("accuracy", "cifar10", "x-valid", 200), "mean")
    assert said.endswith(f"use dataset 'cifar10-valid', split 'x-valid', {words}")


@pytest.mark.parametrize("part", ["dataset", "split", "epochs", "seeds"])
def test_no_part_of_a_question_has_a_default(part: str) -> None:
    asked = {**ASKED, "seeds": "mean"}
    del asked[part]
    with pytest.raises(TypeError, match=part):
        small().query((0, 0, 0), **asked)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"split": "x-valid"},
            "cifar10 was trained on all 50,000.*'cifar10-valid', split 'x-valid', which .* at 200 epochs$",
        ),
        ({"split": "x-test"}, "no split 'x-test' with metric 'accuracy', dataset 'cifar10'; there is 'ori-test'"),
        ({"dataset": "cifar-100"}, "no dataset 'cifar-100' with metric 'accuracy'; there is 'cifar100', "),
        ({"dataset": "svhn"}, "there is 'cifar10', 'cifar10-valid', 'cifar100'$"),
        ({"epochs": 12}, "no epochs 12 .*; there is 200$"),
        ({"epochs": "200"}, "no epochs '200' .*; there is 200$"),
        ({"seeds": "666"}, "no seeds '666' .*; there is '777', '888', '999', 'mean'$"),
        ({"metric": "cross_entropy"}, "no metric 'cross_entropy'; there is 'accuracy'$"),
    ],
)
def test_an_unknown_combination_names_what_there_is(whole: Path, change: dict[str, Any], words: str) -> None:
    asked: dict[str, Any] = {"dataset": "cifar10", "split": "ori-test", "epochs": 200, "seeds": "mean"} | change
    table = Table.load(whole)
    with pytest.raises(NoSuchEntry, match=words):
        table.query((0,) * 6, **asked)
    with pytest.raises(NoSuchEntry, match=words):
        table.column(**asked)


def test_a_column_is_the_query_of_every_row_and_cannot_be_spoilt() -> None:
    table = small()
    column = table.column(**ASKED, seeds="mean")
    for row, genotype in enumerate(itertools.product(range(3), repeat=3)):
        if row == 3:
            assert np.isnan(column[row])
        else:
            assert table.query(genotype, **ASKED, seeds="mean").value == column[row]
    assert table.column(**ASKED, seeds="mean") is column
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        table.constant("parameters")[0] = 1


def test_a_table_keeps_its_own_copy() -> None:
    values = np.full(TOY, 50.0, np.float32)
    table = Table(header(), {accuracy(): values})
    values[:] = 60
    assert table.column(**ASKED, seeds="0")[0] == 50


def test_equal_runs_in_another_order_have_equal_means() -> None:
    runs = np.array([[91.37, 90.03, 89.99], [89.99, 91.37, 90.03], [90.03, 89.99, 91.37]])
    columns = {accuracy(seed=str(seed)): np.resize(row, TOY) for seed, row in enumerate(runs)}
    assert len(set(Table(header(), columns).column(**ASKED, seeds="mean").tolist())) == 1


def test_asking_draws_no_random_number(whole: Path) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    table = Table.load(whole)
    table.query((1,) * 6, dataset="cifar10", split="ori-test", epochs=200, seeds="mean")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]


def test_counts_are_asked_for_by_name() -> None:
    assert small().constant("parameters").tolist() == list(range(TOY))
    with pytest.raises(NoSuchEntry, match="no 'multiply_adds'; it has parameters"):
        small().constant("multiply_adds")


# --- as ground truth


def test_a_complete_official_table_scores_its_targets(whole: Path) -> None:
    found = truth.open_truth(whole)
    assert list(found.targets()) == ["cifar10", "cifar100"]
    assert found.targets()["cifar10"].valid == ("cifar10-valid", "x-valid")
    assert found.targets()["cifar100"].valid is None  # the table has no such column
    table = Table.load(whole)
    assert (found.name, found.checksum, found.space) == ("made-up", table.checksum, nb201.SPACE)
    genotype = (4, 3, 2, 1, 0, 3)
    valid = table.query(genotype, dataset="cifar10-valid", split="x-valid", epochs=200, seeds="mean").value
    test = table.query(genotype, dataset="cifar10", split="ori-test", epochs=200, seeds="mean").value
    assert found.scores([genotype], "cifar10").tolist() == [[valid, test]]
    assert np.isnan(found.scores([genotype], "cifar100")[0, 0])
    assert found.reference("cifar10").coverage == 1
    with pytest.raises(NoSuchEntry, match="cannot score data set 'svhn'; it can score: cifar10, cifar100"):
        found.reference("svhn")


def test_a_table_in_the_making_scores_what_it_holds() -> None:
    found = TableTruth(small())
    assert list(found.targets()) == ["patches"]
    assert found.targets()["patches"].epochs == 2
    reference = found.reference("patches")
    assert (reference.population, reference.known, reference.coverage) == ("all 27", 26, 26 / 27)
    assert np.flatnonzero(np.isnan(reference.test)).tolist() == [3]
    assert reference.best == truth.Scores(66.0, 41.0)
    asked = [toy.SPACE.population.at(row) for row in (4, 3, 4)]
    np.testing.assert_array_equal(found.scores(asked, "patches"), [[44.0, 19.0], [NAN, NAN], [44.0, 19.0]])
    assert found.scores([], "patches").shape == (0, 2)
    with pytest.raises(BadGenotype):
        found.scores([(0, 0, 9)], "patches")


def test_best_is_each_its_own_maximum() -> None:
    up, down = np.linspace(10, 36, TOY), np.linspace(80, 54, TOY)
    found = TableTruth(Table(header(), {accuracy("valid"): up, accuracy("test"): down}))
    assert found.reference("patches").best == truth.Scores(36.0, 80.0)


def test_validation_that_lacks_tested_cells_is_no_validation() -> None:
    valid = np.full(TOY, 50.0)
    valid[9] = NAN
    columns = {accuracy("valid"): valid, accuracy("test"): np.linspace(50, 76, TOY)}
    found = TableTruth(Table(header(), columns))
    assert found.targets()["patches"].valid is None
    np.testing.assert_array_equal(found.scores([toy.SPACE.population.at(9)], "patches"), [[NAN, 59.0]])
    assert found.reference("patches").best.valid is None


def test_official_targets_are_of_full_training_only() -> None:
    short = Table(header("nb201"), {Column("accuracy", "cifar10", "ori-test", 12, "run"): np.full(15_625, 80.0)})
    assert TableTruth(short).targets() == {}


def test_the_ceiling_is_what_halves_of_the_seeds_make_one_expect() -> None:
    rng = np.random.default_rng(1)
    signal = np.linspace(40, 70, TOY)
    runs = [(signal + rng.normal(0, 3, TOY)).astype(np.float32) for _ in range(4)]
    runs[2][8] = NAN  # a cell that lacks a seed takes no part

    def ceiling(runs: list[NDArray[np.float32]]) -> dict[str, float] | None:
        columns = {accuracy(seed=str(seed)): run for seed, run in enumerate(runs)}
        return TableTruth(Table(header(), columns)).reference("patches").ceiling

    def tau(*halves: tuple[int, ...]) -> float:
        kept = np.delete(np.stack(runs).astype(np.float64), 8, axis=1)
        first, second = (kept[list(half)].mean(0) for half in halves)
        return float(stats.kendalltau(first, second).statistic)

    def stepped_up(tau: float, times: float) -> float:
        r = np.sin(np.pi / 2 * tau)
        return float(2 / np.pi * np.arcsin(times * r / (1 + (times - 1) * r)))

    def expected(halves: float, times: float, seeds: int, n: int) -> dict[str, object]:
        return {
            "tau": pytest.approx(stepped_up(halves, times)),
            "halves": pytest.approx(halves),
            "seeds": seeds,
            "n": n,
        }

    assert ceiling(runs[:1]) is None
    whole = float(stats.kendalltau(runs[0], runs[1]).statistic)
    assert ceiling(runs[:2]) == expected(whole, 2, 2, 27)
    three = float(np.mean([tau((0,), (1,)), tau((0,), (2,)), tau((1,), (2,))]))
    assert ceiling(runs[:3]) == expected(three, 3, 3, 26)
    four = float(np.mean([tau((0, 1), (2, 3)), tau((0, 2), (1, 3)), tau((0, 3), (1, 2))]))
    assert ceiling(runs) == expected(four, 2, 4, 26)
    few = runs[3].copy()
    few[:9] = NAN  # a third of the cells lack this seed, so that it takes no part
    assert ceiling([*runs[:2], few]) == ceiling(runs[:2])


def test_the_ceiling_is_the_tau_of_a_table_with_its_repetition() -> None:
    """Two tables of three seeds each, from one normal model, agree at the ceiling that each of them states."""
    rng = np.random.default_rng(2)
    signal = 50 + 5 * rng.normal(size=nb201.SPACE.size)
    tables = [[(signal + 4 * rng.normal(size=nb201.SPACE.size)).astype(np.float32) for _ in range(3)] for _ in range(2)]
    agreed = stats.kendalltau(np.mean(tables[0], axis=0), np.mean(tables[1], axis=0)).statistic
    for runs in tables:
        columns = {accuracy(seed=str(seed)): run for seed, run in enumerate(runs)}
        found = TableTruth(Table(header("nb201"), columns)).reference("patches").ceiling
        assert found is not None
        assert found["tau"] == pytest.approx(agreed, abs=0.01)
        assert found["halves"] < agreed - 0.1


def test_a_table_of_means_has_no_ceiling() -> None:
    assert (
        TableTruth(Table(header(), {accuracy(seed="mean"): np.linspace(10, 36, TOY)})).reference("patches").ceiling
        is None
    )


def test_the_embedded_table_is_opened_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "TABLES", {"toy": tmp_path / "patches.parquet"})
    with pytest.raises(NoSuchEntry, match="no embedded table"):
        truth.open_truth("embedded", toy.SPACE)
    small().save(tmp_path / "patches.parquet")
    assert truth.open_truth("embedded", toy.SPACE).checksum == small().checksum
    with pytest.raises(BadSpec, match=r"toy-darts has no embedded table .*: toy\)"):
        truth.open_truth("embedded", toy_darts.SPACE)
    with pytest.raises(BadTable, match="no such file"):
        truth.open_truth(tmp_path / "embeded")
