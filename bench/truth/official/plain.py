"""A table from accuracies by architecture, as anybody may have them: CSV with a heading, or JSON, of any data set and
space."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BadGenotype, BadTable, UnknownName, counted
from bench.spaces.nb201 import SPACE
from bench.spaces.space import Genotype, Space
from bench.store import names, strict
from bench.truth.column import MEAN, OWN, Column
from bench.truth.listing import Listed
from bench.truth.table import Header, Table, about
from bench.truth.tabular import OFFICIAL
from bench.truth.text import is_missing, text_of

ARCHITECTURE = ("arch", "architecture", "arch_str", "index")
"""What the column of architectures may be called: strings, or official indices under the last name."""
EPOCHS = 200
PARTS = ("test", "valid")

Row = tuple[str, str, dict[str, str]]
"""Place in the file, architecture, and the fields that are wanted."""


def convert_plain(path: str | Path, dataset: str, columns: Sequence[str], space: Space = SPACE) -> Table:
    """The table of a file whose columns are named: `accuracy=test`. What is missing there stays missing.

    dataset: the printed name of one of the official data sets of NAS-Bench-201, whose test and validation accuracies
    these are then, or any other. space: whose architectures they are of; where its population is a sample, the table is
    of those that the file lists. Raises BadTable in one line.
    """
    path = Path(path)
    names.checked(dataset, "a data set", BadTable)
    wanted = _wanted(columns)
    try:
        text = text_of(path, "CSV or JSON")
        rows = _of_json(text, wanted) if text.lstrip().startswith("{") else _of_csv(text, wanted)
        return _table(list(rows), path.name, dataset, wanted, space)
    except BadTable as error:
        raise BadTable(f"{path}: {error}") from None


def _wanted(columns: Sequence[str]) -> dict[str, str]:
    """Column of the file -> test or valid."""
    pairs = [column.rpartition("=") for column in columns or ("accuracy=test",)]
    for name, equals, part in pairs:
        if not equals or not name:
            raise BadTable(f"--column takes NAME=test or NAME=valid, not {name or part!r}")
        if part not in PARTS:
            raise BadTable(str(UnknownName(f"part behind {name}=", part, PARTS)))
    return {name.strip(): part for name, _, part in pairs}


def _of_csv(text: str, wanted: Mapping[str, str]) -> Iterator[Row]:
    """Place, architecture and fields of every row; blank lines are passed over."""
    reader = csv.reader(text.splitlines())
    heading = [name.strip() for name in next((row for row in reader if any(map(str.strip, row))), [])]
    named = next((name for name in ARCHITECTURE if name in heading), None)
    absent = [name for name in wanted if name not in heading]
    if named is None or absent:
        what = f"column {absent[0]!r}" if absent else f"column of architectures ({', '.join(ARCHITECTURE)})"
        raise BadTable(f"it has no {what}; it has {names.printable(', '.join(heading)[:200])}")
    for fields in reader:
        if not any(map(str.strip, fields)):
            continue
        if len(fields) != len(heading):
            raise BadTable(f"line {reader.line_num} has {len(fields)} fields, not {len(heading)}")
        row = {name: field.strip() for name, field in zip(heading, fields, strict=True)}
        yield f"line {reader.line_num}", row[named], {name: row[name] for name in wanted}


def _of_json(text: str, wanted: Mapping[str, str]) -> Iterator[Row]:
    """The same of an object from architectures to their accuracy, or to an object of named ones."""
    try:
        content = strict.parsed(text)
    except ValueError as error:
        raise BadTable(f"is no JSON that can be read ({error})") from None
    for arch, value in content.items():
        fields = value if isinstance(value, dict) else dict.fromkeys(wanted, value)
        yield f"{arch[:80]!r}", arch.strip(), {name: _as_text(fields.get(name), arch) for name in wanted}


def _as_text(value: Any, arch: str) -> str:
    if value is None:
        return ""
    if isinstance(value, (bool, list, dict)):
        raise BadTable(f"{arch[:80]!r} has {str(value)[:40]} where a number belongs")
    return str(value)


def _table(rows: Sequence[Row], name: str, dataset: str, wanted: Mapping[str, str], space: Space) -> Table:
    genotypes = _genotypes(rows, space)
    numbers = np.array([[_accuracy(place, *field) for field in fields.items()] for place, _, fields in rows])  # [n, P]
    if np.nanmax(numbers, initial=0.0) <= 1.0:
        raise BadTable("has no accuracy above 1: these are shares, and a table holds percent")
    population = space.population
    if population.whole:
        values = np.full((len(population), len(wanted)), np.nan)
        values[[population.row(genotype) for genotype in genotypes]] = numbers
    else:
        population, values = Listed(space, genotypes, f"{len(genotypes):,} listed"), numbers
    header = Header(
        name=f"plain-{names.slug(dataset)}",
        version="1",
        space=space.name,
        title=f"accuracies by architecture on {dataset}",
        source=f"converted from {name}, as it names them",
        complete=not np.isnan(values).any(),
        population=about(population),
    )
    columns = {_column(space, dataset, part): values[:, k] for k, part in enumerate(wanted.values())}
    return Table(header, columns, {}, population)


def _genotypes(rows: Sequence[Row], space: Space) -> list[Genotype]:
    """The architectures, all different. Raises BadTable, with how many are none of this space."""
    place_of: dict[Genotype, str] = {}
    faults = []
    for place, arch, _ in rows:
        try:
            genotype = _genotype(arch, space)
        except BadGenotype as error:
            faults.append(f"{place}: {error}")
            continue
        if genotype in place_of:
            raise BadTable(f"{place}: architecture {names.printable(arch[:120])} stood in {place_of[genotype]} already")
        place_of[genotype] = place
    if not rows:
        raise BadTable("holds no architecture")
    if faults:
        count = f"{len(faults):,} of {counted(len(rows), 'row')} {'names' if len(faults) == 1 else 'name'}"
        raise BadTable(
            f"{count} no architecture of {space.name}, the first on {faults[0]}; correct them or name another --space"
        )
    return list(place_of)


def _genotype(arch: str, space: Space) -> Genotype:
    """By string, or in NAS-Bench-201 by official index. Raises BadGenotype."""
    return SPACE.from_index(int(arch)) if space is SPACE and arch.isdecimal() else space.parse(arch)


def _column(space: Space, dataset: str, part: str) -> Column:
    if space is SPACE and dataset in OFFICIAL:
        target = OFFICIAL[dataset]
        keys = target.test if part == "test" else target.valid
        assert keys is not None
        return Column("accuracy", *keys, target.epochs, MEAN)
    return Column("accuracy", f"{OWN}{dataset}", part, EPOCHS, MEAN)


def _accuracy(place: str, column: str, text: str) -> float:
    if is_missing(text):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise BadTable(f"{place}: {names.printable(text[:40])!r} in {column!r} is no accuracy in percent, 0..100")
    return value
