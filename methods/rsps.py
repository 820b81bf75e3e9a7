"""RSPS: random search with parameter sharing (Li & Talwalkar, UAI 2019, arXiv 1902.07638, section 3.2).

Every training step updates the weights of one architecture drawn uniformly. Afterwards random architectures are
drawn, each is evaluated on the shared weights with validation images, and the best is kept.

Deviations:

- Every candidate is evaluated on all validation images; NAS-Bench-201's baseline takes one batch of 512 for each.
- Operations off the path rest: no weight decay, no momentum. With optimisers that see zero gradients instead, as the
  released codes' did, all weights decay and coast in every step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.search.learner import Learner, Static, Training
from bench.spaces.space import EachCell, Genotype, Region
from methods.oneshot import OneShot, best_of


@dataclass(frozen=True)
class Rsps(OneShot):
    """Uniform single paths; `candidates` of them are compared at the end.

    250 epochs are those of NAS-Bench-201's baseline, a step being one path: about an eighth of a mixture step.
    """

    version: ClassVar[int] = 1
    trains_alpha: ClassVar[bool] = False
    static: ClassVar[Static] = "path"
    samples: ClassVar[bool] = True
    training: Training = Training(epochs=250)
    candidates: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.candidates < 1:
            raise BadSpec(f"candidates must be 1 or more, got {self.candidates}")

    @property
    def as_trained(self) -> Self:
        """However many architectures it chooses among."""
        return replace(self, candidates=1)

    @property
    def choices(self) -> int:
        """As many as there are candidates; those that are one function take one."""
        return self.candidates

    def theta(self, learner: Learner) -> tuple[Tensor | None, Region]:
        """A uniform path with weight 1."""
        return None, _path(learner)

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """Nothing: there is no alpha to train."""

    def shared_out(self, leaves: int) -> Self:
        """Fewer candidates for each, one at least."""
        return replace(self, candidates=-(-self.candidates // leaves))

    def current(self, learner: Learner) -> Genotype | None:
        """None: a choice costs `candidates` evaluations."""
        return None

    def choose(self, learner: Learner) -> tuple[Genotype, float]:
        """The most accurate of `candidates` distinct random architectures; the first of equals."""
        return best_of(learner, self.candidates)


@dataclass(frozen=True)
class PathPerCell(Rsps):
    """Another uniform path in every cell of a step, as the authors of Few-Shot NAS train their one-shot network: of
    more networks than the space holds, whose cells are all alike."""

    version: ClassVar[int] = 1
    static: ClassVar[Static] = "no"

    def theta(self, learner: Learner) -> tuple[Tensor | None, Region]:
        """A uniform path for each cell."""
        return None, EachCell.together([_path(learner) for _ in learner.supernet.places])


def _path(learner: Learner) -> Region:
    return learner.space.alone(learner.space.sample(learner.region, learner.paths))


VARIANTS = {"rsps": Rsps(), "rsps-per-cell": PathPerCell()}
