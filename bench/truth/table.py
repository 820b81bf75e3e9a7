"""The canonical table of ground truth: numbers by architecture, each with metric, dataset, split, epochs and seed.

One file, one row per architecture of a stated population: all of a space, in order, or some of them. A table that is
held is a table that is right: whatever is out of range, missing or damaged is refused when it is made or loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench import spaces
from bench.errors import BadTable, NoSuchEntry, UnknownName
from bench.spaces.space import Genotype, Population, Space
from bench.store import names
from bench.truth import checks, listing, parquet
from bench.truth.column import MEAN, Column, Quantity, explain

WHOLE = ""
"""What a header says of a table of all architectures. It is left out of files: tables were of nothing else before."""


@dataclass(frozen=True)
class Header:
    """What a table says about itself."""

    name: str  # e.g. "patches-v1"
    version: str
    space: str
    title: str
    source: str  # who or what made the numbers
    complete: bool  # whether every column has a number for every architecture
    settings: Mapping[str, Any] = field(default_factory=dict)  # JSON values: what the numbers depend on
    notes: Mapping[str, str] = field(default_factory=dict)  # by column name
    population: str = WHOLE  # which architectures its rows are, "240 sampled"; WHOLE: all of the space

    def __post_init__(self) -> None:
        for part in dataclasses.fields(self):
            kind = {"complete": bool, "settings": Mapping, "notes": Mapping}.get(part.name, str)
            if not isinstance(getattr(self, part.name), kind):
                raise BadTable(f"the header's {part.name} is {getattr(self, part.name)!r}")
        names.checked(self.name, "a table", BadTable)  # files of scores are named by it


@dataclass(frozen=True, slots=True)
class Value:
    """One number and all that says which one it is."""

    value: float
    metric: str
    dataset: str
    split: str
    epochs: int
    seeds: tuple[str, ...]  # those averaged; ("mean",): an unknown number, ("run",): one, not known which


@dataclass(frozen=True, slots=True)
class _Series:
    """The answer to one question for all architectures."""

    values: NDArray[np.float64]  # [N], NaN where missing, read-only
    seeds: tuple[str, ...]  # [S]
    present: NDArray[np.bool_]  # [S, N]
    whole: bool  # whether every seed is present everywhere

    def seeds_at(self, row: int) -> tuple[str, ...]:
        return self.seeds if self.whole else tuple(compress(self.seeds, self.present[:, row].tolist()))


class Table:
    """Ground truth by architecture. Raises BadTable when made of anything that cannot be right.

    columns: `[N]` each, in the order of the population; percent, nats or seconds; NaN where missing; kept as
    float32. constants: `[N]` counts, kept as int64, none missing. population: what the header says, by default all
    architectures or, where the header says so, the population of the space.
    """

    def __init__(
        self,
        header: Header,
        columns: Mapping[Column, ArrayLike],
        constants: Mapping[str, ArrayLike] | None = None,
        population: Population | None = None,
    ) -> None:
        try:
            self.space = spaces.get(header.space)
        except UnknownName as error:
            raise BadTable(f"is for a space that this program lacks: {error}") from None
        self.header = header
        self.population = _population(self.space, header) if population is None else population
        if self.population.space.name != header.space or about(self.population) != header.population:
            raise BadTable(f"says that it is of {_said(header)}, but its rows are {_named(self.population)}")
        self._columns = {c: checks.floats(c, columns[c], self.population, header.complete) for c in sorted(columns)}
        given = constants or {}
        self._constants = {name: checks.counts(name, given[name], self.population) for name in sorted(given)}
        self._series: dict[tuple[Quantity, str], _Series] = {}
        checks.seeds(self._columns)
        unknown = sorted(set(header.notes) - set(self._arrays))
        if unknown:
            raise BadTable(f"the header has a note on {unknown[0]!r}, which is no column")

    @classmethod
    def load(cls, path: str | Path, population: Population | None = None) -> Self:
        """The table in a file. population: what it is wanted for; None: whatever it is of.

        Raises BadTable with one line naming the file and the fault, also where it is of another population.
        """
        try:
            table = cls._restore(parquet.read(Path(path)))
            if population is not None:
                table.check_of(population)
        except BadTable as error:
            raise BadTable(f"{path}: {error}") from None
        return table

    def check_of(self, population: Population) -> None:
        """Raises BadTable unless the rows are exactly this population."""
        if not listing.same(self.population, population):
            raise BadTable(f"is of {_named(self.population)}; {_named(population)} are asked for")

    def save(self, path: str | Path, *, replace: bool = False) -> None:
        """Write the table atomically. Raises BadTable where the file exists, unless `replace`, or cannot be written."""
        header = {part.name: getattr(self.header, part.name) for part in dataclasses.fields(self.header)}
        header |= {"settings": dict(self.header.settings), "notes": dict(self.header.notes)}
        header |= {"columns": sorted(self._arrays), "content": self.checksum}
        if self.header.population == WHOLE:
            del header["population"]
        parquet.write(Path(path), header, listing.of(self.population), self._arrays, replace)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, sorted."""
        return tuple(self._columns)

    @cached_property
    def checksum(self) -> str:
        """The hash of the content, 32 hexadecimal digits: equal for equal numbers, whatever the header says."""
        return parquet.content_hash(listing.known_hash(self.population), self._arrays)

    def column(
        self, *, dataset: str, split: str, epochs: int, seeds: str, metric: str = "accuracy"
    ) -> NDArray[np.float64]:
        """`[N]` the same numbers as `query` gives, NaN where one is missing. Read-only and kept.

        Raises NoSuchEntry where the table holds no such numbers at all.
        """
        return self._answer((metric, dataset, split, epochs), seeds).values

    def query(
        self,
        architecture: Genotype | str,
        *,
        dataset: str,
        split: str,
        epochs: int,
        seeds: str,
        metric: str = "accuracy",
    ) -> Value:
        """One number. architecture: one operation per edge, or the space's notation, such as the official string of
        NAS-Bench-201. seeds: "777" for that training, "run" for the one of unknown seed, "mean" for the mean over
        whatever this architecture has (the value says what that is).

        Raises NoSuchEntry, saying what there is instead, and BadGenotype.
        """
        genotype = self.space.parse(architecture) if isinstance(architecture, str) else architecture
        row = self.population.find(self.space.check(genotype))
        if row is None:
            raise NoSuchEntry(
                f"table {self.header.name} lacks {self.space.show(genotype)}; it is of {_named(self.population)}"
            )
        series = self._answer((metric, dataset, split, epochs), seeds)
        value = float(series.values[row])
        if value != value:  # NaN
            raise NoSuchEntry(self._missing(row, (metric, dataset, split, epochs), seeds))
        return Value(value, metric, dataset, split, epochs, series.seeds_at(row))

    def seeds(self, quantity: Quantity) -> tuple[str, ...]:
        """The seeds stored for (metric, dataset, split, epochs), ascending; empty where there are none."""
        found = [column.seed for column in self._columns if column.quantity == quantity]
        return tuple(sorted(found, key=lambda seed: (len(seed), seed)))

    def constant(self, name: str) -> NDArray[np.int64]:
        """`[N]` parameters or multiply-adds of every architecture. Raises NoSuchEntry."""
        if name not in self._constants:
            held = ", ".join(self._constants) or "no counts"
            raise NoSuchEntry(f"table {self.header.name} has no {name!r}; it has {held}")
        return self._constants[name]

    def _answer(self, quantity: Quantity, seeds: str) -> _Series:
        found = self._series.get((quantity, seeds))
        if found is None:
            stored = self.seeds(quantity)
            wanted = stored if seeds == MEAN else tuple(seed for seed in stored if seed == seeds)
            if not wanted:
                raise NoSuchEntry(f"table {self.header.name}: {explain(self._columns, quantity, seeds)}")
            found = self._series[quantity, seeds] = self._averaged(quantity, wanted)
        return found

    def _averaged(self, quantity: Quantity, seeds: tuple[str, ...]) -> _Series:
        """The mean over those seeds that an architecture has. In float64 the sum of a few float32 is exact, so
        equal runs in another order are equal means."""
        stacked = np.stack([self._columns[Column(*quantity, seed)] for seed in seeds]).astype(np.float64)  # [S, N]
        present = ~np.isnan(stacked)
        count = present.sum(0)
        values = np.where(present, stacked, 0).sum(0) / np.where(count, count, np.nan)
        values.flags.writeable = False
        return _Series(values, seeds, present, bool(present.all()))

    def _missing(self, row: int, quantity: Quantity, seeds: str) -> str:
        has = self._answer(quantity, MEAN).seeds_at(row)
        instead = f"it has seeds {', '.join(map(repr, has))}" if has else "it has no seed of it"
        arch = self.space.show(self.population.at(row))
        return f"table {self.header.name} lacks {Column(*quantity, seeds).name} of {arch}; {instead}"

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {c.name: values for c, values in self._columns.items()} | dict(self._constants)

    @classmethod
    def _restore(cls, stored: parquet.Stored) -> Self:
        """The table of a file, once its rows and columns are those that its header promises."""
        about = {"population": WHOLE, **stored.header}
        parts = {part.name for part in dataclasses.fields(Header)}
        if set(about) != parts | {"format", "columns", "content"}:
            raise BadTable(f"has a header of other fields ({', '.join(sorted(about))}); {parquet.AGAIN}")
        odd = set(map(str, about["columns"])) ^ set(stored.arrays)
        if odd:
            raise BadTable(f"has columns other than its header lists ({min(odd)!r}); {parquet.AGAIN}")
        for name, values in stored.arrays.items():
            if values.dtype != (np.int64 if name in checks.CONSTANTS else np.float32):
                raise BadTable(f"column {name!r} is of type {values.dtype}; {parquet.AGAIN}")
        header = Header(**{name: about[name] for name in parts})
        space = spaces.known(header.space)
        population = None if space is None else _of_rows(stored, space, header)
        columns = {Column.parse(name): values for name, values in stored.arrays.items() if name not in checks.CONSTANTS}
        constants = {name: stored.arrays[name] for name in checks.CONSTANTS if name in stored.arrays}
        table = cls(header, columns, constants, population)
        if table.checksum != about["content"]:
            raise BadTable(
                f"is damaged or edited (its numbers have another hash than its header says); {parquet.AGAIN}"
            )
        return table


def about(population: Population) -> str:
    """What a header says of a population."""
    return WHOLE if population.whole else population.about


def _population(space: Space, header: Header) -> Population:
    return listing.everything(space) if header.population == WHOLE else space.population


def _of_rows(stored: parquet.Stored, space: Space, header: Header) -> Population:
    """The population of a file's rows. Raises BadTable where they are not what the header says."""
    if header.population != WHOLE:
        return listing.restored(stored.listing(), space, header.population)
    every = listing.everything(space)
    if stored.listing_hash != listing.known_hash(every):
        raise BadTable(f"{listing.fault(stored.listing(), every)}; {parquet.AGAIN}")
    return every


def _named(population: Population) -> str:
    """For sentences: "the architectures of nb201, all 15,625"."""
    return f"the architectures of {population.space.name}, {population.about}"


def _said(header: Header) -> str:
    return f"the architectures of {header.space}, {header.population or 'all'}"
