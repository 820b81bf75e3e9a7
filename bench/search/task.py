"""What a method sees and what it gives back: the inner side of the wall.

A `Task` holds the space, both halves of the images that a search may see, the meter and named random streams. It
holds no ground truth and no test image, and there is no way from it to either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from bench.errors import BadRegion, BadSpec
from bench.images import Augment, Images
from bench.images.batches import Batches
from bench.images.splits import stratified
from bench.nets.operations import Norm
from bench.nets.streams import torch_stream
from bench.nets.supernet import Precision, Supernet, supernet_of
from bench.search.kept import Statistics, restored
from bench.search.learner import Halves, Harness, Keeper, Learner, Relaxation, Schedule, Training
from bench.search.meter import Meter
from bench.search.shared import added
from bench.search.steps import Steps, stepper_for
from bench.search.trained import Estimator, Home
from bench.spaces.cells import CellSpace
from bench.spaces.layout import Shape
from bench.spaces.space import Genotype, Region, Space
from bench.store.spec import Scale
from bench.streams import numpy_stream

SAMPLE = 1_000
"""Architectures by which the cost of a path is known: to about a hundredth."""


@dataclass(frozen=True)
class Found:
    """The outcome of a search: the method's own choice, all its finalists, and its opinion on the rest."""

    genotype: Genotype
    candidates: tuple[tuple[Genotype, float | None], ...]  # finalists with the method's estimates, accuracy [0, 1]
    estimate: Estimator | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  # JSON values worth keeping
    supernets: tuple[Home, ...] = ()  # those that `estimate` asks, as `deepest` asks them; none where it asks others


@dataclass(frozen=True)
class Foreseen:
    """What a search will compute, as far as it is known before it: multiply-adds (1e9), a pass back as two forward."""

    mixtures: float = 0.0  # in training steps of several operations an edge
    paths: float = 0.0  # in training steps of one operation an edge
    estimates: float = 0.0  # forward, of single architectures or of mixtures, to compare them
    supernets: int = 0  # that are there at a time
    fits: int = 0  # calls of `Learner.fit`, each of which may be kept until the run ends

    def __add__(self, other: Foreseen) -> Foreseen:
        """Sums, of searches one after the other."""
        sums = self.mixtures + other.mixtures, self.paths + other.paths, self.estimates + other.estimates
        return Foreseen(*sums, max(self.supernets, other.supernets), self.fits + other.fits)

    def times(self, factor: int) -> Foreseen:
        """So many of it, one after the other."""
        sums = self.mixtures * factor, self.paths * factor, self.estimates * factor
        return Foreseen(*sums, self.supernets, self.fits * factor)

    @property
    def total(self) -> float:
        """All of it."""
        return self.mixtures + self.paths + self.estimates


@runtime_checkable
class Foresees(Protocol):
    """A method that can say what it will compute. Of others only their records tell."""

    def foreseen(self, task: Task) -> Foreseen:
        """Counted on paper: nothing is trained. Raises what `search` raises where it cannot be done."""
        ...


@runtime_checkable
class Method(Protocol):
    """A search. A frozen dataclass: its fields are its hyper-parameters, its configuration and its hash."""

    version: ClassVar[int]  # raised by hand when behaviour changes

    def search(self, task: Task) -> Found:
        """Find an architecture within `task.region`."""
        ...


@dataclass(frozen=True)
class SearchImages:
    """The two halves of the images that a search may see, and how to feed them."""

    train: Images
    valid: Images
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: Augment


class Task:
    """All that a method may see or do."""

    def __init__(
        self,
        space: Space,
        images: SearchImages,
        scale: Scale,
        seed: int,
        device: torch.device,
        meter: Meter | None = None,
        progress: Callable[[float], None] = lambda share: None,
        name: str = "",
        steps: Steps = "ordinary",
    ) -> None:
        self.name = name  # before the names of its streams; empty but for a search within a search
        self.space, self.images, self.scale, self.seed, self.device = space, images, scale, seed, device
        self.region = space.region
        self.meter = Meter(device) if meter is None else meter
        self.progress = progress  # tells the share done, 0 to 1; for bars only
        self.steps: Steps = steps  # how training steps are carried out; results differ by rounding at most
        self.estimated: Callable[[float], None] = lambda count: None  # told of how many architectures were estimated
        self.keeper = Keeper()  # of what is trained
        self.trace: list[dict[str, Any]] = []
        self._supernets = 0
        self._means: dict[tuple[Region, int, int], float] = {}
        self._measured: dict[int, Supernet] = {}  # on which costs are looked up
        self._on_device: dict[tuple[str, int], Batches] = {}
        self._started = self.meter.clock()

    def learner(
        self,
        relaxation: Relaxation,
        training: Training,
        region: Region | None = None,
        epochs: float | None = None,
        horizon: float | None = None,
    ) -> Learner:
        """A new supernet with its own random streams, on `region` (the whole space by default), not yet trained.

        epochs: as many as the learning rate falls over, already scaled; by default those of `training`, scaled here.
        horizon: as many as a temperature falls over; by default the same.
        Raises BadSpec where there are fewer images than a batch, BadRegion where the region is not of this space.
        """
        for part, images in (("training", self.images.train), ("validation", self.images.valid)):
            if len(images) < training.batch:
                raise BadSpec(
                    f"{len(images)} {part} images are fewer than a batch of {training.batch}; choose a larger scale or "
                    "a smaller batch (--set training.batch=N; base.training.batch where a search has a base)"
                )
        region = self.region if region is None else region
        self._check(region)
        name = f"{self.name}{self._supernets}"
        self._supernets += 1
        place = f"weights/{name}"
        supernet = supernet_of(
            self._shared(relaxation.channel_share, training.nested),
            self.shape,
            training.norm,
            self.seed,
            place,
            training.precision,
            nested=training.nested,
        )
        supernet.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.meter.watch(supernet)
        epochs = self.scale.epochs_of(training.epochs) if epochs is None else epochs
        halves = Halves(
            self._batches("train", training.batch, f"batches/{name}"),
            self._batches("valid", training.batch, f"valid/{name}"),
        )
        schedule = Schedule(epochs, epochs if horizon is None else horizon)
        return Learner(supernet, region, relaxation, training, schedule, halves, self._harness(name))

    def kept(self, path: Path, key: str, statistics: Statistics | None = None) -> list[Home]:
        """The supernets of the run `key` in a file (`bench.search.kept`), to be estimated on the images of this task.
        statistics: by which; as they were trained by default. Raises BadRecord, BadSpec."""

        def made(norm: Norm, precision: Precision, share: int, nested: bool) -> Supernet:
            space = self._shared(share, nested)
            supernet = supernet_of(space, self.shape, norm, self.seed, "", precision, nested=nested)
            supernet.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # as in learner
            return supernet

        each = self.scale.evaluation_batch
        valid = self._batches("valid", min(each, len(self.images.valid)), "kept")
        return restored(path, key, self.space, made, valid, each, statistics, lambda count: self.estimated(count))

    def valid_images(self, rows: NDArray[np.intp]) -> Batches:
        """These validation images alone, in order."""
        images = self.images
        part = Images(images.valid.pixels[rows], images.valid.labels[rows])
        return Batches(part, images.mean, images.std, len(rows), self.device)

    def _shared(self, share: int, nested: bool = False) -> Space:
        """The space whose supernet computes so little of the channels."""
        if share == 1:
            return self.space
        if nested:
            raise BadSpec(f"nested kernels take all channels; set share to 1, not {share}, or training.nested to false")
        if not isinstance(self.space, CellSpace):
            raise BadSpec(f"{self.space.name} has no cells whose channels could be parted into {share}; set share to 1")
        return replace(self.space, share=share)

    def multiply_adds(self, region: Region, share: int = 1) -> int:
        """Of one image's pass forward through a supernet of this task, as the operations of `region` cost; share: into
        how many parts channels fall of which operations see one."""
        if share not in self._measured:
            self._measured[share] = supernet_of(self._shared(share), self.shape, Norm(), 0, "")
        return self._measured[share].multiply_adds(region)

    def mean_multiply_adds(self, region: Region, share: int = 1, sample: int = SAMPLE) -> float:
        """The same of one architecture of the region: the mean of all of them where they are at most so many, or of a
        sample."""
        which = region, share, sample
        if which not in self._means:
            drawn = self.space.some(region, sample, lambda: self.stream("cost of paths"))
            self._means[which] = float(np.mean([self.multiply_adds(self.space.alone(g), share) for g in drawn]))
        return self._means[which]

    @property
    def shape(self) -> Shape:
        """Of the supernets of this task."""
        _, channels, size, _ = self.images.train.pixels.shape
        return Shape(self.scale.channels, self.scale.cells, self.images.classes, channels, size)

    def _harness(self, name: str) -> Harness:
        return Harness(
            self.seed,
            name,
            self.meter,
            stepper_for(self.steps),
            self.keeper,
            lambda count: self.estimated(count),
            self.scale.evaluation_batch,
        )

    def _check(self, region: Region) -> None:
        """A region of this space has its edges, and an architecture; one of a single architecture need not lie within
        the task's, where the space drops edges."""
        if len(region.allowed) != len(self.space.edges):
            raise BadRegion(f"a region of {len(region.allowed)} edges is not within {self.space.name}")
        within = all(here <= there for here, there in zip(region.allowed, self.region.allowed, strict=True))
        alone = region.size == 1 and self.space.feasible(next(region.combinations()))
        if not within and not alone:
            raise BadRegion(f"the region {region.lists} is not within {self.space.name}")
        if not alone and not self.space.count(region):
            raise BadRegion(f"no architecture of {self.space.name} is left in the region {region.lists}")

    def _batches(self, part: Literal["train", "valid"], batch: int, stream: str) -> Batches:
        """One part of the images, on the device once however many supernets read it."""
        generator = torch_stream(self.seed, stream)
        if (part, batch) not in self._on_device:
            # Validation images pass through the training augmentation too where alpha is trained on them, as in all
            # reference code; estimates take them in order and never augment.
            images = self.images
            pixels = images.train if part == "train" else images.valid
            made = Batches(
                pixels,
                images.mean,
                images.std,
                batch,
                self.device,
                generator,
                images.augment,
                preferred=self._preferred(part),
            )
            self._on_device[part, batch] = made
        return self._on_device[part, batch].drawn_from(generator)

    def _preferred(self, part: Literal["train", "valid"]) -> torch.Tensor | None:
        """Which validation images estimates take first, where the scale draws them: others every seed, and the same
        for all methods of a seed, so that what is compared by pairs shares them."""
        if part == "train" or self.scale.draw == "first":
            return None
        return torch.from_numpy(stratified(self.images.valid.labels, numpy_stream(self.seed, "estimated images")))

    def stream(self, name: str) -> np.random.Generator:
        """A named random stream; a new one shifts no other."""
        return numpy_stream(self.seed, f"{self.name}{name}")

    def on(self, space: Space, name: str) -> Task:
        """The same images and meter on another space: a search within a search, with streams of its own name."""
        inner = Task(space, self.images, self.scale, self.seed, self.device, self.meter, name=f"{self.name}{name}/")
        inner.steps, inner.keeper, inner.estimated = self.steps, self.keeper, lambda count: self.estimated(count)
        inner._on_device = self._on_device
        return inner

    def report(self, genotype: Genotype) -> None:
        """Note the architecture that the search would give now, with the cost so far; scored after the run."""
        total = self.meter.total()
        self.trace.append(
            {
                "forward_images": total.forward_images,
                "backward_images": total.backward_images,
                "wall_s": self.meter.clock() - self._started,
                "genotype": list(genotype),
            }
        )

    def paused(self) -> AbstractContextManager[None]:
        """Nothing inside is charged."""
        return self.meter.paused()

    def spent(self) -> dict[str, Any]:
        """The account so far, as JSON values: phases, trace and seconds."""
        wall_s = self.meter.clock() - self._started
        return {"phases": self.meter.state(), "trace": list(self.trace), "wall_s": wall_s}

    def resume(self, spent: Mapping[str, Any]) -> None:
        """Go on from an earlier account in place of this one."""
        self.meter.resume(spent["phases"])
        self.trace[:] = spent["trace"]
        self._started = self.meter.clock() - spent["wall_s"]

    def add(self, earned: Mapping[str, Any]) -> None:
        """Charge what another run spent on what this one takes over from it (`bench.search.shared`)."""
        self.resume(added(self.spent(), earned))
