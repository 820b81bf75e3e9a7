"""Estimates that cost nothing: architectures ranked by their size. Whoever trains should rank better.

Each chooses the largest architecture, the first of equals. The estimates are shares of the largest size that was found,
not accuracies, and have no cross-entropy. parameters counts all operations, whether or not they matter, as the
benchmarks do; multiply-adds those from which a way leads to the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bench.search.task import Foreseen, Found, Task
from bench.spaces.space import Genotype

MOST = 20_000
"""Architectures that are compared; of larger regions a sample of so many."""


@dataclass(frozen=True)
class Size:
    """The size of an architecture as its estimate."""

    version: ClassVar[int] = 2
    of: Literal["parameters", "multiply-adds"] = "parameters"

    def foreseen(self, task: Task) -> Foreseen:
        """Nothing is trained."""
        return Foreseen()

    def search(self, task: Task) -> Found:
        """Count the architectures of the region."""
        space = task.space

        def size(genotype: Genotype) -> int:
            sizes = space.sizes(genotype)
            return sizes.parameters if self.of == "parameters" else sizes.multiply_adds

        genotype = max(space.some(task.region, MOST, lambda: task.stream("sizes")), key=size)
        most = max(1, size(genotype))
        task.report(genotype)

        def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
            shares = [size(g) / most if space.admits(task.region, g) else np.nan for g in genotypes]
            return np.stack([np.array(shares, dtype=np.float64), np.full(len(shares), np.nan)], axis=1)

        return Found(genotype, ((genotype, None),), estimate)


VARIANTS = {"parameters": Size(), "multiply-adds": Size("multiply-adds")}
