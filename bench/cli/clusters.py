"""Runs on other machines: the options of `run` for clusters, and the pools that they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.cli.asking import StudyOptions
from bench.errors import BadSpec

if TYPE_CHECKING:
    from bench.runs.errands import Errand, Needs
    from bench.runs.run import Settings
    from bench.store.record import Results
    from bench.store.spec import RunSpec

HOST = 4 << 30
"""Bytes of main memory of a run on a GPU."""


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(StudyOptions):
    """How runs are made on other machines."""

    ray_address: str | None = None
    """HOST:PORT of a Ray cluster's head; by default a cluster of this machine alone."""
    partition: str | None = None
    """Of Slurm."""
    minutes: int = 24 * 60
    """Of one Slurm job; after them it is queued again and goes on."""
    gpus: int | None = None
    """Of one run on a cluster; by default 1 with --device cuda, else none."""

    @contextmanager
    def cluster(self, name: str, dataset: str, workers: int | None) -> Iterator[Any]:
        """The pool of that name, with `workers` and `map`. Raises BadSpec where it cannot be had."""
        if self.gpus is not None and self.gpus < 0:
            raise BadSpec(f"--gpus {self.gpus}: a run has 0 GPUs or more")
        if name == "ray":
            from bench import images
            from bench.runs.ray_pool import Ray

            with Ray(self.ray_address, workers, images.load(dataset, self.where)) as pool:
                yield pool
            return
        from bench.runs.slurm_pool import Queue, Slurm

        queue = Queue(self.partition, self.minutes)
        yield Slurm(self.results, queue if workers is None else Queue(self.partition, self.minutes, workers))

    def errands(
        self, name: str, specs: Sequence[RunSpec], settings: Settings, results: Results, debug: bool
    ) -> list[Errand]:
        """A job for each run, with what it needs there."""
        from bench.runs.errands import Errand, sent
        from bench.runs.run import make

        needs = self._needs(specs, results)
        if name == "ray":
            return [sent(spec, settings, need, debug) for spec, need in zip(specs, needs, strict=True)]
        jobs: list[Any] = [partial(make, spec, settings, debug=debug) for spec in specs]
        return [Errand(job, need) for job, need in zip(jobs, needs, strict=True)]

    def _needs(self, specs: Sequence[RunSpec], results: Results) -> list[Needs]:
        """By what is expected of each run, as `plan` prints it."""
        from bench.runs.errands import Needs
        from bench.runs.expected import Estimator, planned_on

        device = planned_on("cuda" if self.gpus else self.device)
        estimator = Estimator(list(results.records()), device, self.where)
        gpus = (1 if device.type == "cuda" else 0) if self.gpus is None else self.gpus
        found = []
        for spec in specs:
            expected = estimator.of(spec)
            memory = HOST if device.type == "cuda" else expected.memory
            found.append(Needs(self.threads, gpus, memory, expected.seconds))
        return found
