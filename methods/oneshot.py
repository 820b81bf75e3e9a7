"""The plain one-shot search: train one supernet under a relaxation, then let the relaxation choose.

DARTS, SNAS, RSPS and the other one-shot searches are this search with different relaxations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Self

import numpy as np
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.nets.supernet import Supernet
from bench.search.learner import Learner, Pass, Relaxation, Static, Training
from bench.search.task import Foreseen, Found, Task
from bench.search.trained import Estimator, Home
from bench.spaces.space import Genotype, Space
from bench.store.spec import added, require_range
from methods.opinions import Opinion, by_alpha, by_perturbation, tuned
from methods.options import Selection, Stopping
from methods.smoothing import smoothed


@dataclass(frozen=True)
class OneShot(Relaxation):
    """A relaxation that is a method by itself."""

    samples: ClassVar[bool] = False  # whether a step computes one path, and not the whole region
    training: Training = Training()
    _: KW_ONLY
    rests: int = added(0)  # not 0: alpha stays where it starts, and of so many random architectures the best is chosen
    waits: float = added(0.0)  # share of the training before alpha moves
    share: int = added(1)  # PC-DARTS: into how many parts channels fall of which operations see one
    radius: float = added(0.0)  # SDARTS: how far theta of weight steps is moved at random at the end of the training
    opinion: Opinion = added("paths")  # on any architecture: how the trained supernet is asked (`opinions.py`)
    selection: Selection | None = added(None)  # in place of what alpha says, as that of DARTS-PT
    stopping: Stopping | None = added(None)  # of single operations, as that of OLES

    def __post_init__(self) -> None:
        require_range(self, 0, "rests", "radius")
        require_range(self, 1, "share")
        require_range(self, 0, "waits", below=1)
        if (self.rests or self.waits) and not self.trains_alpha:
            raise BadSpec(f"{type(self).__name__} has no alpha that could rest; leave rests and waits at 0")
        if self.opinion == "alpha" and not self.moves_alpha:
            raise BadSpec(
                f"{type(self).__name__} gives no alpha by which architectures could be ranked; take another opinion"
            )
        if self.stopping is not None and not self.moves_alpha:
            raise BadSpec(f"{type(self).__name__} has no step of alpha whose gradients could be compared; stop nothing")
        if self.radius and not self.trains_alpha:
            raise BadSpec(f"{type(self).__name__} has no architecture weights that could be moved; leave radius at 0")

    @property
    def moves_alpha(self) -> bool:
        """Unless it rests."""
        return self.trains_alpha and not self.rests

    @property
    def as_trained(self) -> Self:
        """However many architectures it chooses among, and however it does."""
        return replace(self, rests=min(1, self.rests), selection=None, opinion="paths")

    def check(self, task: Task) -> None:
        """Raise BadSpec before any training where the task cannot be done on these settings."""
        if self.selection is not None:
            self.selection.check(task)

    @property
    def alpha_passes(self) -> int:
        """Images through the supernet per training image of a step of alpha, forward and back."""
        return 2

    def weight_passes(self, space: Space) -> float:
        """The same for a step of the weights."""
        return 2

    def passes(self, space: Space) -> float:
        """Both, over a whole training."""
        return self.weight_passes(space) + (self.alpha_passes * (1 - self.waits) if self.moves_alpha else 0)

    @property
    def channel_share(self) -> int:
        """As `share` says."""
        return self.share

    @property
    def capture(self) -> Static:
        """Nothing is captured of steps in which operations stop."""
        return self.static if self.stopping is None else "no"

    def remembers(self, learner: Learner) -> Mapping[str, Tensor]:
        """What early stopping does."""
        return {} if self.stopping is None else self.stopping.remembers(learner)

    def watched(self, supernet: Supernet) -> Sequence[Tensor]:
        """The weights of operations, where some may stop."""
        return [] if self.stopping is None else [p for _, _, p in supernet.owned()]

    def before_update(self, learner: Learner) -> None:
        """Early stopping."""
        if self.stopping is not None:
            self.stopping.before_update(learner)

    def descents(self, learner: Learner) -> Sequence[Pass]:
        """One pass at theta, moved at random where there is a radius."""
        theta, region = self.theta(learner)
        return [(smoothed(theta, learner, self.radius) if self.radius and theta is not None else theta, region)]

    def alpha_turn(self, learner: Learner) -> bool:
        """Once it has waited."""
        return learner.progress >= self.waits

    def step(self, learner: Learner, train: Batch, valid: Batch) -> None:
        """One Adam step on alpha, and on what is trained with it, along the gradient of its loss."""
        learner.update_alpha(**learner.architecture_gradients(self.alpha_loss(learner, valid)))

    def alpha_loss(self, learner: Learner, valid: Batch) -> Tensor:
        """What alpha follows: the loss of validation images at one draw of theta."""
        return learner.loss(valid, *self.theta(learner))

    @property
    def choices(self) -> int:
        """Passes over the validation images that `choose` takes, at most; architectures that are one function on shared
        weights take one."""
        return max(1, self.rests)

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
            genotype, accuracy = self.proposal(learner)
        task.report(genotype)
        return Found(
            genotype=genotype,
            candidates=((genotype, accuracy),),
            estimate=self.estimator(learner),
            details={"alpha": learner.alpha.tolist(), "curve": learner.curve},
            supernets=(Home(learner),) if self.opinion == "paths" else (),
        )

    def foreseen(self, task: Task) -> Foreseen:
        """Whole steps of the training, and the passes of `choose`."""
        self.check(task)
        epochs = task.scale.epochs_of(self.training.epochs)
        images = round(epochs * (len(task.images.train) // self.training.batch)) * self.training.batch
        path = task.mean_multiply_adds(task.region, self.channel_share) / 1e9
        each = path if self.samples else task.multiply_adds(task.region, self.channel_share) / 1e9
        training = images * self.passes(task.space) * each * 1.5  # of two passes one goes back, at the price of two
        by = {"paths": training} if self.samples else {"mixtures": training}
        choices = min(self.choices, task.space.count(task.region)) * len(task.images.valid) * path
        selection = self.choosing(task) * task.multiply_adds(task.region, self.channel_share) / 1e9
        return Foreseen(**by, estimates=choices + selection, supernets=1, fits=1)

    def shared_out(self, leaves: int) -> Self:
        """The base of one of so many supernets that together spend on their choices what one alone spends."""
        return replace(self, rests=-(-self.rests // leaves))

    def current(self, learner: Learner) -> Genotype | None:
        """What the search would choose now, where that costs nothing; else None."""
        return None if self.rests or self.selection is not None else self.decoded(learner)

    def expected(self, learner: Learner) -> Tensor:
        """Architecture weights `[E, O]` without noise: the softmax of alpha; even ones where alpha is not trained."""
        alpha = learner.masked_alpha().detach()
        return (alpha if self.moves_alpha else alpha.where(~learner.allowed, 0.0)).softmax(-1)

    def estimator(self, learner: Learner) -> Estimator:
        """What a trained learner thinks of any architecture."""
        if self.opinion == "alpha":
            return by_alpha(learner, self.expected)
        if self.opinion == "perturbation":
            return by_perturbation(learner, self.expected)
        return tuned(learner) if self.opinion == "tuned" else learner.estimates

    def proposal(self, learner: Learner) -> tuple[Genotype, float]:
        """The architecture that a trained learner proposes and its validation accuracy [0, 1] on the shared weights."""
        return self.choose(learner) if self.selection is None else self.selection.select(learner, self.expected)

    def choosing(self, task: Task) -> float:
        """Images through the supernet, forward and back, that a selection takes beside `choices`, at most."""
        if self.selection is None:
            return 0
        epochs = task.scale.epochs_of(self.training.epochs)
        return self.selection.images(task, epochs, self.passes(task.space))

    def decoded(self, learner: Learner) -> Genotype:
        """The architecture that alpha stands for: the largest on every edge."""
        return learner.space.decode(learner.masked_alpha().detach().cpu().numpy(), learner.region)

    def choose(self, learner: Learner) -> tuple[Genotype, float]:
        """What alpha stands for, with its validation accuracy on the shared weights; where alpha rests, the best of
        `rests` random architectures."""
        if self.rests:
            return best_of(learner, self.rests)
        genotype = self.decoded(learner)
        return genotype, learner.estimate(genotype)[0]


def best_of(learner: Learner, candidates: int) -> tuple[Genotype, float]:
    """The most accurate of so many distinct random architectures of the learner's region; the first of equals."""
    wanted = min(candidates, learner.space.count(learner.region))
    drawn: dict[Genotype, None] = {}
    while len(drawn) < wanted:
        drawn[learner.space.sample(learner.region, learner.paths)] = None
    genotypes = list(drawn)
    accuracy = learner.estimates(genotypes)[:, 0]
    best = int(np.argmax(accuracy))
    return genotypes[best], float(accuracy[best])
