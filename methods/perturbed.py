"""DARTS-PT: Rethinking Architecture Selection in Differentiable NAS (Wang, Cheng, Chen, Tang & Hsieh, ICLR 2021, arXiv
2108.04392).

Large alpha need not mean strong operations. So an edge that is not yet decided is drawn, each of its operations is
taken away from the trained supernet in turn, and the one whose absence costs most validation accuracy is kept; the rest
of the supernet trains on before the next edge (algorithm 1). Where nodes take two edges, those whose absence costs
least are then dropped in the same way.

Any search may take this choice (`OneShot.selection`); `darts-pt` is DARTS with it, `blank-pt` one whose alpha never
moves (section 5), `snas-pt` is SNAS. Settings are those of the authors' code (ruocwang/darts-pt): 100 epochs, then 5
between choices at a tenth of the rate; on the DARTS space 50, an edge of both cell types at a time. Deviations:

- Accuracies are of validation images as they are, in batches of the scale's size; in the code augmented and drawn.
- 5 epochs of 100 are said as a share of the training (`tuning`), so that they shrink with it; on the DARTS space, too,
  where the code takes 10 of 50 by default.
- The last choice is not trained on. An edge that was dropped stays away while others of its node are tried.
- A search that samples is asked by its mean architecture weights.
- The learner is put back after the choice: estimates of other architectures are of the supernet as it was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from bench.errors import BadSpec
from bench.search.learner import Learner
from bench.search.task import Task
from bench.spaces.space import Genotype, Region
from bench.spaces.two_inputs import TAKEN, TwoInputs
from bench.store.spec import require_range
from bench.streams import numpy_stream
from methods.absence import By, without
from methods.darts import TRAINING, Darts
from methods.options import Selection
from methods.snas import Snas

Weights = Callable[[Learner], Tensor]


@dataclass(frozen=True)
class Perturbation(Selection):
    """The operation that is missed most."""

    version: ClassVar[int] = 1
    by: By = "accuracy"
    tuning: float = 0.05  # of the training's epochs, between two choices
    slower: float = 10.0  # how many times the rate is less than that of the training's start

    def __post_init__(self) -> None:
        require_range(self, 0, "tuning")
        if not self.slower > 0:
            raise BadSpec(f"slower must be more than 0, got {self.slower}")

    def check(self, task: Task) -> None:
        """There is an edge with a choice."""
        if not task.region.uncut(task.region):
            raise BadSpec(
                f"every edge of {task.space.name} has one operation left here: there is nothing to perturb; take "
                "another selection"
            )

    def images(self, task: Task, epochs: float, passes: float) -> float:
        """Every operation once over the validation images, and the tuning."""
        tried = [len(ops) for ops in task.region.allowed if len(ops) > 1]
        trained = self.tuning * epochs * (len(tried) - 1) * len(task.images.train) * passes
        return sum(tried) * len(task.images.valid) + trained

    def select(self, learner: Learner, weights: Weights) -> tuple[Genotype, float]:
        """Edge by edge, and what a node drops."""
        rng = numpy_stream(learner.seed, f"perturbed/{learner.name}")
        with learner.trial(), learner.meter.phase("perturb"):
            learner.tune(learner.training.learning_rate / self.slower)
            rounds = self._rounds([e for e, ops in enumerate(learner.region.lists) if len(ops) > 1], learner, rng)
            for number, edges in enumerate(rounds):
                self._tuned(learner, number)
                for edge in edges:
                    learner.narrow(learner.region.narrowed(edge, {self.missed(learner, edge, weights)}))
            if isinstance(learner.space, TwoInputs):
                self._drop(learner, weights, rng, len(rounds))
            genotype = tuple(ops[0] for ops in learner.region.lists)
            return genotype, learner.estimate(genotype)[0]

    def missed(self, learner: Learner, edge: int, weights: Weights) -> int:
        """The operation of an edge whose absence hurts most, of those that leave an architecture; of equals the
        first."""
        ops, space = learner.region.lists[edge], learner.space
        may = [op for op in ops if space.count(learner.region.narrowed(edge, {op}))]
        if len(may) == 1:
            return may[0]
        hurts = {op: self.without(learner, weights(learner), edge, op) for op in may}
        return max(may, key=lambda op: hurts[op])

    def without(self, learner: Learner, theta: Tensor, edge: int, op: int | None) -> float:
        """How bad the mixture is without an operation of an edge, or without the edge (None)."""
        return without(learner, theta, edge, op, self.by)

    def _tuned(self, learner: Learner, number: int) -> None:
        if number and self.tuning:
            learner.fit(self.tuning * learner.schedule.epochs)

    @staticmethod
    def _rounds(edges: Sequence[int], learner: Learner, rng: np.random.Generator) -> list[list[int]]:
        """The edges in random order, one of each cell type at a time."""
        kinds = [cell.name for cell in learner.space.cells]
        mixed = [int(e) for e in rng.permutation(edges)]
        queues = [[e for e in mixed if learner.space.edges[e].cell == kind] for kind in kinds]
        most = max(map(len, queues), default=0)
        return [[queue[number] for queue in queues if number < len(queue)] for number in range(most)]

    def _drop(self, learner: Learner, weights: Weights, rng: np.random.Generator, number: int) -> None:
        """Of every node the edges that are missed least, until two are left."""
        space = learner.space
        assert isinstance(space, TwoInputs)
        assert space.absent is not None
        for node in rng.permutation(len(space.nodes)).tolist():
            kept = [e for e in space.nodes[node] if learner.region.lists[e] != (space.absent,)]
            if len(kept) > TAKEN:
                self._tuned(learner, number)
            while len(kept) > TAKEN:
                hurts = {e: self.without(learner, weights(learner), e, None) for e in kept}
                least = min(reversed(kept), key=lambda e: hurts[e])
                kept.remove(least)
                allowed = list(learner.region.allowed)
                allowed[least] = frozenset({space.absent})
                learner.narrow(Region(tuple(allowed)))


PERTURBATION = Perturbation()
LONG = replace(TRAINING, epochs=100)
VARIANTS = {
    "darts-pt": Darts(LONG, selection=PERTURBATION),
    "blank-pt": Darts(replace(LONG, alpha_start=0.0), rests=1, selection=PERTURBATION),
    "snas-pt": Snas(selection=PERTURBATION),
}
OF_CELLS = {
    "darts-pt": Darts(TRAINING, selection=PERTURBATION),
    "blank-pt": Darts(replace(TRAINING, alpha_start=0.0), rests=1, selection=PERTURBATION),
}
SETTINGS = dict.fromkeys(("darts", "darts-none"), OF_CELLS)
