"""Estimates that cost nothing: architectures ranked by their size. Whoever trains should rank better.

Each chooses the largest architecture, the first of equals. The estimates are shares of the largest value in the region,
not accuracies, and have no cross-entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bench.nets.cell import KERNELS
from bench.nets.supernet import taps
from bench.search.task import Found, Task
from bench.spaces.space import Genotype, Region, Space


def parameters(space: Space, genotype: Genotype) -> int:
    """Weights per pair of channels: of all operations, whether or not they matter, as the benchmarks count them."""
    return sum(KERNELS.get(space.ops[op], 0) ** 2 for op in genotype)


def multiply_adds(space: Space, genotype: Genotype) -> int:
    """Multiply-adds per pixel and pair of channels, of operations from which a way leads to the cell's output."""
    return taps(space, Region.of([{op} for op in genotype]))


COUNTS = {"parameters": parameters, "multiply-adds": multiply_adds}


@dataclass(frozen=True)
class Size:
    """The size of an architecture as its estimate."""

    version: ClassVar[int] = 2
    of: Literal["parameters", "multiply-adds"] = "parameters"

    def search(self, task: Task) -> Found:
        """Count all architectures of the region."""
        count = COUNTS[self.of]
        sizes = {genotype: count(task.space, genotype) for genotype in task.region.genotypes()}
        genotype = max(sizes, key=lambda g: sizes[g])
        most = max(1, sizes[genotype])
        task.report(genotype)

        def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
            shares = [sizes[g] / most if g in sizes else np.nan for g in genotypes]
            return np.stack([np.array(shares, dtype=np.float64), np.full(len(shares), np.nan)], axis=1)

        return Found(genotype, ((genotype, None),), estimate)


VARIANTS = {"parameters": Size(), "multiply-adds": Size("multiply-adds")}
