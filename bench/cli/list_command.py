"""`list`: runs, filtered, sorted, with columns of one's choice; or what can be named."""

from __future__ import annotations

import dataclasses
import json as json_
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from bench.cli.outcome import Common, ended, said
from bench.errors import BadSpec, UnknownName, counted
from bench.store.labels import parsed

if TYPE_CHECKING:
    from bench.cli.listing import Line
    from bench.store.record import Results, Score

SHOWN = ("key", "method", "space", "dataset", "scale", "seed", "status", "seconds", "architecture", "code", "seal")
"""Columns of a run where none are asked for."""

SCORED = ("truth", "target", "test", "regret_test", "rank", "tau")
"""Columns of a score where --scores asks for some."""

_KNOWN_BY_THE_RUN = {
    *("key", "label", "method", "space", "dataset", "seed", "scale", "status", "architecture"),
    *("cost", "curve", "panel", "candidates", "visited", "pairs", "schema", "sealed"),
}
"""Fields of a score that are none of its columns."""


@dataclass(frozen=True, kw_only=True)
class List(Common):
    """List runs, or what can be named: methods, studies, datasets, scales, spaces.

    Of a run, the column `code` says whether it was made by all the sources of `bench` and `methods` as they are now.
    `older` speaks of the sources as a whole: what was changed since need not be what the run is made of. The sources of
    plug-ins that it was made with count too. A broken plug-in is named at the end, and the exit code is 1.
    """

    what: Literal["runs", "methods", "studies", "datasets", "scales", "spaces"] = field(default="runs", kw_only=False)
    """Runs, or what can be named."""
    methods: tuple[str, ...] = ()
    """Only runs of these methods, with whatever settings; `gm-*` is all whose name begins so."""
    dataset: tuple[str, ...] = ()
    """Only runs on these image sets."""
    space: tuple[str, ...] = ()
    """Only runs on these spaces."""
    scale: tuple[str, ...] = ()
    """Only runs at these scales, whatever was changed in them."""
    seeds: tuple[int, ...] = ()
    """Only runs from these seeds."""
    status: tuple[Literal["done", "diverged", "failed", "interrupted", "timeout"], ...] = ()
    """Only runs that ended so."""
    scores: bool = False
    """Scores too: a row for each truth and data set that scored a run."""
    columns: tuple[str, ...] = ()
    """Only these columns, in this order. Of runs also costs, and every number of a score."""
    sort: tuple[str, ...] = ()
    """By these columns, the first first; rows without a value come last."""
    descending: bool = False
    """The largest first."""
    all: bool = False
    """All settings of methods too, as --set takes them; --json has them always."""

    def __call__(self) -> int:
        from bench.cli import listing
        from bench.store.record import Results, to_json

        results = Results(self.results)
        self._check()
        table = self._runs(results) if self.what == "runs" else listing.rows(self.what, results)
        known = self._columns(table)
        wanted = self._wanted(known)
        for name in (*self.columns, *self.sort):
            _require_column(name, known, self.what)
        for name in reversed(self.sort):
            table = _sorted(table, name, self.descending)
        if self.json:
            names = wanted if self.columns else known
            print(json_.dumps(to_json([{name: row.get(name) for name in names} for row in table])))
        elif not table:
            print(self._none(results))
        else:
            shown = table if self.columns or self.what == "runs" else [listing.readable(r, self.all) for r in table]
            names = wanted if self.columns or self.what == "runs" else list(shown[0])
            listing.show([listing.rounded({name: _text(row.get(name)) for name in names}) for row in shown])
        faults = listing.faults(self.what)
        for line in faults:
            said(f"skipped: {line}", self.results)
        return ended(results, 1 if faults else 0)

    @property
    def _filters(self) -> dict[str, tuple[Any, ...]]:
        named = ("methods", "dataset", "space", "scale", "seeds", "status")
        return {name: getattr(self, name) for name in named if getattr(self, name)}

    def _check(self) -> None:
        asked = [f"--{name}" for name in (*self._filters, *(["scores"] if self.scores else []))]
        if asked and self.what != "runs":
            raise BadSpec(f"{asked[0]} chooses among runs; `list {self.what}` takes --columns and --sort")
        if self.descending and not self.sort:
            raise BadSpec("--descending takes --sort COLUMN")

    def _runs(self, results: Results) -> list[Line]:
        """The rows of the runs that pass the filters, with those of their scores where these are asked for."""
        from bench.cli import listing

        rows = listing.rows("runs", results)
        for name, wanted in self._filters.items():
            rows = _passing(rows, name, wanted)
        if not self._scores_too:
            return rows
        return [{**row, **score} for row in rows for score in _scores(results, row["key"])]

    @property
    def _scores_too(self) -> bool:
        """Whether a column of scores is asked for."""
        if self.what != "runs" or not self._named_beyond_runs:
            return False
        return self.scores or bool({*self.columns, *self.sort} & set(_of_scores()))

    def _columns(self, table: Sequence[Line]) -> list[str]:
        """All columns that there are."""
        if self.what != "runs":
            return list(table[0]) if table else []
        from bench.cli import listing

        return [*listing.RUN_COLUMNS, *(_of_scores() if self._named_beyond_runs else ())]

    @property
    def _named_beyond_runs(self) -> bool:
        """Whether scores matter: their names take a moment to load."""
        from bench.cli import listing

        return self.scores or not {*self.columns, *self.sort} <= set(listing.RUN_COLUMNS)

    def _wanted(self, known: Sequence[str]) -> list[str]:
        if self.columns:
            return list(self.columns)
        return [*SHOWN, *(SCORED if self.scores else ())] if self.what == "runs" else list(known)

    def _none(self, results: Results) -> str:

        if self.what != "runs" or not results.keys():
            return results.without_runs
        asked = " ".join(f"--{name} {' '.join(map(str, values))}" for name, values in self._filters.items())
        return f"none of {counted(len(results.keys()), 'run')} in {results.root} is of {asked}"


def _passing(rows: Sequence[Line], name: str, wanted: Sequence[Any]) -> list[Line]:
    """The rows that one filter lets through. Raises UnknownName for a name that no run has."""
    column = {"methods": "method", "seeds": "seed"}.get(name, name)
    kept = [row for row in rows if any(_is(column, row[column], one) for one in wanted)]
    for one in wanted:
        exact = isinstance(one, str) and not set("*?[") & set(one) and name != "status"
        if exact and rows and not any(_is(column, row[column], one) for row in rows):
            raise UnknownName(f"{column} among these runs", one, {_bare(column, row[column]) for row in rows})
    return kept


def _is(column: str, value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, str):
        return bool(value == wanted)
    return value == wanted or fnmatchcase(value, wanted) or fnmatchcase(_bare(column, value), wanted)


def _bare(column: str, value: str) -> str:
    """A label without its settings; the preset of a scale."""
    if column == "method":
        return parsed(value)[0]
    return value.partition("+")[0] if column == "scale" else value


def _of_scores() -> list[str]:
    """The columns of scores: the numbers of a score and of its panel."""
    from bench.scoring.panel import DEFINITIONS
    from bench.store.record import Score

    return [*(f.name for f in dataclasses.fields(Score) if f.name not in _KNOWN_BY_THE_RUN), *DEFINITIONS]


def _scores(results: Results, key: str) -> list[Line]:
    """The columns of each score of a run; one row without any where it is not scored."""
    found = [_row(score) for score in results.scores_of(key)]
    return found or [dict.fromkeys(_of_scores())]


def _row(score: Score) -> Line:
    every = {**vars(score), **score.panel}
    return {name: every.get(name) for name in _of_scores()}


def _require_column(name: str, known: Sequence[str], what: str) -> None:
    """Raises BadSpec, with all that there are, where there is no such column."""
    if known and name not in known:
        near = get_close_matches(name.lower(), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadSpec(f"`list {what}` has no column {name!r}; {hint}there are {', '.join(known)}")


def _sorted(table: Iterable[Line], name: str, descending: bool) -> list[Line]:
    """By one column, numbers by value and all else as text; rows without a value come last."""
    rows = list(table)
    there = [row for row in rows if not _absent(row.get(name))]
    there.sort(key=lambda row: _order(row[name]), reverse=descending)
    return [*there, *(row for row in rows if _absent(row.get(name)))]


def _absent(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _order(value: Any) -> tuple[bool, Any]:
    number = isinstance(value, (int, float))
    return (not number, value if number else str(value))


def _text(value: Any) -> Any:
    """What stands for no value is nothing; a list is its members."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
