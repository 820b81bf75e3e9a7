"""From an extract of NAS-Bench-201 in text form (`nb201.csv.gz`) to the canonical table.

The extract names its columns in its own way; which official numbers they are is written down here once, with what is
known for certain and what is inferred, and travels in the table as a note on the column.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadTable, UnknownName
from bench.spaces.nb201 import SPACE
from bench.store import names
from bench.truth import plausible
from bench.truth.column import MEAN, RUN, Column
from bench.truth.table import Header, Table
from bench.truth.text import is_missing, text_of

_KEYS = ("index", "arch")

_COUNTS = {"params_m": "parameters", "flops_m": "multiply_adds"}  # in millions: 32 x 32 images, 10 classes

_MEANS = "mean over the training seeds there are (1 to 3 per architecture, not told which)"
_ONE = "one run, seed not told"
_SECONDS = "seconds of one epoch, known for 1,000 architectures; official key inferred from the name"

COLUMNS: dict[str, tuple[Column, str]] = {
    "c10_test_200": (
        Column("accuracy", "cifar10", "ori-test", 200, MEAN),
        f"{_MEANS}; trained on train and validation images, all 50,000",
    ),
    "c100_test_200": (Column("accuracy", "cifar100", "x-test", 200, MEAN), _MEANS),
    "in16_test_200": (Column("accuracy", "ImageNet16-120", "x-test", 200, MEAN), _MEANS),
    "c10_valid_200_1run": (
        Column("accuracy", "cifar10-valid", "ori-test", 200, RUN),
        f"{_ONE}; the extract calls it x-valid, but all values are whole multiples of 1/10,000 with all last digits"
        " equally often: accuracies on the 10,000 images of ori-test, not on the 25,000 of x-valid",
    ),
    "in16_valid_200_1run": (
        Column("accuracy", "ImageNet16-120", "x-valid", 200, RUN),
        f"{_ONE}; known for 9,445 architectures",
    ),
    "c10_test_12": (
        Column("accuracy", "cifar10", "ori-test", 12, RUN),
        f"{_ONE}; trained on train and validation images, all 50,000",
    ),
    "c10_valid_12": (
        Column("accuracy", "cifar10-valid", "x-valid", 12, MEAN),
        "the mean of two runs, inferred: half of the values are odd multiples of 1/50,000, and x-valid has 25,000"
        " images",
    ),
    "c100_test_12": (Column("accuracy", "cifar100", "x-test", 12, RUN), _ONE),
    "c100_valid_12": (Column("accuracy", "cifar100", "x-valid", 12, RUN), _ONE),
    "in16_test_12": (Column("accuracy", "ImageNet16-120", "x-test", 12, RUN), _ONE),
    "in16_valid_12": (Column("accuracy", "ImageNet16-120", "x-valid", 12, RUN), _ONE),
    "c10_train_s_per_epoch": (Column("train_seconds", "cifar10", "train", 1, MEAN), _SECONDS),
    "c100_train_s_per_epoch": (
        Column("train_seconds", "cifar100", "train", 1, MEAN),
        f"{_SECONDS}; the release gives those of cifar10",
    ),
    "in16_train_s_per_epoch": (Column("train_seconds", "ImageNet16-120", "train", 1, MEAN), _SECONDS),
}
"""Column of the extract: what it is, and how far that is known."""

Row = tuple[int, Mapping[str, str]]


def convert(source: str | Path, out: str | Path) -> Table:
    """Convert an extract and write the table. Raises BadTable; nothing is written over."""
    table = convert_csv(source)
    table.save(out)
    return table


def convert_csv(path: str | Path) -> Table:
    """The table of an extract, plain or gzipped. What is missing there stays missing.

    Raises BadTable with one line naming the file, and the line and column at fault where there is one.
    """
    try:
        return _table(_rows(text_of(Path(path), "CSV")), Path(path).name)
    except BadTable as error:
        raise BadTable(f"{path}: {error}") from None
    except csv.Error as error:
        raise BadTable(f"{path} is no CSV ({error}); it should be the extract, plain or gzipped") from None


def _rows(text: str) -> Iterator[Row]:
    """Line number and fields of each row, once the heading is that of the extract."""
    reader = csv.reader(text.splitlines())
    heading = [name.strip() for name in next((row for row in reader if any(map(str.strip, row))), [])]
    wanted = [*_KEYS, *COLUMNS, *_COUNTS]
    extra = [n for n in heading if n not in wanted]
    if extra:
        other = UnknownName("column", extra[0], [n for n in wanted if n not in heading] or wanted)
        raise BadTable(f"{other}; or say what it is: --dataset NAME --column {names.printable(extra[0][:40])}=test")
    if len(set(heading)) != len(heading):
        raise BadTable("a column stands twice in the first line")
    if "arch" not in heading or not set(COLUMNS) & set(heading):
        raise BadTable("the first line names no column of architectures (arch), or none of accuracies")
    for fields in reader:
        if not any(map(str.strip, fields)):
            continue
        if len(fields) != len(heading):
            raise BadTable(f"line {reader.line_num} has {len(fields)} fields, not {len(heading)}")
        yield reader.line_num, {name: field.strip() for name, field in zip(heading, fields, strict=True)}


def _table(rows: Iterator[Row], name: str) -> Table:
    numbers: dict[str, NDArray[np.float64]] = {}
    line_of: dict[int, int] = {}
    for line, row in rows:
        numbers = numbers or {column: np.full(SPACE.size, np.nan) for column in (*COLUMNS, *_COUNTS) if column in row}
        position = _position(line, row)
        if position in line_of:
            raise BadTable(f"architecture {row['arch']} stands twice, in lines {line_of[position]} and {line}")
        line_of[position] = line
        for column, values in numbers.items():
            values[position] = _number(line, column, row[column])
    missing = [position for position in range(SPACE.size) if position not in line_of]
    if missing:
        first = SPACE.show(SPACE.population.at(missing[0]))
        raise BadTable(f"{len(missing)} of {SPACE.size} architectures are missing, e.g. {first}; is the file whole?")
    header = Header(
        name="nb201-extract",
        version="1",
        space=SPACE.name,
        title="NAS-Bench-201, an extract of the official numbers",
        source=f"converted from {name}; all numbers derive from NATS-Bench (Dong et al., TPAMI 2021)",
        complete=not any(np.isnan(values).any() for values in numbers.values()),
        notes={column.name: note for theirs, (column, note) in COLUMNS.items() if theirs in numbers},
    )
    there = {theirs: COLUMNS[theirs][0] for theirs in COLUMNS if theirs in numbers}
    counts = {ours: np.rint(1e6 * numbers[theirs]) for theirs, ours in _COUNTS.items() if theirs in numbers}
    table = Table(header, {column: numbers[theirs] for theirs, column in there.items()}, counts)
    for theirs, what in there.items():
        if what.metric == "accuracy":
            plausible.accuracies(what, numbers[theirs], SPACE.population)
    if len(counts) == len(_COUNTS):
        plausible.sizes(counts)
    return table


def _position(line: int, row: Mapping[str, str]) -> int:
    """The row's position, once its string and its official index name the same architecture."""
    try:
        genotype = SPACE.parse(row["arch"])
        indexed = SPACE.from_index(int(row["index"])) if "index" in row else genotype
    except BadGenotype as error:
        raise BadTable(f"line {line}: {error}") from None
    except ValueError:
        raise BadTable(f"line {line}: {row['index']!r} is no index") from None
    if indexed != genotype:
        raise BadTable(f"line {line}: index {row['index']} is {SPACE.show(indexed)}, but the line says {row['arch']}")
    return SPACE.population.row(genotype)


def _number(line: int, column: str, text: str) -> float:
    """A field as a number; an empty one is missing, which counts cannot be."""
    if is_missing(text) and column not in _COUNTS:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadTable(f"line {line}: {text!r} in column {column!r} is no number")
    percent = column in COLUMNS and COLUMNS[column][0].metric == "accuracy"
    if value < 0 or (percent and value > 100):
        raise BadTable(f"line {line}: {column!r} is {text}; it takes {'0..100 percent' if percent else '0 or more'}")
    return value
