"""HEP-NAS (Li, Zhang, Wang & Ma, AAAI 2025, arXiv 2412.10723).

Edges that end in one node act together, so they are cut together. A hierarchy is all edges into one node; its edges are
each grouped in two by gradient matching (GM-NAS) and every combination of groups is a child: 2, 4 and 8 of them on
NAS-Bench-201, from the shallowest node to the deepest. The children are trained against each other; the best of them as
a mixture, on validation images, is the new search space.

Search space mutual distillation (SMD): with logits z_i of child i, z_T of its parent, z_k of the K - 1 others,

    L_i = CE(z_i, y) + KL(softmax z_T || softmax z_i) + 1/(K - 1) sum_k KL(softmax z_k || softmax z_i),

averaged over the batch, for the weights only; alpha follows the plain validation loss. A step costs K + 1 passes
forward and one back: children train on batches of their own, and a sibling has moved before the next child's turn, so
no teacher's logits serve twice. NAS-Bench-201 settings are those of the authors' code; on the DARTS space (`darts`) the
four nodes of the normal cell are cut, into 4, 8, 16 and 32 children. Deviations:

- One learning-rate cosine spans the 60 epochs of the surviving chain, step by step. In the code its period is 30, so
  that the rate rises again half-way (`period=levels`), and it moves with every epoch.
- Batch statistics in searched operations, where the code keeps running ones; those of teachers, kept, would not move.
- On the DARTS space (`darts`) the code's last 15 epochs sharpen alpha by a term of their own; here they train on as
  before. Alpha rests there until epoch 10 in the code; here it never does.
- Every epoch is shuffled anew; the code draws a fresh shuffle for the batch of every step.
- Children are compared on images as they are, in batches of 500; in the code augmented, in batches of 128.

`hep-edgewise` cuts all six edges too, but one at a time, the largest cut first, in a chain of as many epochs; the code
has no script for it. `hep-random-order` draws an order that is neither of the other two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.search.learner import Learner, Lesson
from bench.search.task import Task
from bench.spaces.space import Region, Space
from bench.store.spec import added
from methods.bases import base_of
from methods.gmnas import LARGEST_CUT, MATCHING
from methods.oneshot import OneShot
from methods.partition import Partition
from methods.parts import EdgeChoice, Grouping, Teaching, edges_of


def hierarchies(space: Space, region: Region, cells: Sequence[str] = ()) -> list[list[int]]:
    """The edges into each node of each cell type, or of these, shallow to deep; only edges on which the region leaves a
    choice."""
    nodes: dict[tuple[str, int], list[int]] = {}
    for e in edges_of(space, cells):
        if len(region.allowed[e]) > 1:
            nodes.setdefault((space.edges[e].cell, space.edges[e].target), []).append(e)
    return [nodes[node] for node in sorted(nodes)]


@dataclass(frozen=True)
class Hierarchy(EdgeChoice):
    """All edges into one node per cut."""

    version: ClassVar[int] = 2
    order: Literal["sequential", "reversed", "random"] = "sequential"  # of nodes: shallow to deep; random is a third
    cells: tuple[str, ...] = added(())  # of these types; of all where none is named

    def check(self, task: Task, levels: int) -> None:
        """There is a node for every level."""
        nodes = len(hierarchies(task.space, task.region, self.cells))
        if levels > nodes:
            raise BadSpec(f"{levels} levels cut {levels} nodes, {task.space.name} has {nodes}; plan fewer levels")

    def cut_sizes(self, task: Task, level: int) -> list[int]:
        """Those of the node's edges."""
        return [len(task.region.allowed[edge]) for edge in self.node(task, level)]

    def candidates(self, task: Task, parent: Learner, level: int) -> list[int]:
        """The edges of the level's node."""
        return self.node(task, level)

    def node(self, task: Task, level: int) -> list[int]:
        """The edges into the node whose turn it is."""
        nodes = hierarchies(task.space, task.region, self.cells)
        orders = {"sequential": nodes, "reversed": nodes[::-1]}
        order = _another(nodes, task.stream("order")) if self.order == "random" else orders[self.order]
        return order[level]


def _another(nodes: list[list[int]], rng: np.random.Generator) -> list[list[int]]:
    """An order that is drawn until it is neither this one nor its reverse, where there are others."""
    while True:
        order = [nodes[k] for k in rng.permutation(len(nodes))]
        if len(nodes) < 3 or order not in (nodes, nodes[::-1]):
            return order


@dataclass(frozen=True)
class MutualDistillation(Teaching):
    """Search space mutual distillation, with its ablations."""

    version: ClassVar[int] = 1
    teachers: Literal["none", "parent", "siblings", "both"] = "both"
    parent_weight: float = 1.0
    siblings_weight: float = 1.0

    def count(self, children: int) -> int:
        """The parent, the other children, or both."""
        return {"none": 0, "parent": 1, "siblings": children - 1, "both": children}[self.teachers]

    def lesson(self, children: Sequence[Learner], parent: Learner) -> Lesson | None:
        """The two divergences of the loss; None where nobody teaches."""
        by_parent, by_siblings = self.teachers in ("parent", "both"), self.teachers in ("siblings", "both")

        def divergences(learner: Learner, batch: Batch, logits: Tensor) -> Tensor:
            siblings = [child for child in children if by_siblings and child is not learner]
            weighted = [(self.siblings_weight / len(siblings), sibling) for sibling in siblings]
            weighted += [(self.parent_weight, parent)] if by_parent else []
            with learner.meter.phase("lesson"):
                taught = [(weight, teacher.mixture(batch.images, learner)) for weight, teacher in weighted]
            return sum((weight * divergence(z, logits) for weight, z in taught), logits.new_zeros(()))

        return divergences if by_parent or by_siblings else None


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(softmax teacher || softmax student) in nats, mean over the batch. Both `[B, classes]` logits."""
    return F.kl_div(student.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean")


BASE, SHALLOW_TO_DEEP, SMD = base_of("hep"), Hierarchy(), MutualDistillation()


@dataclass(frozen=True)
class HepNas(Partition):
    """Node by node, children in competition; the defaults are those of NAS-Bench-201."""

    version: ClassVar[int] = 3
    grouping: Grouping = MATCHING
    edges: EdgeChoice = SHALLOW_TO_DEEP
    base: OneShot = BASE
    levels: tuple[int, ...] = (10, 10, 10)
    tuning: int = 10
    final: int = 0
    teaching: Teaching | None = SMD
    keep: Literal["all", "best"] = "best"


HEP = HepNas()
VARIANTS = {
    "hep": HEP,
    "hep-no-smd": replace(HEP, teaching=MutualDistillation("none")),
    "hep-parent": replace(HEP, teaching=MutualDistillation("parent")),
    "hep-siblings": replace(HEP, teaching=MutualDistillation("siblings")),
    "hep-edgewise": replace(HEP, edges=LARGEST_CUT, levels=(5,) * 6, tuning=5),
    "hep-reversed": replace(HEP, edges=Hierarchy("reversed")),
    "hep-random-order": replace(HEP, edges=Hierarchy("random")),
}
# The toy space has two nodes and three edges.
TWO_NODES = {label: replace(search, levels=(10, 10)) for label, search in VARIANTS.items()}
EDGEWISE = replace(VARIANTS["hep-edgewise"], levels=(5,) * 3)
NORMAL = ("normal",)
OF_CELLS = HepNas(
    edges=Hierarchy(cells=NORMAL), base=base_of("hep", "darts"), levels=(15, 10, 10, 10), tuning=5, final=15
)
SETTINGS = {
    "toy": {**TWO_NODES, "hep-edgewise": EDGEWISE},
    "darts": {
        "hep": OF_CELLS,
        "hep-no-smd": replace(OF_CELLS, teaching=MutualDistillation("none")),
        "hep-parent": replace(OF_CELLS, teaching=MutualDistillation("parent")),
        "hep-siblings": replace(OF_CELLS, teaching=MutualDistillation("siblings")),
        "hep-reversed": replace(OF_CELLS, edges=Hierarchy("reversed", NORMAL)),
        "hep-random-order": replace(OF_CELLS, edges=Hierarchy("random", NORMAL)),
    },
}
