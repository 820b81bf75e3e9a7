"""The canonical table of ground truth: numbers by architecture, each with metric, dataset, split, epochs and seed.

One file, one row per architecture in the order of `Space.position`. A table that is held is a table that is right:
whatever is out of range, missing or damaged is refused when it is made or loaded.
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
from bench.spaces.space import Genotype
from bench.truth import checks, listing, parquet
from bench.truth.column import MEAN, Cell, Column, explain


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

    def __post_init__(self) -> None:
        for part in dataclasses.fields(self):
            kind = {"complete": bool, "settings": Mapping, "notes": Mapping}.get(part.name, str)
            if not isinstance(getattr(self, part.name), kind):
                raise BadTable(f"the header's {part.name} is {getattr(self, part.name)!r}")


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

    columns: `[N]` each, in the order of `Space.position`; percent, nats or seconds; NaN where missing; kept as
    float32. constants: `[N]` counts, kept as int64, none missing.
    """

    def __init__(
        self, header: Header, columns: Mapping[Column, ArrayLike], constants: Mapping[str, ArrayLike] | None = None
    ) -> None:
        try:
            self.space = spaces.get(header.space)
        except UnknownName as error:
            raise BadTable(f"is for a space that this program lacks: {error}") from None
        self.header = header
        self._columns = {c: checks.floats(c, columns[c], self.space, header.complete) for c in sorted(columns)}
        given = constants or {}
        self._constants = {name: checks.counts(name, given[name], self.space) for name in sorted(given)}
        self._series: dict[tuple[Cell, str], _Series] = {}
        checks.seeds(self._columns)
        unknown = sorted(set(header.notes) - set(self._arrays))
        if unknown:
            raise BadTable(f"the header has a note on {unknown[0]!r}, which is no column")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The table in a file. Raises BadTable with one line naming the file and the fault."""
        try:
            return cls._restore(parquet.read(Path(path)))
        except BadTable as error:
            raise BadTable(f"{path}: {error}") from None

    def save(self, path: str | Path, *, replace: bool = False) -> None:
        """Write the table atomically. Raises BadTable where the file exists, unless `replace`, or cannot be written."""
        about = {part.name: getattr(self.header, part.name) for part in dataclasses.fields(self.header)}
        about |= {"settings": dict(self.header.settings), "notes": dict(self.header.notes)}
        about |= {"columns": sorted(self._arrays), "content": self.checksum}
        parquet.write(Path(path), about, listing.of(self.space), self._arrays, replace)

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, sorted."""
        return tuple(self._columns)

    @cached_property
    def checksum(self) -> str:
        """The hash of the content, 32 hexadecimal digits: equal for equal numbers, whatever the header says."""
        return parquet.content_hash(listing.known_hash(self.space), self._arrays)

    def column(
        self, *, dataset: str, split: str, epochs: int, seeds: str, metric: str = "accuracy"
    ) -> NDArray[np.float64]:
        """`[N]` the same numbers as `query` gives, NaN where one is missing. Read-only and kept.

        Raises NoSuchEntry where the table holds no such numbers at all.
        """
        return self._answer((metric, dataset, split, epochs), seeds).values

    def query(
        self, genotype: Genotype, *, dataset: str, split: str, epochs: int, seeds: str, metric: str = "accuracy"
    ) -> Value:
        """One number. seeds: "777" for that training, "run" for the one of unknown seed, "mean" for the mean over
        whatever this architecture has (the value says what that is).

        Raises NoSuchEntry, saying what there is instead, and BadGenotype.
        """
        row = self.space.population.row(self.space.check(genotype))
        series = self._answer((metric, dataset, split, epochs), seeds)
        value = float(series.values[row])
        if value != value:  # NaN
            raise NoSuchEntry(self._missing(row, (metric, dataset, split, epochs), seeds))
        return Value(value, metric, dataset, split, epochs, series.seeds_at(row))

    def seeds(self, cell: Cell) -> tuple[str, ...]:
        """The seeds stored for (metric, dataset, split, epochs), ascending; empty where there is no such cell."""
        found = [column.seed for column in self._columns if column.cell == cell]
        return tuple(sorted(found, key=lambda seed: (len(seed), seed)))

    def constant(self, name: str) -> NDArray[np.int64]:
        """`[N]` parameters or multiply-adds of every architecture. Raises NoSuchEntry."""
        if name not in self._constants:
            held = ", ".join(self._constants) or "no counts"
            raise NoSuchEntry(f"table {self.header.name} has no {name!r}; it has {held}")
        return self._constants[name]

    def _answer(self, cell: Cell, seeds: str) -> _Series:
        found = self._series.get((cell, seeds))
        if found is None:
            stored = self.seeds(cell)
            wanted = stored if seeds == MEAN else tuple(seed for seed in stored if seed == seeds)
            if not wanted:
                raise NoSuchEntry(f"table {self.header.name}: {explain(self._columns, cell, seeds)}")
            found = self._series[cell, seeds] = self._averaged(cell, wanted)
        return found

    def _averaged(self, cell: Cell, seeds: tuple[str, ...]) -> _Series:
        """The mean over those seeds that an architecture has. In float64 the sum of a few float32 is exact, so
        equal runs in another order are equal means."""
        stacked = np.stack([self._columns[Column(*cell, seed)] for seed in seeds]).astype(np.float64)  # [S, N]
        present = ~np.isnan(stacked)
        count = present.sum(0)
        values = np.where(present, stacked, 0).sum(0) / np.where(count, count, np.nan)
        values.flags.writeable = False
        return _Series(values, seeds, present, bool(present.all()))

    def _missing(self, row: int, cell: Cell, seeds: str) -> str:
        has = self._answer(cell, MEAN).seeds_at(row)
        instead = f"it has seeds {', '.join(map(repr, has))}" if has else "it has no seed of it"
        arch = self.space.show(self.space.population.at(row))
        return f"table {self.header.name} lacks {Column(*cell, seeds).name} of {arch}; {instead}"

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {c.name: values for c, values in self._columns.items()} | dict(self._constants)

    @classmethod
    def _restore(cls, stored: parquet.Stored) -> Self:
        """The table of a file, once its rows and columns are those that its header promises."""
        about = dict(stored.header)
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
        space = spaces.SPACES.get(header.space)
        if space and stored.listing_hash != listing.known_hash(space):
            raise BadTable(f"{listing.fault(stored.listing(), space)}; {parquet.AGAIN}")
        columns = {Column.parse(name): values for name, values in stored.arrays.items() if name not in checks.CONSTANTS}
        table = cls(header, columns, {name: stored.arrays[name] for name in checks.CONSTANTS if name in stored.arrays})
        if table.checksum != about["content"]:
            raise BadTable(
                f"is damaged or edited (its numbers have another hash than its header says); {parquet.AGAIN}"
            )
        return table
