"""The plain one-shot search: train one supernet under a relaxation, then let the relaxation choose.

DARTS, SNAS and RSPS are this search with three different relaxations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from bench.search.learner import Learner, Relaxation, Training
from bench.search.task import Found, Task
from bench.spaces.space import Genotype


@dataclass(frozen=True)
class OneShot(Relaxation):
    """A relaxation that is a method by itself."""

    training: Training = Training()

    def check(self, task: Task) -> None:
        """Raise BadSpec before any training where the task cannot be done on these settings."""
        return

    @property
    def passes(self) -> float:
        """Images through the supernet per training image of a step, forward and back: two, and as many for alpha."""
        return 4 if self.trains_alpha else 2

    @property
    def choices(self) -> int:
        """Passes over the validation images that `choose` takes, at most."""
        return 1

    def search(self, task: Task) -> Found:
        """Train on the task's whole region and choose once, after the last epoch (NAS-Bench-201 protocol)."""
        self.check(task)
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
        return learner.space.decode(learner.masked_alpha().detach().cpu().numpy(), learner.region)

    def choose(self, learner: Learner) -> tuple[Genotype, float]:
        """The largest alpha on every edge, with its validation accuracy on the shared weights."""
        genotype = learner.space.decode(learner.masked_alpha().detach().cpu().numpy(), learner.region)
        return genotype, learner.estimate(genotype)[0]
