"""The loop over a tree of regions that Few-Shot NAS, GM-NAS and HEP-NAS share.

A supernet is trained, its region is cut into children, the children are trained, and so on. The papers differ in four
parts, all plain data: into which groups the operations of an edge fall (`grouping`), which edges a level cuts
(`edges`), what children teach each other (`teaching`), and which of them live on (`keep`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from bench.errors import BadSpec
from bench.search.learner import Learner, Lesson
from bench.search.task import Found, Task
from bench.spaces.space import Genotype, Region
from methods.budget import Plan, fair, planned, written
from methods.darts import Darts
from methods.oneshot import OneShot
from methods.parts import EdgeChoice, Grouping, Teaching
from methods.tree import Node, deepest

DARTS = Darts()


@dataclass(frozen=True)
class Partition:
    """The shared loop. Epochs are the paper's; the scale shrinks each of them."""

    version: ClassVar[int] = 2
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
    protocol: Literal["paper", "fair"] = "paper"  # fair: as many images as `base` alone; see budget.py

    def search(self, task: Task) -> Found:
        """Grow the tree; propose one architecture per leaf, and of those the most accurate on validation images."""
        self.check(task)
        if self.protocol == "paper":
            return self.grown(task, written(self, task))
        search, plan = fair(self, task)
        return search.grown(task, plan)

    def grown(self, task: Task, plan: Plan) -> Found:
        """The search, for the epochs of `plan`."""
        whole = sum(planned(self, task, plan))

        def fit(node: Node, epochs: float, alpha: bool, lesson: Lesson | None = None, alone: bool = False) -> None:
            def after_epoch() -> None:
                spent = task.meter.total()
                task.progress(min(1.0, (spent.forward_images + spent.backward_images) / whole))
                current = self.base.current(node.learner) if alone else None
                if current is not None:
                    task.report(current)

            with task.meter.phase("weights"):
                node.learner.fit(epochs, lesson, after_epoch, alpha)
            node.trained = node.trained or epochs > 0

        root = Node(self._learner(task, plan, -1, task.region), 0, None)
        tree, frontier = [root], [root]
        for level, epochs in enumerate(plan.levels):
            survivors: list[Node] = []
            for parent in frontier:
                fit(parent, epochs, not self.alpha_waits, alone=len(frontier) == 1)
                with task.meter.phase("cut"):
                    children = self._children(task, plan, parent, level)
                lesson = self.lesson(children, parent)
                for turn in plan.turns:
                    for child in children:
                        fit(child, turn, not self.alpha_waits, lesson)
                tree += children
                survivors += self.kept(task, children)
            frontier = survivors
        for leaf in frontier:
            fit(leaf, plan.final, True, alone=len(frontier) == 1)
        return self._found(task, plan, tree, frontier)

    def cut(self, task: Task, parent: Learner, level: int) -> tuple[list[Region], dict[str, Any]]:
        """The regions of the parent's children, and what the record says of the cut."""
        candidates = self.edges.candidates(task, parent, level)
        splits = {edge: self.grouping.split(task, parent, edge) for edge in candidates}
        chosen = self.edges.chosen(splits)
        regions = [parent.region]
        for edge in chosen:
            regions = [child for region in regions for child in region.cut(edge, [set(g) for g in splits[edge].groups])]
        return regions, {"edges": chosen, "splits": {str(edge): split.note() for edge, split in splits.items()}}

    def lesson(self, children: Sequence[Node], parent: Node) -> Lesson | None:
        """What these children are taught while tuning."""
        taught = [child.learner for child in children]
        return None if self.teaching is None else self.teaching.lesson(taught, parent.learner)

    def kept(self, task: Task, children: Sequence[Node]) -> list[Node]:
        """The children of one parent that live on; of equals the first."""
        if self.keep == "all":
            return list(children)
        with task.meter.phase("compare"):
            for child in children:
                child.accuracy = child.learner.mixture_accuracy()
        with task.meter.paused():  # for the record alone: sharper weights flatter a mixture of few operations
            for child in children:
                proposal = self.base.current(child.learner)
                child.discretised = None if proposal is None else child.learner.estimate(proposal)[0]
        best = max(children, key=lambda child: child.accuracy or 0.0)
        for child in children:
            child.kept = child is best
        return [best]

    def check(self, task: Task) -> None:
        """Raise BadSpec, BadRegion before any training where the search cannot be done as it is described."""
        if not isinstance(self.base, OneShot):
            raise BadSpec(f"base {type(self.base).__name__} is no relaxation of one supernet; use Darts, Snas or Rsps")
        if not self.levels or min(self.levels[1:], default=1) < 1 or self.levels[0] < 0:
            raise BadSpec(f"levels {self.levels} are epochs before each cut: 1 or more each, 0 only before the first")
        if self.levels[0] == 0 and (self._inherits(0) != "nothing" or self.grouping.measures):
            raise BadSpec("a parent of 0 epochs has nothing to give: train it, or inherit 'nothing' without matching")
        if self.tuning < 0 or self.final < 0 or self.tuning + self.final == 0:
            raise BadSpec(f"children are trained for tuning + final = {self.tuning} + {self.final} epochs; give 1")
        if self.tuning == 0 and (self.keep == "best" or self.teaching is not None):
            raise BadSpec("children that are compared or teach each other are trained first: tuning must be 1 or more")
        if self.alpha_waits and self.final == 0 and self.base.trains_alpha:
            raise BadSpec("alpha would never be trained: alpha_waits needs final epochs of 1 or more")
        if self.edges.needs_distances() and not self.grouping.measures:
            raise BadSpec(f"{type(self.grouping).__name__} measures no distance by which an edge could be chosen")
        self.grouping.check(self.base)
        self.edges.check(task, len(self.levels))

    def _inherits(self, level: int) -> str:
        return "nothing" if self.restart and level == len(self.levels) - 1 else self.inherit

    def spans(self, plan: Plan, cut: int) -> tuple[float, float]:
        """Epochs of the learning rate's cosine and of the temperature's fall for a fresh start after cut number `cut`
        (-1: the root)."""
        phases = [plan.levels[0]] if cut < 0 else []  # from here to the end of the search
        fresh = None  # how many of them there are before the next fresh start
        for level in range(max(cut, 0), len(plan.levels)):
            if level > cut and self._inherits(level) != "state" and fresh is None:
                fresh = len(phases)
            phases += [plan.tuning, *plan.levels[level + 1 : level + 2]]
        chain, rest = sum([*phases, plan.final][:fresh]), sum(phases) + plan.final
        return {"chain": (chain, chain), "levels": (sum(plan.levels), chain), "all": (plan.path, rest)}[self.period]

    def _learner(self, task: Task, plan: Plan, cut: int, region: Region, parent: Learner | None = None) -> Learner:
        made = task.learner(self.base, self.base.training, region, *(e or 1 for e in self.spans(plan, cut)))
        inherit = self._inherits(cut)
        return made if parent is None or inherit == "nothing" else made.adopt(parent, inherit == "state")

    def _children(self, task: Task, plan: Plan, parent: Node, level: int) -> list[Node]:
        regions, parent.cut = self.cut(task, parent.learner, level)
        made = [self._learner(task, plan, level, region, parent.learner) for region in regions]
        return [Node(learner, level + 1, parent.learner.name) for learner in made]

    def _found(self, task: Task, plan: Plan, tree: Sequence[Node], leaves: Sequence[Node]) -> Found:
        with task.meter.phase("choose"):
            finalists = [self._finalist(leaf, len(leaves) > 1) for leaf in leaves]
        genotype = max(finalists, key=lambda finalist: finalist[1])[0]
        task.report(genotype)
        details = {"epochs": plan.note(), "tree": [node.note() for node in tree]}
        return Found(genotype, tuple(finalists), deepest(tree), details)

    def _finalist(self, leaf: Node, compared: bool) -> tuple[Genotype, float]:
        """What a leaf proposes and the accuracy by which it is compared."""
        genotype, accuracy = self.base.choose(leaf.learner)
        if not compared or self.judge == "proposal" or not self.base.trains_alpha:
            return genotype, accuracy
        leaf.final = {"mixture": leaf.learner.mixture_accuracy(), "proposal": accuracy}
        return genotype, leaf.final["mixture"]
