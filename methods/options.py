"""Parts that any one-shot search may take: how it chooses from its trained supernet, and which operations stop early.

They are frozen dataclasses without state, so that a search stays plain data. Those that exist stand in the file of
their paper: `perturbed.Perturbation`, `oles.EarlyStop`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor

from bench.search.learner import Learner
from bench.search.task import Task
from bench.spaces.space import Genotype


class Selection(ABC):
    """How one architecture is chosen from a trained supernet."""

    version: ClassVar[int]

    @abstractmethod
    def check(self, task: Task) -> None:
        """Raise BadSpec before any training where there is nothing to choose."""

    @abstractmethod
    def images(self, task: Task, epochs: float, passes: float) -> float:
        """Images through the supernet, forward and back, that a choice takes at most. epochs: of the training, scaled;
        passes: of one of its steps, per image."""

    @abstractmethod
    def select(self, learner: Learner, weights: Callable[[Learner], Tensor]) -> tuple[Genotype, float]:
        """The architecture and its validation accuracy [0, 1]; the learner is left as it was. weights: the architecture
        weights `[E, O]` of a learner, without noise."""


class Stopping(ABC):
    """Which operations stop training before others. What it knows from step to step lies in `Learner.memory`."""

    version: ClassVar[int]

    @abstractmethod
    def remembers(self, learner: Learner) -> Mapping[str, Tensor]:
        """What it keeps, by name, as it starts."""

    @abstractmethod
    def before_update(self, learner: Learner) -> None:
        """Between the backward pass of the weights, whose gradients lie in them, and their update; the gradients of
        the operations' weights at alpha's loss lie in `Learner.seen`."""
