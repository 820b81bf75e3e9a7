"""What runs will take, before they are made: seconds, memory and disk, from records where there are some, else counted.

From the nearest of these that there is:

1. records of the same settings from other seeds: what they took;
2. records of the same method class at the same scale: what they took, times the ratio of what both compute;
3. what the method will compute (`bench.search.task.Foreseen`), at the pace of steps that are made now, for a second
   or two, on this device.

Where records do not say how long a run took in all, the estimates of the probe set are added by pace. A process that
starts adds `START`.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from bench import images, spaces
from bench.errors import BenchError
from bench.images import ImageSet
from bench.images.batches import Batch
from bench.nets.operations import Norm
from bench.nets.supernet import supernet_of
from bench.nets.sweep import scores
from bench.runs import needs
from bench.runs.needs import NOTHING, Disk, Footprint
from bench.runs.probe import probe_set
from bench.runs.run import device_named, visible
from bench.search.optimisers import SGD
from bench.search.task import Foreseen, Foresees, SearchImages, Task
from bench.spaces.space import Genotype, Region
from bench.store.record import Record
from bench.store.spec import RunSpec, Scale, canonical

Basis = Literal["same settings", "same method class", "multiply-adds", "nothing"]

START = 3.0
"""CPU seconds in which a process starts and loads its images."""

MARGIN = 1.25
"""Of memory, above what records had."""

SLOWEST = 0.5
"""1e9 multiply-adds a second that any machine computes: no pace is measured for what takes less than `MOMENT` by it."""

MOMENT = 60.0  # seconds

TIMED = 0.4
"""Seconds for which each kind of pass is timed."""

BATCH = 64
"""Images of the passes that are timed."""

FEW, MANY = 8, 512
"""Architectures that are estimated together, to know the pace."""


ELSEWHERE = 244.0
"""1e9 multiply-adds a second of a GPU that is not at hand: the median of 24 runs at the papers' width, captured, on an
NVIDIA H100 that they shared."""


@dataclass(frozen=True)
class Expected:
    """What one run will take. seconds: CPU seconds, or those of a GPU; None where nothing tells. memory: bytes of main
    memory, or on a GPU. at_most: whether seconds are a bound that was not looked at more closely."""

    seconds: float | None
    memory: int
    basis: Basis
    records: int = 0  # that it is taken from
    disk: Disk = NOTHING
    at_most: bool = False


@dataclass(frozen=True)
class Pace:
    """1e9 multiply-adds a second."""

    mixtures: float
    paths: float
    estimates: float

    def seconds(self, work: Foreseen) -> float:
        """Of that work."""
        return work.mixtures / self.mixtures + work.paths / self.paths + work.estimates / self.estimates


class Estimator:
    """Estimates for the runs of a study on one device; what they share is looked up once.

    at_hand: records of this or another folder. data: folder of image files. keeps, shares: whether runs leave their
    supernets, and their training for others. briefly: whether short runs are told by a bound, without a measurement.
    """

    def __init__(
        self,
        at_hand: Sequence[Record],
        device: torch.device,
        data: Path | None = None,
        keeps: bool = False,
        shares: bool = False,
        briefly: bool = False,
    ) -> None:
        self.device, self.keeps, self.shares, self.briefly = device, keeps, shares, briefly
        self._footprints: dict[tuple[str, str, Scale], Footprint | None] = {}
        self._loaded: Callable[[str], ImageSet] = cache(lambda name: images.load(name, data))
        self._visible: Callable[[str, Scale], SearchImages] = cache(
            lambda name, scale: visible(self._loaded(name), scale)
        )
        self._tasks: dict[tuple[str, str, Scale], Task] = {}
        self._paces: dict[tuple[str, str, Scale], Pace] = {}
        self._probes: dict[tuple[str, str, Scale], Foreseen] = {}
        self._foreseen: dict[str, Foreseen | None] = {}
        self._same: dict[str, list[Record]] = defaultdict(list)
        self._alike: dict[str, list[Record]] = defaultdict(list)
        for record in at_hand:
            if record.status == "done" and record.place.get("device") == device.type:
                self._same[_but(record.identity, "seed")].append(record)
                self._alike[_class(record.identity)].append(record)

    def images(self, name: str) -> ImageSet:
        """The image set of that name, loaded once. Raises BadData."""
        return self._loaded(name)

    def of(self, spec: RunSpec) -> Expected:
        """What that run will take. Raises BadData where its images cannot be loaded."""
        one = self._footprint(spec)
        disk = NOTHING if one is None else needs.disk(self._task(spec), self._work(spec), one, self.keeps, self.shares)
        return replace(self._of(spec), disk=disk)

    def _of(self, spec: RunSpec) -> Expected:
        identity = spec.identity
        same, alike = self._same[_but(identity, "seed")], self._alike[_class(identity)]
        memory = self._memory(spec, same or alike)
        if same:
            return Expected(statistics.median(self._took(r, spec) for r in same), memory, "same settings", len(same))
        foreseen = self._work(spec)
        computed = [(self._took(r, spec), r.cost["gmacs"]) for r in alike]
        if alike and foreseen is not None and foreseen.total and all(gmacs for _, gmacs in computed):
            rate = statistics.median(took / gmacs for took, gmacs in computed)
            return Expected(foreseen.total * rate, memory, "same method class", len(alike))
        if foreseen is None:
            return Expected(None, memory, "nothing")
        slow = Pace(SLOWEST, SLOWEST, SLOWEST)
        bound = START + slow.seconds(foreseen) + self._probing(spec, slow) * bool(foreseen.total)
        if self.briefly and bound < MOMENT:
            return Expected(bound, memory, "multiply-adds", at_most=True)
        seconds = START + self._pace(spec).seconds(foreseen) + self._probing(spec)
        return Expected(seconds, memory, "multiply-adds")

    def _took(self, record: Record, spec: RunSpec) -> float:
        """Seconds of a run in all, that of a process that starts included."""
        place, on_gpu = record.place, self.device.type == "cuda"
        whole = place.get("took_s" if on_gpu else "cpu_s")
        if whole is not None and not place.get("stops") and not place.get("shared"):
            return START + float(whole)
        asked = 0.0 if record.estimates is None else self._probing(spec)
        return START + float(record.cost["wall_s" if on_gpu else "device_s"]) + asked

    def _work(self, spec: RunSpec) -> Foreseen | None:
        """What the search will compute; None where the method does not say, or cannot be run so."""
        known = _but(spec.identity, "seed")
        if known not in self._foreseen:
            method = spec.method
            try:
                self._foreseen[known] = method.foreseen(self._task(spec)) if isinstance(method, Foresees) else None
            except BenchError:  # the run will say why it cannot be
                self._foreseen[known] = Foreseen()
        return self._foreseen[known]

    def _task(self, spec: RunSpec) -> Task:
        """One on which nothing is trained, for all runs of one kind: costs are looked up once."""
        where = spec.space, spec.dataset, spec.scale
        if where not in self._tasks:
            visible = self._visible(spec.dataset, spec.scale)
            self._tasks[where] = Task(spaces.get(spec.space), visible, spec.scale, 0, torch.device("cpu"))
        return self._tasks[where]

    def _pace(self, spec: RunSpec) -> Pace:
        where = spec.space, spec.dataset, spec.scale
        if where not in self._paces:
            there = self.device.type != "cuda" or torch.cuda.is_available()
            made = measured(self._task(spec), self.device) if there else Pace(ELSEWHERE, ELSEWHERE, ELSEWHERE)
            self._paces[where] = made
        return self._paces[where]

    def _probing(self, spec: RunSpec, pace: Pace | None = None) -> float:
        """Seconds in which the estimates of the probe set are made, of a method that has them."""
        where = spec.space, spec.dataset, spec.scale
        if where not in self._probes:
            task = self._task(spec)
            try:
                _, functions = task.space.functions(probe_set(task.space, spec.scale.probe))
            except BenchError:
                functions = []
            valid = len(task.images.valid)
            each = min(spec.scale.estimated_on or valid, valid) * task.mean_multiply_adds(task.region) / 1e9
            self._probes[where] = Foreseen(estimates=len(functions) * each)
        return (self._pace(spec) if pace is None else pace).seconds(self._probes[where])

    def _memory(self, spec: RunSpec, records: Sequence[Record]) -> int:
        """Bytes: the largest peak of records, else counted (`bench.runs.needs`)."""
        if records:
            return int(MARGIN * max(r.cost["peak_bytes"] for r in records))
        one = self._footprint(spec)
        if one is None:
            return 0
        task, on_gpu = self._task(spec), self.device.type == "cuda"
        return needs.memory(task, self._loaded(spec.dataset), spec.method, self._work(spec), one, on_gpu)

    def _footprint(self, spec: RunSpec) -> Footprint | None:
        """None where no supernet can be made: the run will say why."""
        where = spec.space, spec.dataset, spec.scale
        if where not in self._footprints:
            try:
                self._footprints[where] = needs.footprint(self._task(spec))
            except BenchError:
                self._footprints[where] = None
        return self._footprints[where]


def planned_on(name: str) -> torch.device:
    """The device that runs are planned for, which need not be here. Raises BadSpec."""
    return torch.device("cuda") if name.split(":")[0] == "cuda" else device_named(name)


def measured(task: Task, device: torch.device) -> Pace:
    """The pace of steps that are made now, on weights and images at random, which go again."""
    shape, space = task.shape, task.space
    supernet = supernet_of(space, shape, Norm(), 0, "pace").to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator, rng = torch.Generator().manual_seed(0), task.stream("pace")
    size = (BATCH, shape.image_channels, shape.image_size, shape.image_size)
    pixels = torch.randn(size, generator=generator).to(device, memory_format=torch.channels_last)
    batch = Batch(pixels, torch.randint(shape.classes, (BATCH,), generator=generator).to(device))
    theta = torch.full((len(space.edges), len(space.ops)), 1 / len(space.ops), device=device, requires_grad=True)

    def paths(count: int) -> list[Genotype]:
        return [space.sample(task.region, rng) for _ in range(count)]

    parameters = list(supernet.parameters())
    descent = SGD(parameters, 1e-6, momentum=0.9, nesterov=True, decay=5e-4)

    def trained(region: Region, weights: torch.Tensor | None) -> float:
        loss = torch.nn.functional.cross_entropy(supernet(batch.images, weights, region), batch.labels)
        if loss.requires_grad:
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 5.0)
            descent.step()
            descent.zero_grad()
        return 3 * BATCH * task.multiply_adds(region) / 1e9

    def scored(count: int) -> float:
        chosen = space.functions(paths(count))[1]
        scores(supernet, [batch], chosen)
        return BATCH * sum(task.multiply_adds(space.alone(genotype)) for genotype in chosen) / 1e9

    supernet.train()
    mixture = _paced(lambda: trained(task.region, theta), device)
    path = _paced(lambda: trained(space.alone(paths(1)[0]), None), device)
    supernet.eval()
    took = _seconds(lambda: scored(FEW), device)
    many = min(MANY, max(FEW, int(FEW * 4 * TIMED / took)))  # the more of them, the more they share
    return Pace(mixture, path, _paced(lambda: scored(many), device))


def _paced(work: Callable[[], float], device: torch.device) -> float:
    """Of what the work says that it does, so much a second; done once before, and then for `TIMED` seconds."""
    work()
    done: list[float] = []
    took = 0.0
    while took < TIMED:
        took += _seconds(lambda: done.append(work()), device)
    return sum(done) / took


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """CPU seconds, as others may be at work here too; on a GPU those of the clock."""
    if device.type != "cuda":
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _but(identity: Mapping[str, Any], *names: str) -> str:
    """A run's identity without these parts, as text."""
    return canonical({name: value for name, value in identity.items() if name not in names})


def _class(identity: Mapping[str, Any]) -> str:
    """The class of a run's method, where it searches, and at which scale."""
    return canonical([identity["method"]["name"], identity["space"], identity["dataset"], identity["scale"]])
