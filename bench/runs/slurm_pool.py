"""Jobs as arrays of Slurm jobs, by way of submitit; its local executor runs the same path on this machine.

A job that is pre-empted, or whose time is over, is queued again and goes on from its checkpoints, which lie in the
results folder: that folder is on a disk that all nodes share. Interrupting the command that waits cancels its jobs.

`submitit` is imported here alone, when a pool is made.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from bench.errors import BadSpec, Died
from bench.runs.errands import Errand, Needs
from bench.runs.pool import Job, Tick
from bench.runs.progress import duration
from bench.store.files import write_atomically

LOOK = 2.0
"""Seconds between two looks at what is done, and how far the rest is."""

FOLDER = "slurm"
"""Of a results folder: what submitit writes: jobs, logs, results on their way."""


@dataclass(frozen=True)
class Queue:
    """How jobs are queued. minutes: of one job; it is queued again after them, up to `again` times."""

    partition: str | None = None
    minutes: int = 24 * 60
    most: int = 100  # jobs of an array at a time
    again: int = 20
    cluster: Literal["slurm", "local"] = "slurm"


class Slurm:
    """A pool. folder: of results, shared by all nodes. Raises BadSpec where submitit or Slurm is missing."""

    def __init__(self, folder: Path, queue: Queue = Queue(), look: float = LOOK) -> None:  # frozen
        self.folder, self.queue, self.look = folder / FOLDER, queue, look
        self.submitit = _imported()
        self.workers = queue.most
        if queue.minutes < 1 or queue.most < 1:
            raise BadSpec("a Slurm job has 1 minute or more, and an array 1 job or more at a time")
        if queue.cluster == "slurm" and self.submitit.AutoExecutor.which() != "slurm":
            raise BadSpec("--pool slurm: there is no Slurm here (no sbatch); use --pool processes, or --shard K/N")

    def map(self, jobs: Sequence[Errand], tick: Tick) -> Iterator[tuple[int, Any]]:
        """In order of completion; an array for all jobs that need the same. Raises BadSpec, before anything is queued,
        where a job needs longer than it gets."""
        self._require_time(jobs)
        running = dict(self._queued(jobs))
        try:
            while running:
                for index in [index for index, job in running.items() if job.done()]:
                    yield index, jobs[index].received(self._result(running.pop(index)))
                for index in running:
                    self._tell(index, tick)
                if running:
                    time.sleep(self.look)
        finally:
            for job in running.values():
                job.cancel()

    def _require_time(self, jobs: Sequence[Errand]) -> None:
        longest = max((job.needs.seconds or 0.0 for job in jobs), default=0.0)
        if longest > 60 * self.queue.minutes:
            raise BadSpec(
                f"--minutes {self.queue.minutes}: a run is expected to take {duration(longest)}; give as long at least "
                "(`python -m bench plan` tells it of each run)"
            )

    def _queued(self, jobs: Sequence[Errand]) -> Iterator[tuple[int, Any]]:
        alike: dict[Needs, list[int]] = defaultdict(list)
        for index, job in enumerate(jobs):
            self._share(index).unlink(missing_ok=True)  # of an earlier command
            needs = job.needs
            alike[Needs(needs.cpus, needs.gpus, -(-needs.memory // 2**30))].append(index)
        for needs, indices in alike.items():
            executor = self._executor(needs)
            with executor.batch():
                queued = [executor.submit(Resumed(jobs[index].job, self._share(index))) for index in indices]
            yield from zip(indices, queued, strict=True)

    def _executor(self, needs: Needs) -> Any:
        queue = self.queue
        executor = self.submitit.AutoExecutor(
            folder=self.folder / "%j", cluster=queue.cluster, slurm_max_num_timeout=queue.again
        )
        executor.update_parameters(
            name="supernet-bench",
            timeout_min=queue.minutes,
            cpus_per_task=needs.cpus,
            gpus_per_node=needs.gpus,
            mem_gb=max(1, needs.memory),
            slurm_array_parallelism=queue.most,
            **({} if queue.partition is None else {"slurm_partition": queue.partition}),
        )
        return executor

    def _result(self, job: Any) -> Any:
        """What came back, or why nothing did. Raises what the job raised."""
        core = self.submitit.core.utils
        try:
            return job.results()[0]
        except (core.UncompletedJobError, OSError, EOFError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
            return Died(f"its Slurm job {job.job_id} ended without a result ({said}); run the same command again")

    def _share(self, index: int) -> Path:
        return self.folder / f"share-{index}"

    def _tell(self, index: int, tick: Tick) -> None:
        try:
            tick(index, float(self._share(index).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return  # not begun


@dataclass
class Resumed:
    """A job as it is queued. `checkpoint` is what submitit asks for when the job is to go: the same again, since runs
    keep what they have trained themselves."""

    job: Job
    share: Path
    _told: float = field(default=-1.0, compare=False)

    def __call__(self) -> Any:
        """The job's result."""
        return self.job(self._progress)

    def checkpoint(self) -> Any:
        """What is queued again."""
        return import_module("submitit").helpers.DelayedSubmission(Resumed(self.job, self.share))

    def _progress(self, share: float) -> None:
        if share - self._told >= 0.01:
            self._told = share
            write_atomically(self.share, str(share).encode())


def _imported() -> Any:
    try:
        return import_module("submitit")
    except ImportError:
        raise BadSpec('--pool slurm needs submitit: pip install -c constraints.txt -e ".[slurm]"') from None
