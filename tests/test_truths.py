"""The file of truths: it only grows, follows its truth, and loses nothing where several processes write it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.errors import BadRecord
from bench.scoring import truths

SIZE = 400


def whole(checksum: str = "sum", shift: float = 0.0) -> truths.Truths:
    """Every column for a space of `SIZE` architectures; those that a multiple of 7 numbers have no test accuracy."""
    rows = np.arange(SIZE, dtype=np.float64)
    columns = {
        "test": np.where(rows % 7 == 0, np.nan, rows / 8 + shift),
        "cell_class": rows // 2,
        "parameters": rows % 9,
        "multiply_adds": rows % 5,
    }
    return truths.made(checksum, positions(*range(SIZE)), columns)


def positions(*rows: int) -> np.ndarray:
    return np.array(rows, dtype=np.int32)


def test_it_grows_by_what_is_new_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "truths" / "made-up.patches.parquet"
    truths.extend(path, positions(5, 9, 14), whole())
    truths.extend(path, positions(9, 2), whole())
    table = pq.read_table(path)
    assert [(name, str(kind)) for name, kind in zip(table.schema.names, table.schema.types, strict=True)] == [
        ("position", "int32"), ("test", "float"), ("cell_class", "int32"), ("parameters", "int32"),
        ("multiply_adds", "int32"),
    ]  # fmt: skip
    told = table.to_pydict()
    assert told["position"] == [2, 5, 9, 14]
    np.testing.assert_array_equal(told["test"], [0.25, 0.625, 1.125, np.nan])
    assert (told["cell_class"], told["parameters"], told["multiply_adds"]) == ([1, 2, 4, 7], [2, 5, 0, 5], [2, 0, 4, 4])


def test_nothing_is_written_where_nothing_is_new(tmp_path: Path) -> None:
    path = tmp_path / "made-up.patches.parquet"
    truths.extend(path, positions(5, 9, 14), whole())
    before = path.stat()
    truths.extend(path, positions(14, 5), whole())
    assert path.stat() == before
    assert list(tmp_path.iterdir()) == [path]  # neither a lock nor a temporary file is left


def test_another_truth_replaces_numbers_and_checksum_together(tmp_path: Path) -> None:
    path = tmp_path / "made-up.patches.parquet"
    truths.extend(path, positions(5, 9), whole("old"))
    truths.extend(path, positions(10), whole("new", shift=1.0))
    found = truths.read(path)
    assert found.checksum == "new"
    assert found.keys.tolist() == [5, 9, 10]
    assert found.columns["test"].tolist() == [1.625, 2.125, 2.25]


def test_architectures_come_in_the_order_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "made-up.patches.parquet"
    truths.extend(path, positions(5, 9, 14), whole())
    found = truths.read(path).at(positions(9, 5))
    assert (found.keys.tolist(), found.columns["test"].tolist()) == ([9, 5], [1.125, 0.625])
    for absent in (4, 6, 399):
        with pytest.raises(KeyError, match=str(absent)):
            truths.read(path).at(positions(9, absent))


@pytest.mark.parametrize("content", [b"", b"PAR1", None], ids=["empty", "cut off", "another table"])
def test_another_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "made-up.patches.parquet"
    truths.extend(path, positions(5), whole())
    if content is None:
        pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)
    else:
        path.write_bytes(content)
    with pytest.raises(BadRecord, match="holds no truths"):
        truths.extend(path, positions(6), whole())


def _extend_often(path: Path, first: int) -> None:
    for row in range(first, SIZE, 4):
        truths.extend(path, positions(row), whole())


def test_processes_that_write_at_once_lose_no_row(tmp_path: Path) -> None:
    path = tmp_path / "made-up.patches.parquet"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_extend_often, args=(path, first)) for first in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert truths.read(path).keys.tolist() == list(range(SIZE))
