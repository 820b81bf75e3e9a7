"""The command that searches: `run`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from bench.cli.clusters import ClusterOptions
from bench.cli.outcome import said, told
from bench.errors import BadRecord, BenchError, counted

if TYPE_CHECKING:
    from bench.runs.study import Study
    from bench.store.record import Results
    from bench.store.spec import RunSpec

CLUSTERS = ("ray", "slurm")

LOG = "progress.log"
"""Of a results folder: what `run` told, with times."""


@dataclass(frozen=True, kw_only=True)
class RunCommand(ClusterOptions):
    """Search: make the records of a study, or of the methods named. A record that exists is not made again."""

    pool: Literal["serial", "processes", "ray", "slurm"] = "serial"
    """One run after the other, one per core, or on the machines of a cluster (docs/clusters.md)."""
    workers: int | None = None
    """Runs at a time; by default all cores, or 1 on a GPU; with Slurm 100."""
    steps: Literal["ordinary", "captured", "masked"] = "ordinary"
    """Steps of training; captured and masked ones are meant for GPUs."""

    keep_supernet: bool = False
    """Keep the trained supernets of every run in a file beside its record, for `python -m bench estimate`."""
    pin: bool = False
    """Write down which runs the study has, as plan.json in the results folder, and make none of them yet; from then on
    the study runs exactly these there."""
    time_limit: float | None = None
    """Seconds that one run may take; it is then kept with status `timeout`, to be tried again with more."""

    share: bool | None = None
    """Do training that runs have in common once, as some studies ask: a parent, say, that several methods begin with.
    Each is charged as if it had trained alone."""

    def __call__(self) -> int:
        study, specs = self.asked()  # first: what it refuses needs no torch
        if self.pin:
            return self.pinned(study, specs)
        specs, results = self.ready(study, specs)
        with self.pooled(study.dataset) as pool:
            return self.made(study, specs, results, pool)

    def pinned(self, study: Study, specs: Sequence[RunSpec]) -> int:
        """Write down which runs the study has."""
        from bench.runs import agreed

        print(f"{agreed.agree(self.results, study.name, specs)}: {counted(len(specs), 'run')} of {study.name}")
        return 0

    def ready(self, study: Study, specs: list[RunSpec]) -> tuple[list[RunSpec], Results]:
        """The runs that are made here, and where their records go. Raises BenchError for what can be known before."""
        from bench.runs import agreed, limits
        from bench.runs.run import provenance
        from bench.store.record import Results

        agreed.check(self.results, study.name, specs, whole=not (self.methods or self.seeds))
        specs = self.here(study, specs)
        provenance()  # now, for this process, and not after hours in which the sources may have changed
        limits.check(self.time_limit)
        results = Results(self.results)
        results.check_writable()
        return specs, results

    @contextmanager
    def pooled(self, dataset: str) -> Iterator[Any]:
        from bench.runs.pool import Processes, Serial
        from bench.runs.run import device_named

        if self.pool in CLUSTERS:
            with self.cluster(self.pool, dataset, self.workers) as pool:
                yield pool
            return
        device = device_named(self.device)
        alone = 1 if device.type == "cuda" else None  # runs share a GPU only where that is asked for
        yield Serial() if self.pool == "serial" else Processes(alone if self.workers is None else self.workers)

    def made(self, study: Study, specs: Sequence[RunSpec], results: Results, pool: Any) -> int:
        """Make the runs; the exit code."""
        from rich.console import Console

        from bench.runs.batch import settled
        from bench.runs.progress import Report
        from bench.runs.run import Settings, finished, make, provenance
        from bench.store.parents import apart

        share = study.shares if self.share is None else self.share
        workers = 1 if self.pool == "serial" else pool.workers
        how = self.threads, self.where, self.steps, share, self.time_limit
        by = provenance() if self.pool == "ray" else None
        settings = Settings(self.results, self.device, *how, workers, self.keep_supernet, by)
        names = [f"{spec.label} seed {spec.seed}" for spec in specs]
        console = Console(stderr=self.json)
        scale = specs[0].scale.name if specs else study.scale
        console.print(
            f"{counted(len(specs), 'run')}{self.part}: {study.space} on {study.dataset}, scale {scale}, "
            f"{workers} at a time, results in {self.results}",
            highlight=False,
            soft_wrap=True,
        )
        if borrowed := study.borrowed():
            console.print(borrowed, highlight=False, soft_wrap=True)
        for line in () if study.methods else _left_out():
            console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
        for line in apart({spec.label: spec.identity["method"] for spec in specs}) if share else ():
            console.print(line, highlight=False, soft_wrap=True)
        known: dict[int, Any] = {}
        for index, spec in enumerate(specs):
            try:
                if (old := finished(spec, results)) is not None:
                    known[index] = old
            except BadRecord as error:  # a record that cannot be trusted costs its own run
                known[index] = error
        left = [index for index in range(len(specs)) if index not in known]  # no process starts for the others
        seen = [one for one in known.values() if not isinstance(one, BenchError)]
        loaded = self._foretold([specs[index] for index in left], seen, share, workers, console) if left else None
        jobs: list[Any] = [partial(make, specs[index], settings, debug=self.debug, loaded=loaded) for index in left]
        if self.pool in CLUSTERS:
            todo = [specs[index] for index in left]
            jobs = list(self.errands(self.pool, todo, settings, results, self.debug)) if todo else []
        records = [one for one in known.values() if not isinstance(one, BenchError)]
        with Report(names, [spec.label for spec in specs], workers, console, self.results / LOG) as report:
            for index, there in known.items():
                report.finish(index, told(there, False, self.results))

            def tick(at: int, share: float) -> None:
                report.tick(left[at], share)

            keys = [specs[index].key for index in left]
            for at, record, made in settled(jobs, keys, pool, results, tick, partial(said, root=self.results)):
                report.finish(left[at], told(record, made, self.results))
                if not isinstance(record, BenchError):
                    records.append(record)
        if self.keep_supernet:
            console.print(_supernets_of(records, results), highlight=False, soft_wrap=True)
        if self.json:
            print(json.dumps([{"key": r.key, "label": r.label, "status": r.status} for r in records]))
        return 0 if len(records) == len(specs) and all(r.status == "done" for r in records) else 1

    def _foretold(self, specs: Sequence[RunSpec], known: Sequence[Any], share: bool, workers: int, console: Any) -> Any:
        """Say what runs will take, before they start. known: records of the same study. Returns the images that were
        loaded for that, where this process makes the runs too. Raises BadSpec where they cannot fit."""
        import torch

        from bench.runs.beforehand import Batch
        from bench.runs.expected import Estimator, planned_on
        from bench.runs.needs import RESTING

        def line(text: str) -> None:
            console.print(text, highlight=False, markup=False, soft_wrap=True)

        torch.set_num_threads(self.threads)
        device = planned_on(self.device)
        estimator = Estimator(known, device, self.where, self.keep_supernet, share, briefly=True)
        each: dict[str, Any] = {}
        for spec in specs:
            with suppress(BenchError):  # a run that cannot be made says why by itself
                each[f"{spec.label} seed {spec.seed}"] = estimator.of(spec)
        if not each:
            return None
        here = None if self.pool in CLUSTERS else device
        resident = RESTING if self.pool == "serial" and device.type == "cpu" else 0
        batch = Batch(list(each), list(each.values()), workers, here, self.results, resident)
        line(batch.check())
        if late := batch.beyond(self.time_limit):
            line(late)
        together = self.pool == "serial" and len({spec.dataset for spec in specs}) == 1
        return estimator.images(specs[0].dataset) if together else None


def _left_out() -> list[str]:
    """One line for each plug-in that offers no methods as it should."""
    import methods

    return methods.broken()


def _supernets_of(records: Sequence[Any], results: Any) -> str:
    """How many of the runs have kept supernets, and what these take; which have none."""
    from bench.search import kept as files

    kept = [record.place["supernets"] for record in records if record.place.get("supernets")]
    size, count = sum(one["bytes"] for one in kept), sum(one["supernets"] for one in kept)
    said = (
        f"{counted(len(kept), 'run')} with kept supernets ({files.told(size, count)}) in {results.root / 'supernets'}"
    )
    without = len(records) - len(kept)
    return said + (f"; {without} without: made before this was asked for, or without a supernet" if without else "")
