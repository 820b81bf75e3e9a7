"""One run: from a RunSpec to a Record on disk. Resuming is running again: a finished key costs one file look-up."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bench
from bench import images, spaces
from bench.errors import BadRecord, BadSpec, BenchError, Busy, Diverged
from bench.images import ImageSet
from bench.runs import probe
from bench.search.checkpoints import Checkpoints
from bench.search.meter import Meter
from bench.search.steps import Steps
from bench.search.task import Found, SearchImages, Task
from bench.spaces.space import Space
from bench.store.record import Candidate, Record, Results, Status
from bench.store.spec import RunSpec, Scale, key_of

SEARCHED = 0.8
"""The share of a run that its search is shown as; the rest are the estimates of the probe set."""

OUTERMOST = "search"
"""The phase of whatever a method does outside its own phases."""


@dataclass(frozen=True)
class Settings:
    """Where and on what runs are made. None of it is part of a run's identity."""

    results: Path
    device: str = "auto"
    threads: int = 1  # torch threads of one run; 1 makes a run on a CPU repeatable to the bit
    data: Path | None = None  # folder of the image files
    steps: Steps = "ordinary"  # see bench.search.steps: results differ by rounding at most
    workers: int = 1  # runs at a time; seconds of a GPU that others use too are longer than a run's own


def device_named(name: str) -> torch.device:
    """`auto`, `cpu` or `cuda[:index]`. Raises BadSpec where there is no such device."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.split(":")[0] == "cuda" and not torch.cuda.is_available():
        raise BadSpec(
            "--device cuda: torch sees no CUDA device here; use --device cpu, or check the driver and torch build"
        )
    if name.split(":")[0] not in ("cpu", "cuda"):
        raise BadSpec(f"--device {name} is not known; use auto, cpu or cuda")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BadSpec(f"--device {name} is not known; use auto, cpu, cuda or cuda:1") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BadSpec(f"--device {name}: torch sees {torch.cuda.device_count()} CUDA devices, numbered from 0")
    return device


def execute(
    spec: RunSpec, settings: Settings, progress: Callable[[float], None] = lambda share: None, debug: bool = False
) -> Record:
    """The finished record of `spec`, made now unless it is there already.

    A search whose loss is no longer finite gives a record with status `diverged`; another failure is recorded under
    `failed/` and returned with status `failed` (raised when `debug`). An interruption is recorded and raised.
    Raises Busy where another process is making it.
    """
    results = Results(settings.results)
    known = finished(spec, results)
    if known is not None:
        return known
    results.check_writable()
    with results.claim(spec.key):
        known = results.find(spec.key)  # another process may have ended it just now
        return _executed(spec, settings, results, progress, debug) if known is None else known


def _executed(
    spec: RunSpec, settings: Settings, results: Results, progress: Callable[[float], None], debug: bool
) -> Record:
    provenance()
    partial = results.partial_path(spec.key)
    unfinished = probe.read(partial) if partial.exists() else None
    torch.set_num_threads(settings.threads)
    device = device_named(settings.device)
    space, loaded = spaces.get(spec.space), images.load(spec.dataset, settings.data)
    visible, meter = _visible(loaded, spec.scale), Meter(device)

    def search_progress(share: float) -> None:
        progress(SEARCHED * share)

    task = Task(space, visible, spec.scale, spec.seed, device, meter, search_progress, steps=settings.steps)
    started = datetime.now(UTC)
    same = _sameness(device, settings, loaded)
    folder = _kept_in(results, spec, same)
    task.keeper = checkpoints = Checkpoints(folder, task)

    def record_of(
        status: Status, message: str, found: Found | None = None, estimates: Mapping[str, Any] | None = None
    ) -> Record:
        place = _place(same, settings, loaded, visible, started, checkpoints.stops)
        return _record(spec, status, message, found, space, task, estimates, place)

    status: Status = "done"
    found, message, estimates, side = None, "", None, None
    try:
        with task.meter.phase(OUTERMOST):
            found = spec.method.search(task)
        space.check(found.genotype)
        if found.estimate is not None:
            task.estimated = _shown(progress, spec.scale, space)
            asked, images_each = probe.probe_set(space, spec.scale.probe), spec.scale.probe_images
            made = probe.estimated(found.estimate, space, asked, images_each, partial, unfinished, task.estimated)
            side = probe.to_bytes(made)
            estimates = _note(made, images_each, results.estimates_path(spec.key).name)
    except Diverged as error:
        status, message = "diverged", str(error)
    except BenchError as error:
        status, message, found = "failed", str(error), None
        if debug:
            raise
    except KeyboardInterrupt:
        results.save(record_of("interrupted", "stopped by the user"))
        raise
    except (torch.OutOfMemoryError, MemoryError):
        status, message, found = "failed", _out_of_memory(task), None
        if debug:
            raise
    except Exception:
        status, message, found = "failed", traceback.format_exc(), None
        if debug:
            raise
    try:
        record = record_of(status, message, found, estimates)
        results.check(record)
    except BadRecord as error:  # a number that is not finite, say
        status, message = "failed", f"what the method returned cannot be kept: {error}"
        record, side = record_of(status, message), None
    results.save(record, side)
    if side is not None:
        partial.unlink(missing_ok=True)
    if record.status in ("done", "diverged"):
        results.drop_checkpoints(spec.key)
    return record


def finished(spec: RunSpec, results: Results) -> Record | None:
    """The finished record of `spec`, or None. Raises BadRecord where the file is not what it should be."""
    known = results.find(spec.key)
    if known is not None and results.checkpoints_path(spec.key).exists():  # stopped between its record and its end
        with suppress(Busy), results.claim(spec.key):
            results.drop_checkpoints(spec.key)
    return known


def make(
    spec: RunSpec, settings: Settings, progress: Callable[[float], None], debug: bool
) -> tuple[Record | Busy, bool]:
    """The record of `spec` and whether it was made now, or which process is making it: a job for a pool, which sends
    it to another process."""
    made = not Results(settings.results).run_path(spec.key).exists()
    try:
        return execute(spec, settings, progress, debug), made
    except Busy as elsewhere:
        return elsewhere, False


def _kept_in(results: Results, spec: RunSpec, sameness: Mapping[str, Any]) -> Path:
    """The folder of checkpoints for this code and device; says so where others have left some that cannot be used."""
    root = results.checkpoints_path(spec.key)
    folder = root / key_of({"key": spec.key, **sameness})
    if root.exists() and not folder.exists():
        warnings.warn(
            f"{spec.label} seed {spec.seed} was stopped before, with other code or settings or on another device; it "
            "starts from its beginning",
            stacklevel=2,
        )
    return folder


def _visible(loaded: ImageSet, scale: Scale) -> SearchImages:
    """The part of an image set that a search may see: the first images of its training and validation parts."""
    return SearchImages(
        train=loaded.train.take(min(scale.train_images, len(loaded.train))),
        valid=loaded.valid.take(min(scale.valid_images, len(loaded.valid))),
        classes=loaded.classes,
        mean=loaded.mean,
        std=loaded.std,
        augment=loaded.augment,
    )


def _shown(progress: Callable[[float], None], scale: Scale, space: Space) -> Callable[[float], None]:
    """Shows how much of the probe set has been estimated, in steps of a hundredth."""
    whole, done, shown = scale.probe or space.size, 0.0, 0

    def estimated(count: float) -> None:
        nonlocal done, shown
        done += count
        if (hundredth := int(100 * min(1.0, done / whole))) > shown:
            shown = hundredth
            progress(SEARCHED + (1 - SEARCHED) * shown / 100)

    return estimated


def _out_of_memory(task: Task) -> str:
    peak = max((cost["peak_bytes"] for cost in task.meter.state().values()), default=0)
    return (
        f"out of memory on {task.device} after a peak of {peak / 2**30:.1f} GiB; choose a smaller scale, or a smaller "
        "batch (--set training.batch=N), which is another run with another result"
    )


def _note(estimates: probe.Estimates, images_each: int, name: str) -> dict[str, Any]:
    """What a record says of its estimates, which lie beside it under `name`."""
    positions, values = estimates
    return {
        "file": name,
        "blake2b": probe.digest(estimates),
        "probe": len(positions),
        "opinions": int(np.isfinite(values[:, 0]).sum()),
        "images": images_each,
    }


def _record(
    spec: RunSpec,
    status: Status,
    message: str,
    found: Found | None,
    space: Space,
    task: Task,
    estimates: Mapping[str, Any] | None,
    place: Mapping[str, Any],
) -> Record:
    phases = task.meter.state()
    return Record(
        key=spec.key,
        label=spec.label,
        identity=spec.identity,
        status=status,
        message=message,
        genotype=None if found is None else found.genotype,
        architecture=None if found is None else space.show(found.genotype),
        candidates=() if found is None else tuple(Candidate(g, e) for g, e in found.candidates),
        trace=tuple(task.trace),
        details={} if found is None else found.details,
        cost={**vars(task.meter.total()), "phases": phases},
        estimates=estimates,
        place=place,
    )


def _sameness(device: torch.device, settings: Settings, loaded: ImageSet) -> dict[str, Any]:
    """What decides about a result beside its key: a run that is stopped goes on with the same only."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "code": code_digest(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": device.type,
        "device_name": name,
        "threads": settings.threads,
        "steps": settings.steps,
        "images_digest": loaded.digest,
    }


def _place(
    same: Mapping[str, Any],
    settings: Settings,
    loaded: ImageSet,
    visible: SearchImages,
    started: datetime,
    stops: int,
) -> dict[str, Any]:
    """Where and with what a run was made; none of it identifies a machine."""
    return {
        **provenance(),
        "python": platform.python_version(),
        **same,
        "workers": settings.workers,
        "images": loaded.title,
        "split": loaded.split,
        "searched_images": [len(visible.train), len(visible.valid)],
        "started": started.isoformat(timespec="seconds"),  # by the process that ended it
        "stops": stops,  # how often it was stopped before and taken up again
    }


def processor() -> str:
    """The model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def provenance() -> dict[str, Any]:
    """The digest of the sources and the state of the checkout, as they were when this was first asked for."""
    return {"code": code_digest(), **git_state()}


@lru_cache
def code_digest() -> str:
    """A hash of the sources of `bench` and `methods`: tells records of other code apart."""
    root = Path(bench.__file__).parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for package in ("bench", "methods"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@lru_cache
def git_state() -> dict[str, Any]:
    """The commit and whether the work tree differs from it; None where this is no checkout."""
    root = Path(bench.__file__).parent.parent

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if Path(ask("rev-parse", "--show-toplevel") or "nowhere").resolve() != root.resolve():
        return {"commit": None, "dirty": None}  # installed into somebody else's repository
    commit, changes = ask("rev-parse", "HEAD"), ask("status", "--porcelain", "--", "bench", "methods")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}
