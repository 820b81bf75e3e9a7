"""What any search must beat: an architecture drawn at random, and the largest one. Neither trains anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.nets.cell import KERNELS
from bench.search.task import Found, Task
from bench.spaces.space import Genotype


@dataclass(frozen=True)
class RandomArchitecture:
    """One uniform draw from the region."""

    version: ClassVar[int] = 1

    def search(self, task: Task) -> Found:
        """Draw once."""
        genotype = task.region.sample(task.stream("random"))
        task.report(genotype)
        return Found(genotype, ((genotype, None),))


@dataclass(frozen=True)
class Largest:
    """The operation with the most weights on every edge; the same for every seed."""

    version: ClassVar[int] = 1

    def search(self, task: Task) -> Found:
        """Take the maximum edge by edge."""
        sizes = [KERNELS.get(name, 0) for name in task.space.ops]  # more weights exactly where the kernel is larger
        genotype: Genotype = tuple(max(ops, key=lambda op: sizes[op]) for ops in task.region.lists)
        task.report(genotype)
        return Found(genotype, ((genotype, None),))


VARIANTS = {"random": RandomArchitecture(), "largest": Largest()}
