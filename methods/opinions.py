"""What a trained supernet thinks of any architecture: the ways in which it can be asked.

- paths: the accuracy and the cross-entropy of the architecture alone, on shared weights;
- alpha: the mean over its edges of the logarithm of their architecture weights; both columns follow from it;
- perturbation: how much the mixture's accuracy falls without its operations, one at a time (DARTS-PT's measure), the
  mean over its edges;
- tuned: as paths, after a few steps on the architecture alone, from the shared weights and back.

An opinion changes nothing in the search but its estimates. Estimates are `[n, 2]`, accuracy and cross-entropy; where a
way knows neither, the first column orders architectures as it does, between 0 and 1, and the second is the like or NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from bench.nets.supernet import Supernet
from bench.search.learner import Keeper, Learner
from bench.search.trained import Estimator
from bench.spaces.space import Genotype, Region, Space
from methods.absence import without

Opinion = Literal["paths", "alpha", "perturbation", "tuned"]
STEPS = 10
"""Of tuning, at the learning rate of the training's end."""

Weights = Callable[[Learner], Tensor]


@dataclass(frozen=True)
class Asked:
    """A learner as one of several supernets that are asked in a way of their own."""

    learner: Learner
    opinion: Estimator

    def estimates(self, genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        """By the opinion."""
        return self.opinion(genotypes, images)

    @property
    def name(self) -> str:
        """The learner's."""
        return self.learner.name

    @property
    def space(self) -> Space:
        """The learner's."""
        return self.learner.space

    @property
    def region(self) -> Region:
        """The learner's."""
        return self.learner.region

    @property
    def supernet(self) -> Supernet:
        """The learner's."""
        return self.learner.supernet


def by_alpha(learner: Learner, weights: Weights) -> Estimator:
    """The geometric mean of an architecture's weights, and minus its logarithm (nats)."""
    shares = weights(learner).double().cpu().numpy()

    def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            logs = np.array([np.log(_of(learner, shares, genotype)).mean() for genotype in genotypes])
        return np.stack([np.exp(logs), -logs], axis=1)

    return _within(learner, estimate)


def by_perturbation(learner: Learner, weights: Weights) -> Estimator:
    """The mean error [0, 1] of the mixture without each of an architecture's operations: the more it is missed, the
    better. One pass over the validation images for every operation, when it is first asked."""
    known: list[NDArray[np.float64]] = []

    def hurts() -> NDArray[np.float64]:
        if not known:
            table = np.full(tuple(learner.alpha.shape), np.nan)
            for edge, ops in enumerate(learner.region.lists):
                for op in ops:
                    table[edge, op] = without(learner, weights(learner), edge, op)
            known.append(table)
        return known[0]

    def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        means = [_of(learner, hurts(), genotype).mean() for genotype in genotypes]
        return np.stack([np.array(means), np.full(len(means), np.nan)], axis=1)

    return _within(learner, estimate)


def tuned(learner: Learner) -> Estimator:
    """Accuracy and cross-entropy of each architecture after `STEPS` steps of its own, on the same images for all."""

    def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        found = []
        for genotype in genotypes:
            with learner.trial(), _unkept(learner):
                learner.tune(learner.training.learning_rate_end)
                learner.narrow(learner.space.alone(genotype))
                with learner.meter.phase("tune"):
                    learner.fit(STEPS / len(learner.train), alpha=False)
                found.append(learner.estimate(genotype, images))
        return np.array(found).reshape(len(genotypes), 2)

    return _within(learner, estimate)


def _of(learner: Learner, table: NDArray[np.float64], genotype: Genotype) -> NDArray[np.float64]:
    """The entries of an architecture: of the edges that it keeps, where its space drops some."""
    kept = [(e, op) for e, op in enumerate(genotype) if op in learner.region.allowed[e]]
    return table[tuple(zip(*kept, strict=True))]


def _within(learner: Learner, estimate: Estimator) -> Estimator:
    """No opinion on what the learner's region does not admit."""

    def own(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        values = np.full((len(genotypes), 2), np.nan)
        rows = [row for row, g in enumerate(genotypes) if learner.space.admits(learner.region, g)]
        if rows:
            values[rows] = estimate([genotypes[row] for row in rows], images)
        return values

    return own


@contextmanager
def _unkept(learner: Learner) -> Iterator[None]:
    """Fits inside are no part of the search: nobody keeps or shares them."""
    keeper, learner.keeper = learner.keeper, Keeper()
    try:
        yield
    finally:
        learner.keeper = keeper
