"""Trained supernets as what a search leaves: each estimates the architectures of its region, and together any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.images.batches import Batches
from bench.nets.precision import arithmetic
from bench.nets.supernet import Supernet
from bench.nets.sweep import scores
from bench.spaces.space import Genotype, Region, Space


class Trained(Protocol):
    """A supernet on a region, and its estimates: a learner, or one that was kept."""

    @property
    def name(self) -> str:
        """Of its random streams."""

    @property
    def space(self) -> Space: ...

    @property
    def region(self) -> Region: ...

    @property
    def supernet(self) -> Supernet: ...

    def estimates(self, genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        """`[n, 2]` accuracy [0, 1] and cross-entropy (nats), on so many validation images, all by default."""


@dataclass(frozen=True)
class Home:
    """A trained supernet, and how many cuts lie before it: it estimates what none behind more of them does."""

    supernet: Trained
    depth: int = 0


Estimator = Callable[[Sequence[Genotype], int | None], NDArray[np.float64]]
"""Genotypes and a number of validation images to `[n, 2]` accuracy [0, 1] and cross-entropy (nats); NaN where the
method has no opinion. The row of a genotype does not depend on what else is asked for."""


def deepest(homes: Sequence[Home]) -> Estimator:
    """Estimates by the deepest supernet whose region admits an architecture; by the mean of those where several are
    equally deep; NaN where there is none."""

    def of(genotype: Genotype) -> list[int]:
        admitting = [k for k, one in enumerate(homes) if one.supernet.space.admits(one.supernet.region, genotype)]
        depth = max((homes[k].depth for k in admitting), default=0)
        return [k for k in admitting if homes[k].depth == depth]

    def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        total, count = np.zeros((len(genotypes), 2)), np.zeros((len(genotypes), 1))
        rows: dict[int, list[int]] = {}
        for row, genotype in enumerate(genotypes):
            for home in of(genotype):
                rows.setdefault(home, []).append(row)
        for home, mine in rows.items():
            total[mine] += homes[home].supernet.estimates([genotypes[row] for row in mine], images)
            count[mine] += 1
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    return estimate


def estimated(
    supernet: Supernet,
    valid: Batches,
    batch: int,
    genotypes: Sequence[Genotype],
    images: int | None = None,
    charge: Callable[[int, int], None] = lambda images, multiply_adds: None,
    tell: Callable[[float], None] = lambda count: None,
) -> NDArray[np.float64]:
    """`[n, 2]` accuracy and cross-entropy of each, to rounding as a pass of each alone would give them; architectures
    that are one function on shared weights are computed, and charged, once (`bench.nets.sweep`).

    batch: images of a batch, whose statistics are the only ones. images: of `valid`, all by default. tell: of how many
    architectures were estimated.
    """
    supernet.eval()
    batches, passes = valid.in_order(batch, images), -(-valid.count(images) // batch)
    with arithmetic(valid.device, "fp32"):
        return scores(supernet, batches, genotypes, charge, tell=lambda share: tell(share * len(genotypes) / passes))
