"""The loop over a tree of regions, written once: who is trained when, what is cut, who lives on.

Whoever carries it out is a `Work`: `methods/partition.py` trains supernets, `methods/budget.py` counts on paper what
they will cost.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from bench.errors import BadSpec
from bench.search.task import Task
from methods.darts import Darts
from methods.oneshot import OneShot
from methods.parts import EdgeChoice, Grouping, Teaching

DARTS = Darts()
S = TypeVar("S")


@dataclass(frozen=True)
class Epochs:
    """The epochs that are trained: scaled, and of a fair search as many parts of an epoch as there are steps to it."""

    levels: tuple[float, ...]
    tuning: float
    final: float

    @property
    def turns(self) -> list[float]:
        """Tuning, in turns of an epoch at most."""
        whole = int(self.tuning)
        return [1.0] * whole + ([self.tuning - whole] if self.tuning > whole else [])

    @property
    def path(self) -> float:
        """The epochs behind a leaf at the end, those of its ancestors included."""
        return sum(self.levels) + len(self.levels) * self.tuning + self.final

    @property
    def stages(self) -> list[list[float]]:
        """The phases behind a leaf at the end, parted by the cuts: those of the root, of a child of it, and so on."""
        after = [*self.levels[1:], self.final]
        return [[self.levels[0]], *([self.tuning, epochs] for epochs in after)]

    def times(self, factor: float, steps: int, least: int = 1) -> Epochs:
        """Every phase that there is, `factor` times as long, in whole steps, `steps` to an epoch; `least` at least."""

        def shrunk(epochs: float) -> float:
            return max(least, round(epochs * factor * steps)) / steps if epochs else 0

        return Epochs(tuple(map(shrunk, self.levels)), shrunk(self.tuning), shrunk(self.final))

    def note(self) -> dict[str, Any]:
        """What the record keeps."""
        return {"levels": list(self.levels), "tuning": self.tuning, "final": self.final}


class Work(ABC, Generic[S]):
    """What the loop asks for, in its order. `S` is what stands for a supernet."""

    @abstractmethod
    def root(self) -> S:
        """A supernet of the whole region."""

    @abstractmethod
    def train(self, supernet: S, epochs: float, alpha: bool, taught: bool = False, alone: bool = False) -> None:
        """Train it for so many epochs. alpha: or the weights only; taught: by its parent and siblings, where there is
        teaching; alone: whether there is no other that could still be chosen."""

    @abstractmethod
    def cut(self, parent: S, level: int) -> list[S]:
        """The children of a trained parent, not yet trained."""

    @abstractmethod
    def best(self, children: Sequence[S]) -> S:
        """Of the children of one parent the one that lives on."""

    @abstractmethod
    def choose(self, leaves: Sequence[S]) -> None:
        """Let every leaf propose an architecture, and choose one."""


@dataclass(frozen=True)
class Loop:
    """The settings of the loop. Epochs are the paper's; the scale shrinks each of them."""

    grouping: Grouping
    edges: EdgeChoice
    base: OneShot = DARTS  # its `training.epochs` are the budget of the fair protocol
    levels: tuple[int, ...] = (50,)  # epochs before each cut; 0 before the first cuts an untrained supernet
    tuning: int = 0  # epochs of children before some are dropped, in turn, one epoch each
    final: int = 50  # epochs of those that are left
    teaching: Teaching | None = None  # while tuning
    keep: Literal["all", "best"] = "all"  # best: of one parent's children, by accuracy of the mixture
    inherit: Literal["state", "weights", "nothing"] = "state"  # state: weights, alpha, optimisers, schedule
    restart: bool = False  # after the last cut children inherit nothing
    alpha_waits: bool = False  # alpha rests until the last cut
    # Epochs of every learning-rate cosine. chain: from one fresh start to the next, or to the end; levels: as many as
    # all levels have; all: as many as a leaf has behind it at the end, fresh starts or not.
    period: Literal["chain", "levels", "all"] = "chain"
    # By what one leaf's proposal is chosen: validation accuracy of the leaf's mixture, or of the proposal alone on the
    # leaf's weights, which training as a mixture hardly prepares. A base that samples paths knows the latter only.
    judge: Literal["mixture", "proposal"] = "mixture"

    def run(self, plan: Epochs, work: Work[S]) -> None:
        """All phases, for the epochs of `plan`."""
        alpha, frontier = not self.alpha_waits, [work.root()]
        for level, epochs in enumerate(plan.levels):
            survivors: list[S] = []
            for parent in frontier:
                work.train(parent, epochs, alpha, alone=len(frontier) == 1)
                children = work.cut(parent, level)
                for turn, child in itertools.product(plan.turns, children):
                    work.train(child, turn, alpha, taught=True)
                survivors += [work.best(children)] if self.keep == "best" else children
            frontier = survivors
        for leaf in frontier:
            work.train(leaf, plan.final, alpha=True, alone=len(frontier) == 1)
        work.choose(frontier)

    def written(self, task: Task) -> Epochs:
        """The epochs of the paper, scaled."""

        def scaled(epochs: int) -> float:
            return task.scale.epochs_of(epochs) if epochs else 0

        return Epochs(tuple(map(scaled, self.levels)), scaled(self.tuning), scaled(self.final))

    def inherits(self, level: int) -> str:
        """What the children of that level's cut take from their parent."""
        return "nothing" if self.restart and level == len(self.levels) - 1 else self.inherit

    def spans(self, plan: Epochs, cut: int) -> tuple[float, float]:
        """Epochs of the learning rate's cosine and of the temperature's fall for a fresh start after cut number `cut`
        (-1: the root)."""
        later = [level for level in range(cut + 1, len(plan.levels)) if self.inherits(level) != "state"]
        stages = plan.stages  # stage 0 is the root's, stage 1 follows cut 0
        chain = sum(itertools.chain(*stages[cut + 1 : later[0] + 1 if later else None]))
        if self.period == "chain":
            return chain, chain
        if self.period == "levels":
            return sum(plan.levels), chain
        return plan.path, sum(itertools.chain(*stages[cut + 1 :]))

    def by_mixture(self, leaves: int) -> bool:
        """Whether so many leaves are compared as mixtures, and not by their proposals."""
        return leaves > 1 and self.judge == "mixture" and self.base.moves_alpha

    def check(self, task: Task) -> None:
        """Raise BadSpec, BadRegion before any training where the search cannot be done as it is described."""
        if not isinstance(self.base, OneShot):
            raise BadSpec(f"base {type(self.base).__name__} is no relaxation of one supernet; use Darts, Snas or Rsps")
        if not self.levels or min(self.levels[1:], default=1) < 1 or self.levels[0] < 0:
            raise BadSpec(f"levels {self.levels} are epochs before each cut: 1 or more each, 0 only before the first")
        if self.levels[0] == 0 and (self.inherits(0) != "nothing" or self.grouping.measures):
            raise BadSpec("a parent of 0 epochs has nothing to give: train it, or inherit 'nothing' without matching")
        if self.tuning < 0 or self.final < 0 or self.tuning + self.final == 0:
            raise BadSpec(f"children are trained for tuning + final = {self.tuning} + {self.final} epochs; give 1")
        if self.tuning == 0 and (self.keep == "best" or self.teaching is not None):
            raise BadSpec("children that are compared or teach each other are trained first: tuning must be 1 or more")
        if self.alpha_waits and self.final == 0 and self.base.moves_alpha:
            raise BadSpec("alpha would never be trained: alpha_waits needs final epochs of 1 or more")
        if self.edges.needs_distances() and not self.grouping.measures:
            raise BadSpec(f"{type(self.grouping).__name__} measures no distance by which an edge could be chosen")
        self.base.check(task)
        self.grouping.check(self.base)
        self.grouping.fits(task)
        self.edges.check(task, len(self.levels))
