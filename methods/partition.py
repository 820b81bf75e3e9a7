"""The search over a tree of regions that Few-Shot NAS, GM-NAS and HEP-NAS share.

A supernet is trained, its region is cut into children, the children are trained, and so on (`methods/loop.py`). The
papers differ in four parts, all plain data: into which groups the operations of an edge fall (`grouping`), which edges
a level cuts (`edges`), what children teach each other (`teaching`), and which of them live on (`keep`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from bench.search.learner import Learner
from bench.search.task import Foreseen, Found, Task
from bench.search.trained import Home, deepest
from bench.spaces.space import Genotype, Region
from methods.budget import MultiplyAdds, Price, counted, fair, foreseen
from methods.loop import Epochs, Loop, Work
from methods.opinions import Asked
from methods.parts import inhabited
from methods.tree import Node, homes


@dataclass(frozen=True)
class Partition(Loop):
    """The loop as a method."""

    version: ClassVar[int] = 2
    # fair: as many images as `base` alone; fair-macs: as many multiply-adds; see budget.py
    protocol: Literal["paper", "fair", "fair-macs"] = "paper"

    def search(self, task: Task) -> Found:
        """Grow the tree; propose one architecture per leaf, and of those the most accurate on validation images."""
        self.check(task)
        search, plan = self._planned(task)
        tree = Growth(search, task, plan)
        search.run(plan, tree)
        return tree.found()

    def foreseen(self, task: Task) -> Foreseen:
        """By the mean over random cuts, which nothing knows before."""
        self.check(task)
        search, plan = self._planned(task)
        return foreseen(search, task, plan)

    def _planned(self, task: Task) -> tuple[Loop, Epochs]:
        if self.protocol == "paper":
            return self, self.written(task)
        return fair(self, task, MultiplyAdds(self, task) if self.protocol == "fair-macs" else Price())


class Growth(Work[Node]):
    """The tree of supernets, as it grows."""

    def __init__(self, search: Loop, task: Task, plan: Epochs) -> None:
        self.search, self.task, self.plan = search, task, plan
        self.nodes: list[Node] = []
        self.finalists: list[tuple[Genotype, float]] = []
        self._images = counted(search, task, plan).before_choosing

    def root(self) -> Node:
        """A supernet of the task's region."""
        return self._added(Node(self._learner(-1, self.task.region), 0, None))

    def train(self, supernet: Node, epochs: float, alpha: bool, taught: bool = False, alone: bool = False) -> None:
        """Where there is no other, what it would choose goes into the trace after every epoch."""

        def after_epoch() -> None:
            spent = self.task.meter.total()
            self.task.progress(min(1.0, (spent.forward_images + spent.backward_images) / self._images))
            current = self.search.base.current(supernet.learner) if alone else None
            if current is not None:
                self.task.report(current)

        with self.task.meter.phase("weights"):
            supernet.learner.fit(epochs, supernet.lesson if taught else None, after_epoch, alpha)
        supernet.trained = supernet.trained or epochs > 0

    def cut(self, parent: Node, level: int) -> list[Node]:
        """A child for every region, with what it takes from its parent and what it is taught."""
        with self.task.meter.phase("cut"):
            regions, parent.cut = self.regions(parent.learner, level)
            parent.covered = not self.search.grouping.at(level).drops
            learners = [self._learner(level, region, parent.learner) for region in regions]
        teaching = self.search.teaching
        lesson = None if teaching is None else teaching.lesson(learners, parent.learner)
        return [self._added(Node(learner, level + 1, parent.learner.name, lesson)) for learner in learners]

    def regions(self, parent: Learner, level: int) -> tuple[list[Region], dict[str, Any]]:
        """The regions of the parent's children, and what the record says of the cut."""
        edges, grouping = self.search.edges, self.search.grouping.at(level)
        splits = {edge: grouping.split(self.task, parent, edge) for edge in edges.candidates(self.task, parent, level)}
        chosen = edges.chosen(splits)
        regions = [parent.region]
        for edge in chosen:
            regions = [child for region in regions for child in splits[edge].children(region, edge)]
        regions = inhabited(self.task.space, regions)
        return regions, {"edges": chosen, "splits": {str(edge): split.note() for edge, split in splits.items()}}

    def best(self, children: Sequence[Node]) -> Node:
        """The most accurate as a mixture, on validation images; of equals the first."""
        with self.task.meter.phase("compare"):
            for child in children:
                child.accuracy = child.learner.mixture_accuracy()
        with self.task.meter.paused():  # for the record alone: sharper weights flatter a mixture of few operations
            for child in children:
                proposal = self.search.base.current(child.learner)
                child.discretised = None if proposal is None else child.learner.estimate(proposal)[0]
        best = max(children, key=lambda child: child.accuracy or 0.0)
        for child in children:
            child.kept = child is best
        return best

    def choose(self, leaves: Sequence[Node]) -> None:
        """The architecture that every leaf proposes, and the accuracy by which it is compared."""
        with self.task.meter.phase("choose"):
            self.finalists = [self._finalist(leaf, self.search.by_mixture(len(leaves))) for leaf in leaves]

    def found(self) -> Found:
        """The best finalist; of equals the first."""
        genotype = max(self.finalists, key=lambda finalist: finalist[1])[0]
        self.task.report(genotype)
        details = {"epochs": self.plan.note(), "tree": [node.note() for node in self.nodes]}
        supernets, base = homes(self.nodes), self.search.base
        if base.opinion == "paths":
            return Found(genotype, tuple(self.finalists), deepest(supernets), details, supernets)
        learners = (node.learner for node in self.nodes)
        asked = {learner.name: Asked(learner, base.estimator(learner)) for learner in learners}
        otherwise = deepest([Home(asked[home.supernet.name], home.depth) for home in supernets])
        return Found(genotype, tuple(self.finalists), otherwise, details)

    def _learner(self, cut: int, region: Region, parent: Learner | None = None) -> Learner:
        base, inherit = self.search.base, self.search.inherits(cut)
        period, horizon = (epochs or 1 for epochs in self.search.spans(self.plan, cut))
        made = self.task.learner(base, base.training, region, period, horizon)
        return made if parent is None or inherit == "nothing" else made.adopt(parent, inherit == "state")

    def _finalist(self, leaf: Node, by_mixture: bool) -> tuple[Genotype, float]:
        genotype, accuracy = self.search.base.proposal(leaf.learner)
        if not by_mixture:
            return genotype, accuracy
        leaf.final = {"mixture": leaf.learner.mixture_accuracy(), "proposal": accuracy}
        return genotype, leaf.final["mixture"]

    def _added(self, node: Node) -> Node:
        self.nodes.append(node)
        return node
