"""What a run leaves: one JSON record, written once and never edited, and the scores that are joined to it later.

A record says what a search did, never how good it was; `Score` rows say that, one file per record and truth.
Reading checks everything: a file that is not what its name and key say is refused in one line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.errors import BadRecord, counted
from bench.store import hints, names, schema, seals, strict
from bench.store.files import content_of, write_atomically
from bench.store.locks import claimed, is_held
from bench.store.schema import Kind, Status
from bench.store.spec import key_of

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
SCORES = 5
"""The schema of scores: they are made again at no cost, so their layout changes more freely than that of records."""
MEASURED = frozenset({"wall_s", "device_s", "peak_bytes"})  # what differs from machine to machine and run to run

SEALED = "sealed"  # the field that says whether a file had a seal; it is no part of what the file says

ROWS = "rows"  # of a file of scores

_KEY = re.compile("[0-9a-f]{16}")
_SCORED = re.compile(r"[0-9a-f]{16}\..+")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Candidate:
    """A finalist of a search and the number in [0, 1] by which the method compares its finalists, or None: validation
    accuracy on shared weights, of the finalist by itself or of the mixture that it comes from."""

    genotype: tuple[int, ...]
    estimate: float | None


@dataclass(frozen=True)
class Record:
    """One run. Times are seconds, memory bytes, multiply-adds 1e9; genotypes are operation indices per edge."""

    key: str
    label: str
    identity: Mapping[str, Any]
    status: Status
    message: str  # why a run did not finish; empty when done
    genotype: tuple[int, ...] | None  # the method's own choice
    architecture: str | None  # the same in the space's notation
    candidates: tuple[Candidate, ...]
    trace: tuple[
        Mapping[str, Any], ...
    ]  # {"forward_images", "backward_images", "wall_s", "genotype"} as the search went on
    details: Mapping[str, Any]  # what the method wants kept: regions, distance matrices, curves
    cost: Mapping[str, Any]  # total, with "phases": the same by phase
    estimates: Mapping[str, Any] | None  # side file of probe estimates: name, blake2b, probe, images
    place: Mapping[str, Any]  # code, python, torch, device, threads, images, started, stops
    schema: int = SCHEMA
    sealed: bool = field(default=True, compare=False)  # False: read from a file that was written without a seal

    def essence(self) -> dict[str, Any]:
        """The record without seconds, bytes and place: equal for equal runs on any machine of one arithmetic."""
        content = _said(self)
        del content["place"]
        return _without(content, MEASURED)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Score:
    """How good one run was on one evaluation data set, by one ground truth. Accuracies and regrets in percent
    points; None where the truth has no such value or the method no opinion."""

    key: str
    label: str
    method: str
    space: str
    dataset: str  # the image set that was searched
    target: str  # the data set that is scored
    seed: int
    scale: str
    status: Status
    truth: str
    truth_checksum: str
    truth_coverage: float  # share of the population that the truth holds
    population: str  # what ranks, regrets and means are stated of: `all 15,625`, `240 sampled`
    kind: Kind  # of the truth
    architecture: str | None
    valid: float | None
    test: float | None
    regret_valid: float | None
    regret_test: float | None
    rank: int | None  # of the choice among the truth's cells, by test accuracy; 1 is best
    ranked: int | None  # the number of cells ranked
    test_best_candidate: float | None  # the published protocol: the finalist that the table likes best
    n_candidates: int
    n_candidates_known: int  # finalists that the truth holds
    tau: float | None  # tau-b of the probe estimates with test accuracy
    spearman: float | None
    estimates_measured: bool | None  # the probe estimates are accuracies on validation images, not just an order
    probe_n: int  # architectures with both an estimate and a truth
    coverage: float | None  # share of the probe set on which the method has an opinion
    ceiling: float | None  # tau-b to expect of the truth with itself, made again from as many seeds
    panel: Mapping[str, float | None] = field(
        default_factory=dict
    )  # `bench.scoring.panel.DEFINITIONS` names and defines it
    candidates: tuple[Mapping[str, Any], ...] = ()  # the finalists: genotype, estimate, valid, test, rank
    visited: tuple[Mapping[str, Any], ...] = ()  # the same for cells that a search trained together (`details.rounds`)
    cost: Mapping[str, Any] = field(default_factory=dict)  # the record's cost, phases included
    curve: tuple[Mapping[str, Any], ...] = ()  # the trace with test and regret_test (or None) for its genotype
    pairs: str | None = None  # the file of truths that the run's estimates make pairs with, see `truths_path`
    schema: int = SCORES
    sealed: bool = field(default=True, compare=False)  # False: read from a file that was written without a seal


def to_json(value: Any) -> Any:
    """A dataclass as plain JSON values, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value


def _said(value: Record | Score) -> dict[str, Any]:
    """What a file says of it."""
    content: dict[str, Any] = to_json(value)
    del content[SEALED]
    return content


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    if isinstance(value, list):
        return [_without(v, names) for v in value]
    return value


class Results:
    """A results folder: `runs/<key>.json`, `estimates/<key>.parquet`, `scores/<key>.<truth>.json`,
    `pairs/<key>.<truth>.<target>.parquet`, `failed/<key>.json`, and while runs are made `checkpoints/<key>/`."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.damaged: dict[Path, str] = {}
        """The files that were skipped when many were read, and why: one bad file costs itself."""

    def check_there(self) -> None:
        """Raises BadRecord where there is no such folder: what only reads makes none."""
        if not self.root.is_dir():
            raise BadRecord(
                f"there is no folder {self.root}; name another with --results, or make runs with "
                f"{self.command('run smoke')}"
            )

    def command(self, words: str) -> str:
        """One of our commands for this folder, in backticks, as it is typed."""
        return hints.command(words, self.root)

    def check_writable(self) -> None:
        """Raises BadRecord now rather than after an hour of search."""
        probe = self.root / "runs" / f".probe-{os.getpid()}"
        write_atomically(probe, b"")
        probe.unlink(missing_ok=True)

    def run_path(self, key: str) -> Path:
        """Where the record of a finished run lies."""
        return names.within(self.root / "runs", key, "json", fault=BadRecord)

    def estimates_path(self, key: str) -> Path:
        """Where the probe estimates of a run lie."""
        return names.within(self.root / "estimates", key, "parquet", fault=BadRecord)

    def supernets_path(self, key: str) -> Path:
        """Where the trained supernets of a run lie, if they were kept (`bench.search.kept`)."""
        return self.root / "supernets" / f"{key}.npz"

    def blocks_path(self, key: str) -> Path:
        """Where the estimates of a run's supernets lie block of images by block, if they were made (`--blocks`)."""
        return self.root / "blocks" / f"{key}.parquet"

    def partial_path(self, key: str) -> Path:
        """Where the estimates of a run lie while it makes more of them."""
        return names.within(self.root / "estimates", key, "partial", "parquet", fault=BadRecord)

    def checkpoints_path(self, key: str) -> Path:
        """The folder in which a run keeps what it has trained while it goes on."""
        return names.within(self.root / "checkpoints", key, fault=BadRecord)

    @property
    def shared_path(self) -> Path:
        """The folder of what several runs train in common."""
        return self.root / "shared"

    def drop_checkpoints(self, key: str) -> None:
        """Remove that folder: the run is over."""
        shutil.rmtree(self.checkpoints_path(key), ignore_errors=True)

    def score_path(self, key: str, truth: str) -> Path:
        """Where the scores of a run by one truth lie."""
        return names.within(self.root / "scores", key, truth, "json", fault=BadRecord)

    def truths_path(self, truth: str, target: str) -> Path:
        """Where the truth of all architectures lies that scores by it have met (`bench.scoring.truths`)."""
        return names.within(self.root / "truths", truth, target, "parquet", fault=BadRecord)

    def failed_path(self, key: str) -> Path:
        """Where the record of a run that did not finish lies, to be tried again."""
        return names.within(self.root / "failed", key, "json", fault=BadRecord)

    def claim(self, key: str) -> AbstractContextManager[None]:
        """Inside, no other process makes the run of that key. Raises Busy where one does."""
        return claimed(self._lock(key), f"run {key}")

    def is_claimed(self, key: str) -> bool:
        """Whether a process is making the run of that key at this moment."""
        return is_held(self._lock(key))

    def _lock(self, key: str) -> Path:
        lock = names.within(self.root / "runs", key, "lock", fault=BadRecord)
        return lock.with_name(f".{lock.name}")

    def find(self, key: str) -> Record | None:
        """The finished record of that key, checked, or None."""
        path = self.run_path(key)
        return read_record(path) if path.exists() else None

    def named(self, beginning: str) -> Record:
        """The record whose key starts so, the only one that is read. Raises BadRecord where none or several do."""
        self.check_there()
        known = self.keys()
        if not known:
            raise BadRecord(self.without_runs)
        listed = f"{self.command('list')} shows them"
        count = counted(len(known), "run")
        if not beginning:
            raise BadRecord(f"give the key of one of {count}, or its beginning; {listed}")
        found = [key for key in known if key.startswith(beginning)]
        if len(found) > 1:
            some = ", ".join(found[:9]) + ("" if len(found) < 10 else ", …")
            raise BadRecord(f"{beginning!r} begins {len(found)} keys: {some}; give more digits")
        if not found:
            raise BadRecord(f"none of {count} begins with {beginning!r}; {listed}")
        return read_record(known[found[0]])

    @property
    def without_runs(self) -> str:
        """What is said of a folder that holds none."""
        return f"{self.root} holds no runs; make some with {self.command('run')}"

    def save(self, record: Record, estimates: bytes | None = None) -> Path:
        """Write a record, after the file of its estimates. A finished one is never replaced, nor what lies beside it:
        raises BadRecord where another stands."""
        finished = record.status in ("done", "diverged")
        path = self.run_path(record.key) if finished else self.failed_path(record.key)
        if finished and path.exists():
            if read_record(path).essence() == record.essence():
                return path
            raise BadRecord(
                f"{path} holds another result of the same key; raise the method's version, or {hints.aside(path)}"
            )
        if estimates is not None:
            write_atomically(self.estimates_path(record.key), estimates)
        write_atomically(path, _text(record))
        return path

    def seal(self, key: str) -> None:
        """Write a record that was read without a seal again, with one. Raises BadRecord."""
        write_atomically(self.run_path(key), _text(read_record(self.run_path(key))))

    def check(self, record: Record) -> None:
        """Raises BadRecord where a record cannot be written: it holds a number that is not finite."""
        _text(record)

    def save_scores(self, key: str, truth: str, scores: list[Score]) -> Path:
        """Write the scores of one run by one truth, replacing older ones: scoring again is free."""
        path = self.score_path(key, truth)
        rows = list(map(_said, scores))
        lines = (json.dumps(row, separators=(",", ":"), allow_nan=False) for row in rows)  # one for each row
        seal = json.dumps(seals.of({ROWS: rows}))
        text = f'{{"{ROWS}":[\n{",".join(f"{line}{chr(10)}" for line in lines)}],"{seals.NAME}":{seal}}}\n'
        write_atomically(path, text.encode())
        return path

    def records(self) -> Iterator[Record]:
        """All finished records that can be trusted, by key; the others are named in `damaged`."""
        return self.each(self._files("runs", _KEY), read_record)

    def failures(self) -> Iterator[Record]:
        """All records of runs that did not finish, and have not finished since."""
        paths = (path for path in self._files("failed", _KEY) if not (self.root / "runs" / path.name).exists())
        return self.each(paths, read_record)

    def keys(self) -> dict[str, Path]:
        """The key of each run and where its record lies, finished ones first, none of them read."""
        failed = {path.stem: path for path in self._files("failed", _KEY)}
        return {**failed, **{path.stem: path for path in self._files("runs", _KEY)}}

    def scores(self) -> Iterator[Score]:
        """All score rows of files that can be trusted, by file; the others are named in `damaged`."""
        for rows in self.each(self._files("scores", _SCORED), read_scores):
            yield from rows

    def judged(self, records: Mapping[str, Record]) -> Iterator[Score]:
        """The score rows of these records, by key. One without its record, or that says something else than it, is
        named in `damaged`."""
        for score in self.scores():
            path, record = self.score_path(score.key, score.truth), records.get(score.key)
            if record is None:
                beside = self.run_path(score.key)
                if beside not in self.damaged:
                    self.damaged[path] = f"{path} has no record {beside}; bring it back, or {hints.aside(path)}"
            elif odd := _differing(score, record):
                again = f"{self.command('score --again')} makes it anew"
                self.damaged[path] = f"{path} disagrees with its record in {', '.join(odd)}; {again}"
            else:
                yield score

    def frame(self) -> pd.DataFrame:
        """All scores that can be trusted as one table, a row each: the fields of `Score` but for its lists, the names
        of its panel (`bench.scoring.panel.DEFINITIONS`), and its cost by total; None where a number is not known. No
        row where nothing is scored. Warns of files that were skipped; `damaged` says why. Raises BadRecord where there
        is no such folder."""
        import pandas as pd

        self.check_there()
        rows = [_flat(score) for score in self.scores()]
        if self.damaged:
            count = counted(len(self.damaged), "file")
            warnings.warn(f"{count} in {self.root} skipped: {next(iter(self.damaged.values()))}", stacklevel=2)
        return pd.DataFrame(rows)

    def scores_of(self, key: str) -> Iterator[Score]:
        """The rows of one run, by every truth that scored it."""
        for rows in self.each(sorted((self.root / "scores").glob(f"{key}.*.json")), read_scores):
            yield from rows

    def _files(self, folder: str, name: re.Pattern[str]) -> Iterator[Path]:
        """The files of ours in a folder. Hidden ones and those of another kind are none; one that only looks like ours,
        such as a copy of another name, is named in `damaged`."""
        for path in sorted((self.root / folder).glob("*.json")):
            if name.fullmatch(path.stem):
                yield path
            elif not path.name.startswith("."):
                self.damaged[path] = f"{path} is none of the program's files: its name is no key; {hints.aside(path)}"

    def each(self, paths: Iterable[Path], read: Callable[[Path], _T]) -> Iterator[_T]:
        """What `read` makes of those files that can be trusted; the others are named in `damaged`."""
        for path in paths:
            try:
                yield read(path)
            except BadRecord as error:
                self.damaged[path] = str(error)


def _differing(score: Score, record: Record) -> list[str]:
    """In what a score says something else than the record that it is of."""
    identity = record.identity
    said = {
        "label": (score.label, record.label),
        "method": (score.method, identity["method"]["name"]),
        "space": (score.space, identity["space"]),
        "dataset": (score.dataset, identity["dataset"]),
        "seed": (score.seed, identity["seed"]),
        "scale": (score.scale, identity["scale"]["name"]),
        "status": (score.status, record.status),
        "architecture": (score.architecture, record.architecture),
        "cost": (score.cost, record.cost),
        "candidates": (
            [(tuple(one["genotype"]), one["estimate"]) for one in score.candidates],
            [(one.genotype, one.estimate) for one in record.candidates],
        ),
        "curve": (
            [(one["forward_images"], one["backward_images"]) for one in score.curve],
            [(one["forward_images"], one["backward_images"]) for one in record.trace],
        ),
    }
    return [name for name, (one, other) in said.items() if one != other]


def _text(record: Record) -> bytes:
    content = _said(record)
    try:
        text = json.dumps(seals.sealed(content), indent=1, allow_nan=False)
        strict.parsed(text)
    except ValueError as error:
        raise BadRecord(
            f"the record of {record.key} holds what a record cannot, such as a number that is not finite ({error})"
        ) from None
    return (text + "\n").encode()


def _load(path: Path, remedy: str) -> Any:
    try:
        return strict.parsed(content_of(path))
    except OSError as error:
        raise BadRecord(f"cannot read {path}: {error.strerror}; {remedy}") from None
    except ValueError as error:
        raise BadRecord(f"{path} is not whole JSON ({error}); {remedy}") from None


def _require(kind: type, shape: Any, content: Any, version: int) -> None:
    """Raises ValueError unless an object has exactly the fields of a dataclass, each of its kind."""
    if not isinstance(content, dict):
        raise ValueError(f"it holds no {kind.__name__.lower()}")
    if content.get("schema") != version:
        raise ValueError(f"it has schema {content.get('schema')}, this version reads {version}")
    wanted = {f.name for f in dataclasses.fields(kind)} - {SEALED}
    if wanted != set(content):
        raise ValueError(f"it has missing or unknown fields {sorted(wanted ^ set(content))}")
    strict.require(shape, content)


def read_record(path: Path) -> Record:
    """A record, checked against its seal, its own key and file name, and its kinds. Raises BadRecord."""
    remedy = hints.aside(path)
    try:
        loaded = _load(path, remedy)
        content, whole = seals.opened(loaded) if isinstance(loaded, dict) else (loaded, False)
        _require(Record, schema.Record, content, SCHEMA)
        if key_of(content["identity"]) != content["key"] or path.stem != content["key"]:
            raise ValueError("the content disagrees with its key: it was edited or renamed")
        schema.check_record(content)
        if not whole:
            schema.check_architectures(content)
    except ValueError as error:
        raise BadRecord(f"{path} is no record that can be trusted ({error}); {remedy}") from None
    return Record(
        **{
            **content,
            "genotype": None if content["genotype"] is None else tuple(content["genotype"]),
            "candidates": tuple(Candidate(tuple(c["genotype"]), c["estimate"]) for c in content["candidates"]),
            "trace": tuple(content["trace"]),
            SEALED: whole,
        }
    )


def read_scores(path: Path) -> list[Score]:
    """The rows of one score file, checked against its seal, its name, and possible ranges. Raises BadRecord."""
    remedy = f"{hints.command('score', path.parent.parent)} makes it anew"
    loaded = _load(path, remedy)
    try:
        content, whole = (loaded, False) if isinstance(loaded, list) else _rows(loaded)
        for row in content:
            _require(Score, schema.Score, row, SCORES)
            schema.check_score(row)
            if path.name != f"{row['key']}.{row['truth']}.json":
                raise ValueError("the content disagrees with its file name: it was edited or renamed")
    except ValueError as error:
        raise BadRecord(f"{path} holds no scores that can be trusted ({error}); {remedy}") from None
    lists = ("candidates", "visited", "curve")
    return [Score(**{**row, **{name: tuple(row[name]) for name in lists}, SEALED: whole}) for row in content]


def _rows(loaded: Any) -> tuple[list[Any], bool]:
    """The rows of a sealed file of scores; earlier files are a list without a seal."""
    content, whole = seals.opened(loaded) if isinstance(loaded, dict) else ({}, False)
    if set(content) != {ROWS} or not isinstance(content[ROWS], list):
        raise ValueError("it holds no list of scores")
    return content[ROWS], whole


def _flat(score: Score) -> dict[str, Any]:
    """A score as one row: its lists are left out."""
    lists = ("panel", "cost", "candidates", "visited", "curve")
    plain = {name: value for name, value in vars(score).items() if name not in lists}
    return {**plain, **score.panel, **{name: value for name, value in score.cost.items() if name != "phases"}}
