"""One run: from a RunSpec to a Record on disk. Resuming is running again: a finished key costs one file look-up."""

from __future__ import annotations

import platform
import re
import subprocess
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bench
from bench import images, plugins, spaces
from bench.errors import BadRecord, BadSpec, BenchError, Busy, Diverged
from bench.images import ImageSet
from bench.nets.supernet import network_of
from bench.runs import probe
from bench.runs.limits import TimedOut, limited
from bench.search import kept
from bench.search.checkpoints import Checkpoints
from bench.search.meter import Meter
from bench.search.pulse import Pulse
from bench.search.shared import Shared
from bench.search.steps import Steps
from bench.search.task import Found, SearchImages, Task
from bench.spaces.space import Genotype, Space
from bench.store.files import write_atomically
from bench.store.record import Candidate, Record, Results
from bench.store.schema import Status
from bench.store.sources import code_digest, plugged
from bench.store.spec import SCALES, RunSpec, Scale, key_of

SEARCHED = 0.8
"""The share of a run that its search is shown as; the rest are the estimates of the probe set."""

ROOM = "end other programs, take fewer --workers, or choose a smaller --scale"
"""What to do where memory is short."""

_SHORT_OF_MEMORY = ("DefaultCPUAllocator", "not enough memory", "unable to mmap", "Cannot allocate memory")

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
    share: bool = False  # training that runs have in common is done once: see bench.search.shared
    time_limit: float | None = None  # seconds of one run, by this process
    workers: int = 1  # runs at a time; seconds of a GPU that others use too are longer than a run's own
    keep: bool = False  # the trained supernets, in a file beside the record: see bench.search.kept
    made_by: Mapping[str, Any] | None = None  # the sender's `provenance`, where sources were sent to another machine


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
    spec: RunSpec,
    settings: Settings,
    progress: Callable[[float], None] = lambda share: None,
    debug: bool = False,
    loaded: ImageSet | None = None,
) -> Record:
    """The finished record of `spec`, made now unless it is there already.

    A search whose loss is no longer finite gives a record with status `diverged`; another failure is recorded under
    `failed/` and returned with status `failed` (raised when `debug`). An interruption is recorded and raised.
    Raises Busy where another process is making it. loaded: the images, where they are at hand.
    """
    results = Results(settings.results)
    known = finished(spec, results)
    if known is not None:
        return known
    results.check_writable()
    with results.claim(spec.key):
        known = results.find(spec.key)  # another process may have ended it just now
        if known is not None:
            return known
        provenance()
        torch.set_num_threads(settings.threads)
        run = _Run(spec, settings, results, progress, loaded)
        return run.kept(run.outcome(debug))


@dataclass(frozen=True)
class _Outcome:
    """How a run ended. message: why it failed, or why a search that is done has no estimates."""

    status: Status
    message: str = ""
    found: Found | None = None
    estimates: probe.Estimates | None = None


class _Run:
    """One run while it is made: its task, and what is kept of it."""

    def __init__(
        self,
        spec: RunSpec,
        settings: Settings,
        results: Results,
        progress: Callable[[float], None],
        loaded: ImageSet | None = None,
    ) -> None:
        self.spec, self.settings, self.results, self.progress = spec, settings, results, progress
        self.partial = results.partial_path(spec.key)
        self.unfinished = probe.read(self.partial) if self.partial.exists() else None
        device = device_named(settings.device)
        self.space = spaces.get(spec.space)
        self.images = images.load(spec.dataset, settings.data) if loaded is None else loaded
        self.visible = visible(self.images, spec.scale)

        def search_progress(share: float) -> None:
            progress(SEARCHED * share)

        self.pulse = Pulse()
        where = device, Meter(device, self.pulse), search_progress
        self.task = Task(self.space, self.visible, spec.scale, spec.seed, *where, steps=settings.steps)
        self.started, self._began, self._cpu = datetime.now(UTC), time.perf_counter(), time.process_time()
        self.same = _sameness(device, settings, self.images) | _from_outside(spec, self.space)
        self.checkpoints = Checkpoints(_kept_in(results, spec, self.same), self.task)
        self.supernets: dict[str, Any] | None = None  # what the record says of those that are kept
        self.shared = Shared(results.shared_path, self.same, self.task, self.checkpoints)
        self.task.keeper = self.shared if settings.share else self.checkpoints

    def outcome(self, debug: bool) -> _Outcome:
        """Search, then estimate the probe set, which is made before; what fails after the search costs the estimates
        alone."""
        found = None
        try:
            with self.pulse, limited(self.settings.time_limit):
                _require_network(self.space)
                asked = probe.probe_set(self.space, self.spec.scale.probe)
                found = self._searched()
                return _Outcome("done", "", found, self._estimated(found, asked))
        except TimedOut:
            why = f"its time limit of {self.settings.time_limit:g} s is over; run it with a longer --time-limit"
            if found is None:
                return _Outcome("timeout", why)
        except Diverged as error:
            if found is None:
                return _Outcome("diverged", str(error))
            why = str(error)
        except KeyboardInterrupt:
            self.results.save(self._record(_Outcome("interrupted", "stopped by the user")))
            raise
        except Exception as error:
            if debug:
                raise
            why = self._said(error, found is None)
        return _Outcome("failed", why) if found is None else _Outcome("done", f"without estimates: {why}", found)

    def _searched(self) -> Found:
        with self.task.meter.phase(OUTERMOST), self.shared:
            found: Found = self.spec.method.search(self.task)
        self.space.check(found.genotype)
        return found

    def _estimated(self, found: Found, asked: Sequence[Genotype]) -> probe.Estimates | None:
        if found.estimate is None:
            return None
        self.task.estimated = _shown(self.progress, len(asked))
        each = self.spec.scale.estimated_on
        known, told = self.unfinished, self.task.estimated
        estimate = probe.within(self.space, found.estimate)
        return probe.estimated(estimate, self.space, asked, each, self.partial, known, told)

    def _said(self, error: Exception, searching: bool) -> str:
        if _is_of_memory(error):
            return _out_of_memory(self.task, str(error)) if searching else f"out of memory on {self.task.device}"
        return str(error) if isinstance(error, BenchError) else traceback.format_exc()

    def kept(self, outcome: _Outcome) -> Record:
        """The record of an outcome, written; what was kept of a run on its way goes."""
        if self.settings.keep and outcome.found is not None:
            self._keep(outcome.found)
        try:
            record = self._record(outcome)
            self.results.check(record)
        except BadRecord as error:  # a number that is not finite, say
            outcome = _Outcome("failed", f"what the method returned cannot be kept: {error}")
            record = self._record(outcome)
        side = None if outcome.estimates is None else probe.to_bytes(outcome.estimates)
        self.results.save(record, side)
        if record.status in ("done", "diverged"):
            self.partial.unlink(missing_ok=True)
            self.results.drop_checkpoints(self.spec.key)
        return record

    def _keep(self, found: Found) -> None:
        """Write the supernets that the search estimates by; says so where there are none."""
        if not found.supernets:
            warnings.warn(
                f"{self.spec.label} seed {self.spec.seed} leaves no supernet that could be kept", stacklevel=2
            )
            return
        path, content = self.results.supernets_path(self.spec.key), kept.written(self.spec.key, found.supernets)
        try:
            write_atomically(path, content)
        except BadRecord as error:
            warnings.warn(f"{error}; the run goes on and keeps no supernet", stacklevel=2)
        else:
            self.supernets = kept.said(path, found.supernets, content)

    def _record(self, outcome: _Outcome) -> Record:
        spec, task, found = self.spec, self.task, outcome.found
        phases = task.meter.state()
        return Record(
            key=spec.key,
            label=spec.label,
            identity=spec.identity,
            status=outcome.status,
            message=outcome.message,
            genotype=None if found is None else found.genotype,
            architecture=None if found is None else self.space.show(found.genotype),
            candidates=() if found is None else tuple(Candidate(g, e) for g, e in found.candidates),
            trace=tuple(task.trace),
            details={} if found is None else found.details,
            cost={**vars(task.meter.total()), "phases": phases},
            estimates=None
            if outcome.estimates is None
            else probe.note(
                self.results.estimates_path(spec.key),
                outcome.estimates,
                min(spec.scale.estimated_on or len(self.visible.valid), len(self.visible.valid)),
            ),
            place=self._place(),
        )

    def _place(self) -> dict[str, Any]:
        """Where and with what a run was made; none of it identifies a machine."""
        return {
            **(self.settings.made_by or provenance()),
            "python": platform.python_version(),
            **self.same,
            "workers": self.settings.workers,
            "images": self.images.title,
            "split": self.images.split,
            "searched_images": [len(self.visible.train), len(self.visible.valid)],
            "started": self.started.isoformat(timespec="seconds"),  # by the process that ended it
            "took_s": time.perf_counter() - self._began,  # by that process, estimates and all
            "cpu_s": time.process_time() - self._cpu,
            "stood_still_s": round(self.pulse.lost(), 3),  # stopped from outside; in no other number of seconds
            "slept_s": round(self.pulse.slept(), 3),  # of the machine; the same
            "stops": self.checkpoints.stops,  # how often it was stopped before and taken up again
            "shared": self.shared.taken,  # fits that were taken over from other runs
            **({} if self.supernets is None else {"supernets": self.supernets}),  # those that are kept
        }


def _require_network(space: Space) -> None:
    """Raises BadSpace, before anything trains, where a space's network is not there, or not what is said of it; of the
    spaces of the house the tests say so."""
    network_of(space)
    if space.name not in spaces.HOUSE:
        from bench.nets.checking import check_network  # it takes a second or two, which most runs need not spend

        check_network(space)


def finished(spec: RunSpec, results: Results) -> Record | None:
    """The finished record of `spec`, or None. Raises BadRecord where the file is not what it should be."""
    known = results.find(spec.key)
    if known is not None and results.checkpoints_path(spec.key).exists():  # stopped between its record and its end
        with suppress(Busy), results.claim(spec.key):
            results.drop_checkpoints(spec.key)
    return known


def make(
    spec: RunSpec,
    settings: Settings,
    progress: Callable[[float], None],
    debug: bool,
    loaded: ImageSet | None = None,
) -> tuple[Record | BenchError, bool]:
    """The record of `spec` and whether it was made now, or why there is none: a job for a pool, which sends it to
    another process."""
    made = not Results(settings.results).run_path(spec.key).exists()
    try:
        return execute(spec, settings, progress, debug, loaded), made
    except BenchError as why:  # a damaged file, a full disk: it costs this run alone
        if debug and not isinstance(why, Busy):
            raise
        return why, False
    except (torch.OutOfMemoryError, MemoryError):
        if debug:
            raise
        return BenchError(f"out of memory on {settings.device} before the search began; {ROOM}"), False


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


def visible(loaded: ImageSet, scale: Scale) -> SearchImages:
    """The part of an image set that a search may see: the first images of its training and validation parts.

    A preset takes what there is of them, and the record says how many. Raises BadSpec where a number of images that is
    not the preset's is more than there are.
    """
    parts = {"train_images": len(loaded.train), "valid_images": len(loaded.valid)}
    preset = SCALES.get(scale.name.partition("+")[0])
    for name, there in parts.items():
        asked = getattr(scale, name)
        if asked > there and (preset is None or asked != getattr(preset, name)):
            raise BadSpec(f"scale {scale.name} asks for {asked:,} {name}, {loaded.title} has {there:,}")
    return SearchImages(
        train=loaded.train.take(min(scale.train_images, len(loaded.train))),
        valid=loaded.valid.take(min(scale.valid_images, len(loaded.valid))),
        classes=loaded.classes,
        mean=loaded.mean,
        std=loaded.std,
        augment=loaded.augment,
    )


def _shown(progress: Callable[[float], None], whole: int) -> Callable[[float], None]:
    """Shows how much of the probe set has been estimated, in steps of a hundredth."""
    done, shown = 0.0, 0

    def estimated(count: float) -> None:
        nonlocal done, shown
        done += count
        if (hundredth := int(100 * min(1.0, done / whole))) > shown:
            shown = hundredth
            progress(SEARCHED + (1 - SEARCHED) * shown / 100)

    return estimated


def _is_of_memory(error: Exception) -> bool:
    """Whether memory was short, on a GPU or, as torch tells it, on the CPU, or memory that processes share."""
    told = isinstance(error, RuntimeError) and any(word in str(error) for word in _SHORT_OF_MEMORY)
    return told or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def _asked(message: str) -> str:
    """How much was asked for when memory was short, where the message tells it."""
    found = re.search(r"allocate ([\d.]+ ?[KMGT]?i?B|\d+ bytes)", message)
    return f" when {found[1]} more were asked for" if found else ""


def _out_of_memory(task: Task, message: str) -> str:
    peak = max((cost["peak_bytes"] for cost in task.meter.state().values()), default=0)
    return (
        f"out of memory on {task.device}{_asked(message)}, after a peak of {peak / 2**30:.1f} GiB; choose a smaller "
        "scale, or a smaller batch (--set training.batch=N), which is another run with another result"
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


def _from_outside(spec: RunSpec, space: Space) -> dict[str, Any]:
    """The packages of plug-ins that a run is made with, by their sources; nothing where there are none."""
    packages = plugins.packages_of(spec.method) | plugins.packages_of(space)
    if announced := spaces.package_of(space.name):
        packages.add(announced)
    return {"plug_ins": plugged(packages)} if packages else {}


def processor() -> str:
    """The model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def provenance() -> dict[str, Any]:
    """The digest of the sources and the state of the checkout, as they were when this was first asked for."""
    return {"code": code_digest(), **git_state()}


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
