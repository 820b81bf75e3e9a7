"""The smallest things that tests share: a scale that runs in a moment, a task, a learner."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
import torch

from bench import images
from bench.search.learner import Learner, Relaxation, Training
from bench.search.meter import Meter
from bench.search.task import SearchImages, Task
from bench.spaces.space import Space
from bench.spaces.toy import SPACE as TOY
from bench.store.spec import RunSpec, Scale

SCALE = Scale("tiny", 3, 1, 96, 64, 0.04, 6, 32)
"""50 epochs become 2, 250 become 10; three steps of 32 images an epoch."""


@lru_cache
def search_images(scale: Scale = SCALE) -> SearchImages:
    """The oriented patches, as much of them as the scale takes."""
    loaded = images.load("patches")
    train, valid = loaded.train.take(scale.train_images), loaded.valid.take(scale.valid_images)
    return SearchImages(train, valid, loaded.classes, loaded.mean, loaded.std, loaded.augment)


CPU = torch.device("cpu")


def task(space: Space = TOY, seed: int = 0, scale: Scale = SCALE, device: torch.device = CPU) -> Task:
    """A task with its own meter."""
    return Task(space, search_images(scale), scale, seed, device, Meter(device))


def learner(relaxation: Relaxation, training: Training, space: Space = TOY, seed: int = 0) -> Learner:
    """An untrained learner on the whole space."""
    return task(space, seed).learner(relaxation, training)


def spec(method: Any, seed: int = 0, space: str = "toy", scale: Scale = SCALE, label: str = "tested") -> RunSpec:
    """A run on the oriented patches."""
    return RunSpec(label, method, space, "patches", seed, scale)


def in_float64(learner: Learner) -> Learner:
    """The same learner, not yet trained, with its weights, alpha, momentum and images in double precision."""
    learner.supernet.double()
    learner.alpha.data = learner.alpha.data.double()
    for w in learner.weights:
        learner.optimiser.state[w]["momentum_buffer"] = torch.zeros_like(w)
    learner.train.dtype = learner.valid.dtype = torch.float64
    return learner


def fit(learner: Learner, epochs: int = 2, **how: Any) -> Learner:
    """The learner, trained in a phase of its account."""
    with learner.meter.phase("weights"):
        return learner.fit(epochs, **how)


def state(learner: Learner) -> list[torch.Tensor]:
    """Weights, alpha, running statistics and both optimisers' moments, on the CPU."""
    moments = [v for o in (learner.optimiser, learner.alpha_optimiser) for s in o.state.values() for v in s.values()]
    tensors = [*learner.weights, learner.alpha, *moments, *learner.supernet.buffers()]
    return [t.detach().cpu() for t in tensors]


def assert_equal(one: Learner, other: Learner, most: float) -> None:
    """Two learners differ by at most `most` in every number of their `state`, and have the same curve of losses."""
    assert_states_equal(state(one), state(other), most)
    assert [c["step"] for c in one.curve] == [c["step"] for c in other.curve]
    for a, b in zip(one.curve, other.curve, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], abs=1e-6)


def assert_states_equal(one: list[torch.Tensor], other: list[torch.Tensor], most: float) -> None:
    """The same, of what `state` gave."""
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=most)


def assert_equal_accounts(one: Learner, other: Learner) -> None:
    """Two learners have spent the same in every phase: images exactly, multiply-adds but for the order of their sum."""
    assert one.meter.phases.keys() == other.meter.phases.keys()
    for name, a in one.meter.phases.items():
        b = other.meter.phases[name]
        assert (a.forward_images, a.backward_images) == (b.forward_images, b.backward_images)
        assert a.gmacs == pytest.approx(b.gmacs)
