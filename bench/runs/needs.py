"""What a run needs of memory and of disk, counted before it is made: from one pass of two images, and from the sizes of
what it keeps. `tests/test_needs.py` and `python -m tests.soak --only needs` hold it against measured peaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from bench.images import ImageSet
from bench.nets import nb201_sweep
from bench.nets.operations import Norm
from bench.nets.supernet import supernet_of
from bench.nets.sweep import KEPT_BYTES
from bench.search.learner import Training
from bench.search.task import Foreseen, Task

RESTING = 400 << 20
"""Bytes of main memory of a process that has loaded all libraries and trains nothing."""

ON_A_GPU = 3 << 30
"""Bytes of main memory of a process that computes on a GPU: its driver and libraries take some two of them."""

MARGIN = 1.5
"""Of what is counted, for what a library works in and an allocator holds back."""

BATCH = 64
"""Images of a step, of a method that does not say."""

TERMS = 40
"""Maps of the first stage that are held while architectures are estimated together (`bench.nets.sweep`)."""
FEW = 10
"""The same, where they are estimated one by one; and beyond what `sweep` keeps."""

NUMBER = 4
"""Bytes of a weight; its gradient has as many, and its momentum."""

RECORD = 40_000
"""Bytes of a record at most, as those that are committed have them."""

FILE = 2_000
"""Bytes of a file of estimates without architectures."""

PROBED = 2  # images


@dataclass(frozen=True)
class Disk:
    """Bytes on disk, at most. stays: once the run is made; meanwhile: what it holds besides until then."""

    stays: int
    meanwhile: int


NOTHING = Disk(0, 0)


@dataclass(frozen=True)
class Footprint:
    """Of a supernet on a task. mixture, path: bytes that a training step keeps for the way back for each image, of all
    that the region allows and of its largest architecture; first: of a map of the first stage for each image;
    parameters: weights; together: whether architectures are estimated together."""

    mixture: int
    path: int
    first: int
    parameters: int
    together: bool


def saved(forward: Callable[[], Any], apart: Iterable[Tensor]) -> int:
    """Bytes of the tensors that a pass keeps for its way back, some of them left apart."""
    kept = dict[int, int]()

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    def back(tensor: Any) -> Any:
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, back):
        made = forward()
    del made  # not before: a tensor that is gone could have given its address to another
    own = {tensor.untyped_storage().data_ptr() for tensor in apart}
    return sum(size for pointer, size in kept.items() if pointer not in own)


def footprint(task: Task) -> Footprint:
    """Raises what making a supernet of the task raises."""
    shape, space, region = task.shape, task.space, task.region
    supernet = supernet_of(space, shape, Norm(), 0, "needs").train()
    theta = torch.full((len(space.edges), len(space.ops)), 1 / len(space.ops), requires_grad=True)
    images = torch.zeros(PROBED, shape.image_channels, shape.image_size, shape.image_size)
    images = images.contiguous(memory_format=torch.channels_last)
    largest = space.alone(space.best(space.weights, region))
    mixture = saved(lambda: supernet(images, theta, region), supernet.parameters())
    path = saved(lambda: supernet(images, None, largest), supernet.parameters())
    place, count = supernet.places[0], sum(parameter.numel() for parameter in supernet.parameters())
    first = place.channels * place.side**2 * NUMBER
    return Footprint(mixture // PROBED, path // PROBED, first, count, nb201_sweep.known(supernet))


def memory(task: Task, loaded: ImageSet, method: Any, work: Foreseen | None, one: Footprint, on_gpu: bool) -> int:
    """Bytes at the peak of a run, of main memory or of a GPU's. work: what the search computes, where that is known."""
    seen = task.images.train.pixels.nbytes + task.images.valid.pixels.nbytes
    padded = int(seen * (1 + 2 * task.images.augment.pad / task.shape.image_size) ** 2)
    whole = 2 * sum(part.pixels.nbytes for part in (loaded.train, loaded.valid, loaded.test))  # and a copy, when loaded
    there = padded if on_gpu else RESTING + whole + seen + padded
    if work is not None and not work.total:
        return there
    valid = len(task.images.valid)
    map_ = one.first * min(task.scale.evaluation_batch, task.scale.estimated_on or valid, valid)
    estimating = map_ * FEW + min(map_ * (TERMS - FEW), KEPT_BYTES) * one.together
    paths = work is not None and not work.mixtures
    step = batch_of(method) * (one.path if paths else one.mixture)
    weights = 3 * NUMBER * one.parameters * (1 if work is None else max(1, work.supernets))
    return there + int(MARGIN * (max(step, estimating) + weights))


def disk(task: Task, work: Foreseen | None, one: Footprint, keeps: bool, shares: bool) -> Disk:
    """Of one run. keeps: whether its supernets are kept; shares: whether its training is kept for other runs."""
    population = task.space.population
    probe = min(task.scale.probe or len(population), len(population))
    name = 8 if population.whole else 40  # bytes of an architecture: its position, or its notation
    trains = work is None or bool(work.total)
    estimates = FILE + probe * (name + 2 * NUMBER)
    supernets, fits = (1, 1) if work is None else (work.supernets, work.fits)
    fitted = fits * 2 * NUMBER * one.parameters  # weights and momentum
    stays = RECORD + (estimates + keeps * supernets * NUMBER * one.parameters + shares * fitted if trains else 0)
    return Disk(stays, estimates + probe * 2 * NUMBER + fitted if trains else 0)


def batch_of(method: Any) -> int:
    """Images of a step: of the training that a method holds, by itself or in a part that it is built of."""
    return max((part.batch for part in _parts(method) if isinstance(part, Training)), default=BATCH)


def _parts(part: Any) -> Iterator[Any]:
    yield part
    for one in fields(part) if is_dataclass(part) else ():
        yield from _parts(getattr(part, one.name))
