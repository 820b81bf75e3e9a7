"""Running many jobs: one after the other, or in processes, behind one `map`.

Jobs are idempotent (a finished key returns at once), so a pool needs no queue on disk and survives being killed.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, Protocol

Job = Callable[[Callable[[float], None]], Any]
"""A picklable function of a progress callback (share done, 0 to 1)."""

Tick = Callable[[int, float], None]
"""Called with a job's index and the share of it that is done."""


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
    """In fresh processes of this machine, `workers` at a time (one per core by default)."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def map(self, jobs: Sequence[Job], tick: Tick) -> Iterator[tuple[int, Any]]:
        """In order of completion."""
        context = multiprocessing.get_context("spawn")  # no state is inherited, and CUDA survives it
        with context.Manager() as manager:
            ticks = manager.Queue()
            with ProcessPoolExecutor(self.workers, mp_context=context) as executor:
                waiting: dict[Future[Any], int] = {
                    executor.submit(_run, job, index, ticks): index for index, job in enumerate(jobs)
                }
                try:
                    while waiting:
                        done, _ = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                        _drain(ticks, tick)
                        for future in done:
                            yield waiting.pop(future), future.result()
                finally:
                    executor.shutdown(wait=False, cancel_futures=True)


def _run(job: Job, index: int, ticks: Any) -> Any:
    return job(lambda share: ticks.put((index, share)))


def _drain(ticks: Any, tick: Tick) -> None:
    while True:
        try:
            tick(*ticks.get_nowait())
        except queue.Empty:
            return


POOLS: dict[str, Callable[[], Pool]] = {"serial": Serial, "processes": Processes}
