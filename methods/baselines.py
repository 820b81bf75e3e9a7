"""What any search must beat: an architecture drawn at random, and the largest one. Neither trains anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.search.task import Foreseen, Found, Task


@dataclass(frozen=True)
class RandomArchitecture:
    """One uniform draw from the region."""

    version: ClassVar[int] = 1

    def foreseen(self, task: Task) -> Foreseen:
        """Nothing is trained."""
        return Foreseen()

    def search(self, task: Task) -> Found:
        """Draw once."""
        genotype = task.space.sample(task.region, task.stream("random"))
        task.report(genotype)
        return Found(genotype, ((genotype, None),))


@dataclass(frozen=True)
class Largest:
    """The operation with the most weights on every edge; the same for every seed."""

    version: ClassVar[int] = 1

    def foreseen(self, task: Task) -> Foreseen:
        """Nothing is trained."""
        return Foreseen()

    def search(self, task: Task) -> Found:
        """Take the most weights that the space allows, edge by edge."""
        genotype = task.space.best(task.space.weights, task.region)
        task.report(genotype)
        return Found(genotype, ((genotype, None),))


VARIANTS = {"random": RandomArchitecture(), "largest": Largest()}
