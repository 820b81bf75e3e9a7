"""DrNAS's progressive form (Chen et al., ICLR 2021, section 3.3), as a partition search: half-way every edge keeps its
strongest operations, and the one child goes on with the state of its parent.

Any base whose alpha is trained can be narrowed so. Settings of `drnas-progressive` are those of the authors' code
(xiangning-chen/DrNAS, 201-space/train_search_progressive.py): 50 epochs, three of five operations kept, 50 epochs.
Deviations:

- All channels are computed; the code computes a quarter before the cut and half of them behind it. `base.share` sets
  one share for both.
- The learning rate falls over all 100 epochs; in the code it starts again at the cut.
- Alpha waits for the first 10 epochs alone, in the code for the first 10 behind the cut too.
- What was dropped is estimated by the supernet as it was before the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from bench.errors import BadSpec
from bench.search.learner import Learner
from bench.search.task import Task
from bench.spaces.space import Space
from bench.store.spec import require_range
from methods.drnas import OF_CELLS, Drnas
from methods.oneshot import OneShot
from methods.partition import Partition
from methods.parts import EdgeChoice, Grouping, Split


@dataclass(frozen=True)
class Strongest(Grouping):
    """An edge keeps the operations of the largest architecture weights; one child."""

    version: ClassVar[int] = 1
    drops: ClassVar[bool] = True
    keep: int = 3

    def __post_init__(self) -> None:
        require_range(self, 1, "keep")

    def check(self, base: OneShot) -> None:
        """A base that trains alpha."""
        if not base.moves_alpha:
            raise BadSpec(f"{type(base).__name__} gives no alpha by which operations could be kept; take another base")

    def parts(self, operations: int) -> int:
        """One."""
        return 1

    def common(self, space: Space, operations: Sequence[int]) -> tuple[int, ...]:
        """As many as are kept."""
        return tuple(operations[: self.keep])

    def split(self, task: Task, parent: Learner, edge: int) -> Split:
        """What is kept; of equals the first."""
        assert isinstance(parent.relaxation, OneShot)
        weights = parent.relaxation.expected(parent)[edge].tolist()
        kept = sorted(parent.region.lists[edge], key=lambda op: -weights[op])[: self.keep]
        return Split(((),), common=tuple(sorted(kept)))


@dataclass(frozen=True)
class AllEdges(EdgeChoice):
    """Every edge that has a choice, at once, in a single cut."""

    version: ClassVar[int] = 1

    def check(self, task: Task, levels: int) -> None:
        """There is one level, and something to cut."""
        if levels != 1:
            raise BadSpec(f"all edges are cut at once: 1 level, not {levels}; give one epoch number")
        if not task.region.uncut(task.region):
            raise BadSpec(f"no edge of {task.space.name} has a choice left")

    def cut_sizes(self, task: Task, level: int) -> list[int]:
        """Those of all."""
        return [len(task.region.allowed[edge]) for edge in task.region.uncut(task.region)]

    def candidates(self, task: Task, parent: Learner, level: int) -> list[int]:
        """All."""
        return parent.region.uncut(task.region)


BASE = Drnas(waits=0.1)
PROGRESSIVE = Partition(Strongest(), AllEdges(), base=BASE, levels=(50,), final=50)
VARIANTS = {"drnas-progressive": PROGRESSIVE}
TWO = {"drnas-progressive": replace(PROGRESSIVE, grouping=Strongest(2))}
CELLS = {"drnas-progressive": replace(PROGRESSIVE, grouping=Strongest(4), base=OF_CELLS, levels=(25,), final=25)}
SETTINGS = {"toy": TWO, "macro": TWO, "darts": CELLS, "darts-none": CELLS}
