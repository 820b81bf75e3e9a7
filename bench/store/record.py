"""What a run leaves: one JSON record, written once and never edited, and the scores that are joined to it later.

A record says what a search did, never how good it was; `Score` rows say that, one file per record and truth.
Reading checks everything: a file that is not what its name and key say is refused in one line.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from bench.errors import BadRecord
from bench.store.files import write_atomically
from bench.store.locks import claimed
from bench.store.spec import canonical, key_of

SCHEMA = 1
SCORES = 5
"""The schema of scores: they are made again at no cost, so their layout changes more freely than that of records."""
MEASURED = frozenset({"wall_s", "device_s", "peak_bytes"})  # what differs from machine to machine and run to run

_RESCORE = "run `python -m bench score` again"

Status = Literal["done", "diverged", "failed", "interrupted"]
Kind = Literal["trained", "surrogate"]
"""Where a truth has its accuracies from: networks that were trained, or a model that predicts them."""


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

    def essence(self) -> dict[str, Any]:
        """The record without seconds, bytes and place: equal for equal runs on any machine of one arithmetic."""
        content = to_json(self)
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


def to_json(value: Any) -> Any:
    """A dataclass as plain JSON values, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    return value


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    if isinstance(value, list):
        return [_without(v, names) for v in value]
    return value


class Results:
    """A results folder: `runs/<key>.json`, `estimates/<key>.parquet`, `scores/<key>.<truth>.json`,
    `pairs/<key>.<truth>.<target>.parquet`, `failed/<key>.json`, and while runs are made `checkpoints/<key>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def check_there(self) -> None:
        """Raises BadRecord where there is no such folder: what only reads makes none."""
        if not self.root.is_dir():
            raise BadRecord(
                f"there is no folder {self.root}; name another with --results, or make runs with "
                f"{self.command('run smoke')}"
            )

    def command(self, words: str) -> str:
        """One of our commands for this folder, in backticks, as it is typed."""
        where = "" if self.root == Path("results") else f" --results {shlex.quote(str(self.root))}"
        return f"`python -m bench {words}{where}`"

    def check_writable(self) -> None:
        """Raises BadRecord now rather than after an hour of search."""
        probe = self.root / "runs" / f".probe-{os.getpid()}"
        write_atomically(probe, b"")
        probe.unlink(missing_ok=True)

    def run_path(self, key: str) -> Path:
        """Where the record of a finished run lies."""
        return self.root / "runs" / f"{key}.json"

    def estimates_path(self, key: str) -> Path:
        """Where the probe estimates of a run lie."""
        return self.root / "estimates" / f"{key}.parquet"

    def supernets_path(self, key: str) -> Path:
        """Where the trained supernets of a run lie, if they were kept (`bench.search.kept`)."""
        return self.root / "supernets" / f"{key}.npz"

    def blocks_path(self, key: str) -> Path:
        """Where the estimates of a run's supernets lie block of images by block, if they were made (`--blocks`)."""
        return self.root / "blocks" / f"{key}.parquet"

    def partial_path(self, key: str) -> Path:
        """Where the estimates of a run lie while it makes more of them."""
        return self.root / "estimates" / f"{key}.partial.parquet"

    def checkpoints_path(self, key: str) -> Path:
        """The folder in which a run keeps what it has trained while it goes on."""
        return self.root / "checkpoints" / key

    @property
    def shared_path(self) -> Path:
        """The folder of what several runs train in common."""
        return self.root / "shared"

    def drop_checkpoints(self, key: str) -> None:
        """Remove that folder: the run is over."""
        shutil.rmtree(self.checkpoints_path(key), ignore_errors=True)

    def score_path(self, key: str, truth: str) -> Path:
        """Where the scores of a run by one truth lie."""
        return self.root / "scores" / f"{key}.{truth}.json"

    def truths_path(self, truth: str, target: str) -> Path:
        """Where the truth of all architectures lies that scores by it have met (`bench.scoring.truths`)."""
        return self.root / "truths" / f"{truth}.{target}.parquet"

    def failed_path(self, key: str) -> Path:
        """Where the record of a run that did not finish lies, to be tried again."""
        return self.root / "failed" / f"{key}.json"

    def claim(self, key: str) -> AbstractContextManager[None]:
        """Inside, no other process makes the run of that key. Raises Busy where one does."""
        return claimed(self.root / "runs" / f".{key}.lock", f"run {key}")

    def find(self, key: str) -> Record | None:
        """The finished record of that key, checked, or None."""
        path = self.run_path(key)
        return read_record(path) if path.exists() else None

    def save(self, record: Record, estimates: bytes | None = None) -> Path:
        """Write a record, after the file of its estimates. A finished one is never replaced, nor what lies beside it:
        raises BadRecord where another stands."""
        finished = record.status in ("done", "diverged")
        path = self.run_path(record.key) if finished else self.failed_path(record.key)
        if finished and path.exists():
            if read_record(path).essence() == record.essence():
                return path
            raise BadRecord(f"{path} holds another result of the same key; raise the method's version or move it aside")
        if estimates is not None:
            write_atomically(self.estimates_path(record.key), estimates)
        write_atomically(path, _text(record))
        return path

    def check(self, record: Record) -> None:
        """Raises BadRecord where a record cannot be written: it holds a number that is not finite."""
        _text(record)

    def save_scores(self, key: str, truth: str, scores: list[Score]) -> Path:
        """Write the scores of one run by one truth, replacing older ones: scoring again is free."""
        path = self.score_path(key, truth)
        lines = (json.dumps(to_json(row), separators=(",", ":"), allow_nan=False) for row in scores)  # one for each row
        write_atomically(path, ("[\n" + ",\n".join(lines) + "\n]\n").encode())
        return path

    def records(self) -> Iterator[Record]:
        """All finished records, by key. Raises BadRecord at the first file that cannot be trusted."""
        for path in sorted((self.root / "runs").glob("*.json")):
            yield read_record(path)

    def failures(self) -> Iterator[Record]:
        """All records of runs that did not finish, and have not finished since."""
        for path in sorted((self.root / "failed").glob("*.json")):
            if not (self.root / "runs" / path.name).exists():
                yield read_record(path)

    def scores(self) -> Iterator[Score]:
        """All score rows, by file."""
        for path in sorted((self.root / "scores").glob("*.json")):
            yield from read_scores(path)


def _text(record: Record) -> bytes:
    content = to_json(record)
    try:
        canonical(content)
    except ValueError as error:
        raise BadRecord(f"the record of {record.key} holds a number that is not finite ({error})") from None
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise BadRecord(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise BadRecord(f"{path} is not whole JSON ({error}); move it aside and run again") from None


def _fields(kind: type, content: Any, path: Path, schema: int, remedy: str) -> dict[str, Any]:
    """The content as keyword arguments, or BadRecord where fields are missing or strange."""
    if not isinstance(content, dict):
        raise BadRecord(f"{path} holds no {kind.__name__.lower()}; {remedy}")
    if content.get("schema") != schema:
        raise BadRecord(f"{path} has schema {content.get('schema')}, this version reads {schema}; {remedy}")
    names = {f.name for f in dataclasses.fields(kind)}
    if names != set(content):
        odd = sorted(names ^ set(content))
        raise BadRecord(f"{path} has missing or unknown fields {odd}; {remedy}")
    if content["status"] not in get_args(Status):
        raise BadRecord(f"{path} has status {content['status']!r}; known: {', '.join(get_args(Status))}")
    return content


def read_record(path: Path) -> Record:
    """A record, checked against its own key and file name. Raises BadRecord."""
    content = _fields(Record, _load(path), path, SCHEMA, "move it aside and run again")
    if key_of(content["identity"]) != content["key"] or path.stem != content["key"]:
        raise BadRecord(f"{path}: the content disagrees with its key; it was edited or renamed, move it aside")
    return Record(
        **{
            **content,
            "genotype": None if content["genotype"] is None else tuple(content["genotype"]),
            "candidates": tuple(Candidate(tuple(c["genotype"]), c["estimate"]) for c in content["candidates"]),
            "trace": tuple(content["trace"]),
        }
    )


def read_scores(path: Path) -> list[Score]:
    """The rows of one score file. Raises BadRecord."""
    content = _load(path)
    if not isinstance(content, list):
        raise BadRecord(f"{path} holds no list of scores; {_RESCORE}")
    fields = [_fields(Score, row, path, SCORES, _RESCORE) for row in content]
    lists = ("candidates", "visited", "curve")
    rows = [Score(**{**row, **{name: tuple(row[name]) for name in lists}}) for row in fields]
    for row in rows:
        if row.kind not in get_args(Kind):
            raise BadRecord(f"{path} is of a truth of kind {row.kind!r}; known: {', '.join(get_args(Kind))}")
        if row.test is not None and not (math.isfinite(row.test) and 0 <= row.test <= 100):
            raise BadRecord(f"{path}: a test accuracy of {row.test} is not between 0 and 100; {_RESCORE}")
    return rows
