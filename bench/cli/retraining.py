"""The command `retrain`."""

from __future__ import annotations

import json as json_
import re
import statistics
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.asking import asked_of
from bench.cli.outcome import Common, said
from bench.errors import BadSpec, BenchError
from bench.store.hints import addressed
from bench.store.names import printable

if TYPE_CHECKING:
    from bench.spaces.space import Genotype
    from bench.store.record import Results

_KEY = re.compile(r"[0-9a-f]{1,16}")


@dataclass(frozen=True, kw_only=True)
class Retrain(Common):
    """Train what a search found, or any architecture, alone and from scratch by the recipe of a paper, and keep its
    test error. What exists is not made again; what was stopped goes on behind its last epoch."""

    what: str = field(default="", kw_only=False)
    """The key of a run, or its beginning; or an architecture, in any notation of the space."""
    recipe: str = "quick"
    """darts-cifar, darts-imagenet or quick."""
    scale: str = "paper"
    """How much of the recipe: `paper` is all, `python -m bench list scales` names the others."""
    dataset: str | None = None
    """Instead of the recipe's: `python -m bench list datasets` names them; or your own images, as folder:PATH or
    npz:FILE (docs/own-data.md)."""
    space: str = "darts"
    """That an architecture is of."""
    seeds: tuple[int, ...] = (0,)
    """One training for each."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    devices: int = 1
    """Processes that share every batch: one for each GPU, from the first on."""
    parts: int | None = None
    """Parts of a batch that are normalised each by itself; by default as many as processes."""
    threads: int = 1
    """Torch threads of a process."""
    data: Path | None = None
    """Folder of image files."""

    def __call__(self) -> int:
        from rich.console import Console

        from bench.retraining.retrain import attempted, looked_at
        from bench.runs.batch import settled
        from bench.runs.pool import Serial
        from bench.runs.progress import Report
        from bench.store.record import Results

        console, jobs = Console(stderr=self.json), self._jobs()
        console.print(looked_at(jobs[0]), highlight=False, soft_wrap=True)
        done, work = [], [partial(attempted, job, self.debug) for job in jobs]
        waits = partial(said, root=self.results)
        with Report([f"seed {job.seed}" for job in jobs], [self.recipe] * len(jobs), 1, console) as report:
            keys = [job.key for job in jobs]
            for at, record, _ in settled(work, keys, Serial(), Results(self.results), report.tick, waits):
                report.finish(at, self._told(record))
                if not isinstance(record, BenchError):
                    done.append(record)
        if self.json:
            print(json_.dumps([{"key": r.key, "seed": r.identity["seed"], "error": r.error} for r in done]))
        elif done:
            print(_summary(done))
        return 0 if len(done) == len(jobs) else 1

    def _told(self, record: Any) -> str:
        """One line about a training, or why there is none."""
        if isinstance(record, BenchError):
            return printable(addressed(f"not made: {record}", self.results))
        return f"error {record.error:.2f} %, key {record.key}"

    def _jobs(self) -> list[Any]:
        import torch

        from bench.retraining.recipes import recipe_named
        from bench.retraining.retrain import Job
        from bench.runs.run import device_named
        from bench.store.record import Results
        from bench.store.spec import scale_named

        if not self.what:
            raise BadSpec("retrain takes the key of a run, or an architecture")
        if not self.seeds or self.threads < 1:
            raise BadSpec("a retraining takes one seed or more, and one thread or more")
        scale, recipe = scale_named(self.scale), recipe_named(self.recipe)
        recipe = recipe.shrunk(scale).with_parts(self.devices if self.parts is None else self.parts)
        device = device_named(self.device)
        if device.type == "cuda" and self.devices > torch.cuda.device_count():
            raise BadSpec(f"--devices {self.devices}: torch sees {torch.cuda.device_count()} CUDA devices")
        space, genotype, searched = self._architecture(Results(self.results))
        images = asked_of(self.dataset or recipe.dataset, self.data, self.results)
        for note in images.notes:
            said(note, self.results)
        job = Job(
            space,
            genotype,
            recipe,
            scale,
            images.name,
            self.seeds[0],
            self.results,
            str(device),
            self.devices,
            self.threads,
            images.data,
            searched,
        )
        return [replace(job, seed=seed) for seed in dict.fromkeys(self.seeds)]

    def _architecture(self, results: Results) -> tuple[str, Genotype, tuple[str, ...]]:
        """Space, architecture, and the run that it was found by. Raises BadRecord, BadSpec, BadGenotype."""
        from bench import spaces

        if not _KEY.fullmatch(self.what):
            return self.space, spaces.get(self.space).parse(self.what), ()
        record = results.named(self.what)
        if record.genotype is None:
            raise BadSpec(f"run {record.key} chose no architecture: it {record.status}")
        return spaces.judged_by(record.identity["space"]), record.genotype, (record.key,)


def _summary(done: list[Any]) -> str:
    errors = [record.error for record in done]
    spread = f" (sd {statistics.stdev(errors):.2f})" if len(errors) > 1 else ""
    first = done[0]
    return (
        f"{first.architecture}\n"
        f"test error {statistics.mean(errors):.2f} %{spread}, best {min(errors):.2f} %, of {len(errors)}; "
        f"{first.parameters:,} parameters, {first.multiply_adds:,} multiply-adds"
    )
