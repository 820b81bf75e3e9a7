"""Running many jobs: one after the other, or in processes, behind one `map`.

Jobs are idempotent (a finished key returns at once), so a pool needs no queue on disk and survives being killed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from bench.errors import BadSpec, Died

Job = Callable[[Callable[[float], None]], Any]
"""A picklable function of a progress callback (share done, 0 to 1)."""

Tick = Callable[[int, float], None]
"""Called with a job's index and the share of it that is done."""

GRACE = 10.0  # seconds that interrupted jobs have to write down that they were


class Pool(Protocol):
    """Runs jobs and yields `(index, result)` in order of completion."""

    def map(self, jobs: Sequence[Job], tick: Tick) -> Iterator[tuple[int, Any]]:
        """Run all jobs. An exception of a job is raised here; jobs that are running then finish."""
        ...


class Serial:
    """In this process, one after the other."""

    def map(self, jobs: Sequence[Job], tick: Tick) -> Iterator[tuple[int, Any]]:
        """In the given order."""
        for index, job in enumerate(jobs):
            yield index, job(lambda share, index=index: tick(index, share))  # type: ignore[misc]


class Processes:
    """Each in a fresh process of this machine, `workers` at a time (one per core by default).

    A process that is killed costs its own job: the result is then a `Died`. An interruption starts no other job. Where
    this process is killed, jobs that are running end in their own time, and with them their processes.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise BadSpec(f"--workers {workers}: give 1 or more, or leave it out for one per core")
        self.workers = workers or os.cpu_count() or 1

    def map(self, jobs: Sequence[Job], tick: Tick) -> Iterator[tuple[int, Any]]:
        """In order of completion."""
        context = multiprocessing.get_context("spawn")  # no state is inherited, and CUDA survives it
        waiting = list(enumerate(jobs))[::-1]
        running: dict[Any, tuple[int, Any]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    index, job = waiting.pop()
                    ours, theirs = context.Pipe(duplex=False)
                    process = context.Process(target=_run, args=(job, theirs))
                    process.start()
                    theirs.close()  # so that its end is seen
                    running[ours] = index, process
                for ready in wait(list(running)):
                    index, process = running[ready]
                    kind, value = _received(ready)
                    if kind == "tick":
                        tick(index, value)
                        continue
                    del running[ready]
                    process.join()
                    if kind == "error":
                        raise value
                    yield index, value if kind == "result" else _death(process.exitcode)
        except KeyboardInterrupt:
            _interrupt([process for _, process in running.values()])
            raise
        finally:
            for _, process in running.values():
                process.join()


def _run(job: Job, pipe: Connection) -> None:
    def tell(kind: str, value: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more: the job itself goes on
            pipe.send((kind, value))

    try:
        result = job(lambda share: tell("tick", share))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        tell("error", error)
    else:
        tell("result", result)


def _received(pipe: Any) -> tuple[str, Any]:
    try:
        kind, value = pipe.recv()
        return kind, value
    except (EOFError, ConnectionResetError):
        return "end", None


def _death(code: int | None) -> Died:
    how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
    return Died(f"its process ended with {how}, perhaps for lack of memory; run the same command again to try it again")


def _interrupt(processes: Sequence[Any]) -> None:
    """Wait for processes that got the terminal's interruption too; pass it on to those that did not."""
    for process in processes:
        process.join(GRACE)
        if process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
