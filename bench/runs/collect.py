"""Several results folders made one: what parts of a study left, each in a folder of its own.

Records, their estimates and kept supernets are taken over as they are, byte by byte. Scores, tables and figures are
made again from them. A run that two folders hold must be the same run, but for seconds, bytes and place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BadRecord
from bench.runs import probe
from bench.store import hints
from bench.store.files import content_of, whole, write_atomically
from bench.store.record import Record, Results, read_record


@dataclass(frozen=True)
class Collected:
    """How many runs were taken over, and how many were there already."""

    new: int
    known: int


def collect(folders: Sequence[Path], into: Results) -> Collected:
    """Take over all finished runs of these folders. Files that cannot be trusted are skipped and named in
    `into.damaged`. Raises BadRecord, before anything is written, where a folder is none, or where two of all these
    folders hold different results of one run; Busy where another process is making one."""
    sources = [_source(folder) for folder in folders]
    held: dict[str, tuple[Record, Results]] = {}
    known = 0
    for source in [into, *sources]:
        for record in _whole(source):
            if record.key not in held:
                held[record.key] = record, source
                continue
            _require_same(record, source, *held[record.key])
            known += source is not into
    new = [
        (key, source)
        for key, (_, source) in held.items()
        if source is not into and not into.run_path(key).exists()  # a damaged one stays, and is named
    ]
    if new:
        into.check_writable()
    for key, source in new:
        with into.claim(key):
            _taken(key, source, into)
    for source in sources:
        into.damaged.update(source.damaged)
    return Collected(len(new), known)


def _source(folder: Path) -> Results:
    if not (folder / "runs").is_dir():
        raise BadRecord(f"{folder} is no results folder: it has no folder runs")
    return Results(folder)


def _whole(results: Results) -> Iterator[Record]:
    """The records of a folder whose estimates are there too, and theirs."""
    for record in results.records():
        try:
            if record.estimates is not None:
                probe.of_record(record.key, record.estimates, results)
        except BadRecord as error:
            results.damaged[results.run_path(record.key)] = str(error)
        else:
            yield record


def _require_same(record: Record, source: Results, other: Record, holder: Results) -> None:
    if record.essence() != other.essence():
        one, two = holder.run_path(record.key), source.run_path(record.key)
        raise BadRecord(
            f"{one} and {two} contradict each other about {record.label} seed {record.identity['seed']}; nothing was "
            f"collected, {hints.aside(two)}"
        )


def take(key: str, source: Results, into: Results) -> None:
    """Take over one run. Raises BadRecord where it cannot be trusted, or another of that key is there."""
    record = read_record(source.run_path(key))
    if record.estimates is not None:
        probe.of_record(key, record.estimates, source)
    known = into.find(key)
    if known is None:
        _taken(key, source, into)
    else:
        _require_same(record, source, known, into)


def _taken(key: str, source: Results, into: Results) -> None:
    """The record last: it says that all of a run is there."""
    record = read_record(source.run_path(key))
    if record.estimates is not None:
        write_atomically(into.estimates_path(key), content_of(source.estimates_path(key)))
    if source.supernets_path(key).exists():
        with source.supernets_path(key).open("rb") as kept, whole(into.supernets_path(key)) as stream:
            shutil.copyfileobj(kept, stream)
    write_atomically(into.run_path(key), content_of(source.run_path(key)))
