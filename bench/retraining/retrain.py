"""From an architecture and a recipe to a record on disk; what is there is not made again, what was stopped goes on."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessRaisedException, spawn

from bench import spaces
from bench.errors import BadSpec, BenchError, Busy
from bench.nets.darts_alone import DartsAlone, alone, parameters
from bench.retraining import memory
from bench.retraining.recipes import Recipe
from bench.retraining.sources import Source, opened
from bench.retraining.training import Share, State, Training
from bench.runs.run import processor, provenance
from bench.spaces.layout import StridedStems, TwoInputCells
from bench.spaces.space import Genotype
from bench.spaces.two_inputs import TwoInputs
from bench.store import retrained
from bench.store.record import Results
from bench.store.retrained import Retrained
from bench.store.sources import code_digest
from bench.store.spec import Scale, key_of, plain

CHECKPOINT = "retraining.npz"


@dataclass(frozen=True)
class Job:
    """One retraining. recipe: as it is carried out, shrunk and in parts. processes: that share every batch."""

    space: str
    genotype: Genotype
    recipe: Recipe
    scale: Scale
    dataset: str
    seed: int
    results: Path
    device: str = "cpu"  # the kind, where there are several processes
    processes: int = 1
    threads: int = 1
    data: Path | None = None
    searched: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BadSpec(f"seed {self.seed} is not allowed; seeds are 0, 1, 2, …")
        if self.processes < 1 or self.recipe.parts % self.processes:
            raise BadSpec(
                f"{self.recipe.parts} parts of a batch cannot be shared by {self.processes} processes; choose a "
                "multiple with --parts"
            )
        if self.processes > 1 and ":" in self.device:
            raise BadSpec(f"--device {self.device} is one device; {self.processes} of them are --device cuda")

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the key is made of."""
        recipe, scale = self.recipe.settings(), plain(self.scale)
        return retrained.identity(recipe, scale, self.space, self.genotype, self.dataset, self.seed)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits."""
        return key_of(self.identity)

    def network(self, loaded: Source) -> DartsAlone:
        """On its initial weights. Raises BadSpec."""
        shape = self.recipe.shape(loaded.classes, loaded.channels, loaded.size)
        return alone(laid_out(self.space, self.recipe), self.genotype, shape, self.seed, self.recipe.auxiliary > 0)

    @property
    def images_at_once(self) -> int:
        """Of a step, in one process."""
        return self.recipe.batch // self.recipe.parts


def laid_out(name: str, recipe: Recipe) -> TwoInputs:
    """The space of that name, with the recipe's stem. Raises BadSpec where it has no such cells."""
    space = spaces.get(name)
    if not isinstance(space, TwoInputs) or type(space.layout) is not TwoInputCells:
        raise BadSpec(
            f"{name} has no recipes: cells of two inputs are retrained, as those of darts; its table has others"
        )
    return dataclasses.replace(space, layout=StridedStems(space.layout.nodes)) if recipe.strided else space


def looked_at(job: Job) -> str:
    """A line on the memory that it takes. Raises BadSpec, BadData where it could not begin."""
    loaded = opened(job.dataset, job.data)
    device = torch.device(job.device)
    loaded.pictures(job.recipe, job.scale, torch.device("cpu"))
    sharing = job.processes if device.type == "cpu" else 1
    net = job.network(loaded)
    region = net.space.alone(job.genotype)
    return memory.require(net, region, job.images_at_once, device, sharing, job.results)


def make(job: Job, progress: Callable[[float], None] = lambda share: None) -> Retrained:
    """The record of a retraining, made now unless it is there already.

    Raises Busy where another process makes it, Diverged, BadSpec, BadData.
    """
    results = Results(job.results)
    known = finished(job, results)
    if known is not None:
        return known
    results.check_writable()
    provenance()
    with results.claim(job.key):
        known = retrained.find(results, job.key)  # another process may have ended it just now
        if known is None:
            known = _made(job, results, progress)
            retrained.save(results, known)
        results.drop_checkpoints(job.key)
    return known


def finished(job: Job, results: Results) -> Retrained | None:
    """The record of a job, or None. Raises BadRecord where the file is not what it should be."""
    known = retrained.find(results, job.key)
    if known is not None and results.checkpoints_path(job.key).exists():  # stopped between its record and its end
        with suppress(Busy), results.claim(job.key):
            results.drop_checkpoints(job.key)
    return known


def attempted(
    job: Job, debug: bool = False, progress: Callable[[float], None] = lambda share: None
) -> tuple[Retrained | BenchError, bool]:
    """The record of a job and whether it was made now, or why there is none: for `bench.runs.batch.settled`."""
    made = not retrained.path_of(Results(job.results), job.key).exists()
    try:
        return make(job, progress), made
    except BenchError as why:  # a damaged file, a full disk, a loss that is not finite: it costs this training alone
        if debug and not isinstance(why, Busy):
            raise
        return why, False
    except (torch.OutOfMemoryError, MemoryError):
        if debug:
            raise
        return BenchError(f"out of memory on {job.device}; choose a smaller --scale, or more --parts"), False


def _made(job: Job, results: Results, progress: Callable[[float], None]) -> Retrained:
    started, loaded = datetime.now(UTC), opened(job.dataset, job.data)
    checkpoint = results.checkpoints_path(job.key) / CHECKPOINT
    if job.processes > 1:
        _shared(job, checkpoint)  # the last checkpoint is what is tested below
    training, state = _fitted(job, loaded, Share(), checkpoint, progress)
    accuracy, nats = training.tested()
    shown = job.recipe.epochs * len(training.pictures) * job.recipe.batch
    return Retrained(
        key=job.key,
        identity=job.identity,
        architecture=spaces.get(job.space).show(job.genotype),
        error=100 - accuracy,
        cross_entropy=nats,
        parameters=parameters(training.net),
        multiply_adds=training.net.multiply_adds(training.region),
        test_images=loaded.tested,
        curve=tuple(state.curve),
        cost={
            "forward_images": shown + loaded.tested,
            "backward_images": shown,
            "wall_s": state.seconds,
            "processes": job.processes,
        },
        place=_place(job, loaded, started),
        searched=job.searched,
    )


def _fitted(
    job: Job, loaded: Source, share: Share, checkpoint: Path, progress: Callable[[float], None]
) -> tuple[Training, State]:
    torch.set_num_threads(job.threads)
    device = torch.device(job.device if share.of == 1 or job.device == "cpu" else f"{job.device}:{share.rank}")
    net, pictures = job.network(loaded), loaded.pictures(job.recipe, job.scale, device)
    same: dict[str, Any] = {"key": job.key, "code": code_digest(), "torch": torch.__version__, "device": device.type}
    same |= {"images": loaded.digest, "processes": job.processes}
    training = Training(net, net.space.alone(job.genotype), job.recipe, job.seed, pictures, device, share, same)
    return training, training.fit(checkpoint, progress)


def _shared(job: Job, checkpoint: Path) -> None:
    """Train in several processes. Raises BenchError, in one line, where one of them fails."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            spawn(_process, (job, checkpoint, f"{folder}/meeting"), job.processes)
        except ProcessRaisedException as error:
            said = str(error).strip().splitlines()[-1]
            raise BenchError(f"a process of the training failed: {said}") from error


def _process(rank: int, job: Job, checkpoint: Path, meeting: str) -> None:
    backend = "gloo" if job.device == "cpu" else "nccl"
    if backend == "nccl":
        torch.cuda.set_device(rank)
    dist.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=job.processes)
    try:
        _fitted(job, opened(job.dataset, job.data), Share(rank, job.processes), checkpoint, lambda share: None)
        dist.barrier()
    finally:
        dist.destroy_process_group()


def _place(job: Job, loaded: Source, started: datetime) -> dict[str, Any]:
    cuda = job.device.startswith("cuda")
    return {
        **provenance(),
        "torch": torch.__version__,
        "device": torch.device(job.device).type,
        "device_name": torch.cuda.get_device_name(torch.device(job.device)) if cuda else processor(),
        "threads": job.threads,
        "images": loaded.title,
        "images_digest": loaded.digest,
        "started": started.isoformat(timespec="seconds"),
    }
