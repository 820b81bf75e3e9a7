"""Few-Shot NAS (Zhao, Wang, Tian, Fonseca & Guo, ICML 2021, arXiv 2006.06863).

One supernet ranks architectures badly because its operations adapt to each other. The space is therefore split on an
edge, one sub-supernet per operation; on m edges at once there is one for every combination. Each architecture is
judged by the sub-supernet that contains it.

NAS-Bench-201 settings are those of the authors' repository. With a sampling base (RSPS, their one-shot setting) the
whole supernet trains for 600 epochs and every sub-supernet starts from its weights, with a fresh optimiser, for 300.
With a gradient-based base there is no transfer: sub-supernets train from scratch, 60 epochs each. On the DARTS space
(`darts`) they train for 20, as GM-NAS runs it there.

Deviations:

- Of the sub-supernets' proposals that is chosen whose supernet is most accurate on validation images, as a mixture
  (with RSPS and SNAS, whose training is one of single operations or nearly so, the proposal by itself: `judge`); the
  authors' gradient-based scripts print all and choose none. All of them are candidates in the record.
- With RSPS a sub-supernet proposes the best of 100 random paths; the authors search all of them together by
  evolution, reinforcement learning, TPE or BOHB.
- Supernets train on the half of the images that a search has for weights; the authors' one-shot training takes all.
- A step trains one path in all cells; the authors' one-shot training draws another path in every cell: the base
  `rsps.PathPerCell`.
- With RSPS the convolution of the edge that was cut goes on training in its child; in the authors' code it is frozen.
- Estimates use validation images; the authors' use the test set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from bench.errors import BadSpec
from bench.search.learner import Learner
from bench.search.task import Task
from methods.bases import base_of
from methods.oneshot import OneShot
from methods.partition import Partition
from methods.parts import EdgeChoice, Grouping, Split
from methods.proxyless import Proxyless


@dataclass(frozen=True)
class Exhaustive(Grouping):
    """Every operation is a group of its own."""

    version: ClassVar[int] = 1

    def parts(self, operations: int) -> int:
        """As many as there are operations."""
        return operations

    def split(self, task: Task, parent: Learner, edge: int) -> Split:
        """One group per operation."""
        return Split(tuple((op,) for op in parent.region.lists[edge]))


@dataclass(frozen=True)
class GivenEdges(EdgeChoice):
    """These edges, all at once, in a single cut."""

    version: ClassVar[int] = 1
    edges: tuple[int, ...] = (0,)

    def check(self, task: Task, levels: int) -> None:
        """Every edge is there once and has a choice left."""
        if levels != 1:
            raise BadSpec(f"edges {list(self.edges)} are cut at once: 1 level, not {levels}; give one epoch number")
        open_edges = task.region.uncut(task.region)
        for at, edge in enumerate(self.edges):
            if not 0 <= edge < len(task.space.edges):
                raise BadSpec(f"{task.space.name} has no edge {edge}; edges are 0..{len(task.space.edges) - 1}")
            if edge in self.edges[:at] or edge not in open_edges:
                raise BadSpec(f"edge {edge} is already split; still whole are {open_edges}, each to be named once")
        if not self.edges:
            raise BadSpec("no edge is given to be cut; name at least one")

    def cut_sizes(self, task: Task, level: int) -> list[int]:
        """Those of the given edges."""
        return [len(task.region.allowed[edge]) for edge in self.edges]

    def candidates(self, task: Task, parent: Learner, level: int) -> list[int]:
        """The given edges."""
        return list(self.edges)


BASE, EVERY, FIRST = base_of("fewshot"), Exhaustive(), GivenEdges()


@dataclass(frozen=True)
class FewShot(Partition):
    """Sub-supernets of single operations; the defaults are those of gradient-based search, from scratch."""

    version: ClassVar[int] = 2
    grouping: Grouping = EVERY
    edges: EdgeChoice = FIRST  # edge 0, as in the authors' code; the paper finds that the choice matters little
    base: OneShot = BASE
    levels: tuple[int, ...] = (0,)
    final: int = 60
    inherit: Literal["state", "weights", "nothing"] = "nothing"


VARIANTS = {
    "fewshot": FewShot(),
    "fewshot-snas": FewShot(base=base_of("fewshot-snas"), judge="proposal"),
    "fewshot-rsps": FewShot(base=base_of("fewshot-rsps"), levels=(600,), final=300, inherit="weights"),
    "fewshot-proxyless": FewShot(base=Proxyless(), judge="proposal"),
}
SETTINGS = {
    "darts": {
        label: replace(VARIANTS[label], base=base_of(label, "darts"), final=20) for label in ("fewshot", "fewshot-snas")
    }
}
