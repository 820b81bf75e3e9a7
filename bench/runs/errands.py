"""Jobs for other machines: what each needs there, who holds its claim meanwhile, and what comes back.

Where machines share no disk, a run is made in a folder of its own on its node and comes back as the bytes of its files,
which the sender checks and writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.errors import BadSpec, BenchError
from bench.images import ImageSet
from bench.runs.collect import take
from bench.runs.pool import Job
from bench.runs.run import Settings, make
from bench.store.files import content_of, write_atomically
from bench.store.record import Results, read_record
from bench.store.sources import code_digest
from bench.store.spec import RunSpec


@dataclass(frozen=True)
class Needs:
    """What a job takes of a machine. memory: bytes; seconds: as far as they are known."""

    cpus: int = 1
    gpus: int = 0
    memory: int = 0
    seconds: float | None = None


@dataclass(frozen=True)
class Errand:
    """A job for another machine. Only `job` goes there."""

    job: Job
    needs: Needs

    def held(self) -> AbstractContextManager[None]:
        """Entered here before the job is sent, left when it is over. Raises BenchError where it is not to be sent."""
        return nullcontext()

    def received(self, value: Any) -> Any:
        """The result, from what came back."""
        return value

    def refused(self, why: BenchError) -> Any:
        """The result where it was not sent."""
        raise why


@dataclass(frozen=True)
class Parcel:
    """What comes back of a run: its files by their path in a results folder; or why there are none."""

    files: Mapping[str, bytes]
    why: BenchError | None = None


@dataclass(frozen=True)
class SentRun(Errand):
    """A run that is sent back as files, written by the sender to `results`. While it is out no other makes it."""

    key: str
    results: Results

    def held(self) -> AbstractContextManager[None]:
        """The claim on the run. Raises Busy."""
        return self.results.claim(self.key)

    def refused(self, why: BenchError) -> Any:
        """As `make` says it."""
        return why, False

    def received(self, value: Any) -> Any:
        """The record, now in `results`, as `make` gives it."""
        try:
            return unpacked(value, self.key, self.results)
        except BenchError as why:
            return why, False


def sent(spec: RunSpec, settings: Settings, needs: Needs, debug: bool = False) -> SentRun:
    """The errand for one run. Nothing is shared there with other runs, which changes no record."""
    there = replace(settings, data=None, share=False, results=Path())
    job: Any = partial(packed, spec, there, debug)
    return SentRun(job, needs, spec.key, Results(settings.results))


def packed(
    spec: RunSpec, settings: Settings, debug: bool, progress: Callable[[float], None], loaded: ImageSet | None = None
) -> Parcel:
    """Make the run here, in a folder that goes again, of the images that were sent with it."""
    if settings.made_by is not None and settings.made_by["code"] != code_digest():
        return Parcel({}, BadSpec("a node has other sources than the sender; install the same there"))
    with TemporaryDirectory(prefix="supernet-bench-") as name:
        folder = Path(name)
        made, _ = make(spec, replace(settings, results=folder), progress, debug, loaded)
        if isinstance(made, BenchError):
            return Parcel({}, made)
        return Parcel(dict(_files(Results(folder), spec.key)))


def _files(results: Results, key: str) -> Iterator[tuple[str, bytes]]:
    of_run = (results.run_path, results.estimates_path, results.supernets_path, results.failed_path)
    for path in (where(key) for where in of_run):
        if path.exists():
            yield path.relative_to(results.root).as_posix(), content_of(path)


def unpacked(parcel: Parcel, key: str, results: Results) -> tuple[Any, bool]:
    """Write what came back of the run, checked as any folder of others. Raises BadRecord."""
    if parcel.why is not None:
        return parcel.why, False
    with _written(parcel) as stage:
        if stage.run_path(key).exists():
            take(key, stage, results)
            return read_record(results.run_path(key)), True
        record = read_record(stage.failed_path(key))
        results.save(record)
        return record, True


@contextmanager
def _written(parcel: Parcel) -> Iterator[Results]:
    with TemporaryDirectory(prefix="supernet-bench-") as name:
        for path, content in parcel.files.items():
            write_atomically(Path(name) / path, content)
        yield Results(Path(name))
