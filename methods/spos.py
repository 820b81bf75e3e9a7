"""SPOS: Single Path One-Shot NAS with uniform sampling (Guo et al., ECCV 2020, arXiv 1904.00420).

Every training step updates the weights of one architecture drawn uniformly (section 3.2). Evolution then looks for the
one of the highest validation accuracy on the shared weights (section 3.4, algorithm 1): `methods/evolution.py`.

Settings are those of section 4: label smoothing of 0.1, weight decay of 4e-5, a population of 50 over 20 generations,
10 parents, half of a generation crossed and half changed with a chance of 0.1. Deviations:

- 250 epochs of NAS-Bench-201's RSPS, its rates and its cosine, where the paper takes 150,000 steps of 1,024 ImageNet
  images at a rate that falls from 0.5 in a straight line.
- Batch statistics stand for the paper's second pass that renews running statistics before each estimate.
- There is no limit to the cost of an architecture, and no search of channels or precision.
- Children that are known already are replaced by others, so that all estimates of a generation are new.
- As a base of many supernets the evolution of each has fewer generations, so that all together cost as much as one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Static, Training
from bench.spaces.space import Genotype, Region
from methods.evolution import Evolution
from methods.oneshot import OneShot

EVOLUTION = Evolution()


@dataclass(frozen=True)
class Spos(OneShot):
    """Uniform single paths; the choice is bred."""

    version: ClassVar[int] = 1
    trains_alpha: ClassVar[bool] = False
    static: ClassVar[Static] = "path"
    samples: ClassVar[bool] = True
    training: Training = Training(epochs=250, weight_decay=4e-5, smoothing=0.1)
    evolution: Evolution = EVOLUTION

    @property
    def as_trained(self) -> Self:
        """However it breeds."""
        return replace(self, evolution=EVOLUTION)

    @property
    def choices(self) -> int:
        """As many as evolution scores; those that are one function take one."""
        return self.evolution.most

    def theta(self, learner: Learner) -> tuple[Tensor | None, Region]:
        """A uniform path with weight 1."""
        return None, learner.space.alone(learner.space.sample(learner.region, learner.paths))

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """Nothing: there is no alpha to train."""

    def shared_out(self, leaves: int) -> Self:
        """Fewer generations for each, one at least."""
        own = self.evolution
        return replace(self, evolution=replace(own, generations=-(-own.generations // leaves)))

    def current(self, learner: Learner) -> Genotype | None:
        """None: a choice costs the estimates of all generations."""
        return None

    def choose(self, learner: Learner) -> tuple[Genotype, float]:
        """The most accurate of all that were bred; the first of equals."""
        return bred(self.evolution, learner)


def bred(evolution: Evolution, learner: Learner) -> tuple[Genotype, float]:
    """The architecture of a learner's region that evolution finds on its weights, and its accuracy [0, 1]."""
    visited = evolution.run(
        learner.space, learner.region, lambda genotypes: learner.estimates(genotypes)[:, 0], learner.paths
    )
    (best,) = visited.best(1)
    return best, visited.scores[best]


VARIANTS = {"spos": Spos()}
SETTINGS = {"macro": dict(VARIANTS), "accel": dict(VARIANTS)}
