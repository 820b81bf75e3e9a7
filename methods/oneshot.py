"""The plain one-shot search: train one supernet under a relaxation, then let the relaxation choose.

DARTS, SNAS, RSPS and the other one-shot searches are this search with different relaxations.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Self

from torch import Tensor

from bench.images.batches import Batch
from bench.search.learner import Learner, Relaxation, Training
from bench.search.task import Found, Task
from bench.spaces.space import Genotype, Space
from bench.store.spec import added, require_range


@dataclass(frozen=True)
class OneShot(Relaxation):
    """A relaxation that is a method by itself."""

    training: Training = Training()
    _: KW_ONLY
    rest: float = added(0.0)  # share of the training before alpha moves

    def __post_init__(self) -> None:
        require_range(self, 0, "rest", below=1)

    @property
    def alpha_passes(self) -> int:
        """Images through the supernet per training image of a step of alpha, forward and back."""
        return 2 if self.trains_alpha else 0

    def weight_passes(self, space: Space) -> int:
        """The same for a step of the weights."""
        return 2

    def passes(self, space: Space) -> float:
        """Both, over a whole training."""
        return self.weight_passes(space) + self.alpha_passes * (1 - self.rest)

    def alpha_moves(self, learner: Learner) -> bool:
        """After its rest."""
        return learner.progress >= self.rest

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """One Adam step on alpha, and on what is trained with it, along the gradient of its loss."""
        learner.update_alpha(**learner.architecture_gradients(self.alpha_loss(learner, valid)))

    def alpha_loss(self, learner: Learner, valid: Batch) -> Tensor:
        """What alpha follows: the loss of validation images at one draw of theta."""
        return learner.loss(valid, *self.theta(learner))

    @property
    def choices(self) -> int:
        """Passes over the validation images that `choose` takes, at most."""
        return 1

    def search(self, task: Task) -> Found:
        """Train on the task's whole region and choose once, after the last epoch (NAS-Bench-201 protocol)."""
        learner = task.learner(self, self.training)

        def after_epoch() -> None:
            task.progress(learner.progress)
            current = self.current(learner)
            if current is not None:
                task.report(current)

        with task.meter.phase("weights"):
            learner.fit(each_epoch=after_epoch)
        with task.meter.phase("choose"):
            genotype, accuracy = self.choose(learner)
        task.report(genotype)
        return Found(
            genotype=genotype,
            candidates=((genotype, accuracy),),
            estimate=learner.estimates,
            details={"alpha": learner.alpha.tolist(), "curve": learner.curve},
        )

    def shared_out(self, leaves: int) -> Self:
        """The base of one of so many supernets that together spend on their choices what one alone spends."""
        return self

    def current(self, learner: Learner) -> Genotype | None:
        """What the search would choose now, where that costs nothing; else None."""
        return self.decoded(learner)

    def decoded(self, learner: Learner) -> Genotype:
        """The architecture that alpha stands for: the largest on every edge."""
        return learner.space.decode(learner.masked_alpha().detach().cpu().numpy(), learner.region)

    def choose(self, learner: Learner) -> tuple[Genotype, float]:
        """What alpha stands for, with its validation accuracy on the shared weights."""
        genotype = self.decoded(learner)
        return genotype, learner.estimate(genotype)[0]
