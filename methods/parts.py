"""The parts that a partition search is put together from: what each of them is asked, and what it answers.

They are frozen dataclasses, so that a search stays plain data. Those that exist stand in the file of their paper:
`fewshot.Exhaustive`, `fewshot.GivenEdges`; `matching.Matching`, `matching.RandomGroups`; `gmnas.OneEdge`;
`hepnas.Hierarchy`, `hepnas.MutualDistillation`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.errors import UnknownName
from bench.search.learner import Learner, Lesson
from bench.search.task import Task
from bench.spaces.space import Region, Space
from methods.oneshot import OneShot


@dataclass(frozen=True)
class Split:
    """Groups of one edge's operations and, where the grouping measures it, how well they part.

    distances: `[O', O']` between the edge's operations in ascending order; within: their sum over pairs of one group;
    between: over the other pairs. Each pair counts once. common: operations that every child keeps.
    """

    groups: tuple[tuple[int, ...], ...]
    distances: NDArray[np.float64] | None = None
    within: float = 0.0
    between: float = 0.0
    common: tuple[int, ...] = ()

    def children(self, region: Region, edge: int) -> list[Region]:
        """The regions of one child a group. Raises BadRegion where the groups are none of the edge's operations."""
        if not self.common:
            return region.cut(edge, [set(group) for group in self.groups])
        return [region.narrowed(edge, {*group, *self.common}) for group in self.groups]

    def note(self) -> dict[str, Any]:
        """What the record keeps."""
        measured = {} if self.distances is None else {"within": self.within, "between": self.between}
        table = {} if self.distances is None else {"distances": self.distances.round(6).tolist()}
        common = {"common": list(self.common)} if self.common else {}
        return {"groups": [list(g) for g in self.groups], **common, **measured, **table}


def inhabited(space: Space, regions: Sequence[Region]) -> list[Region]:
    """Those that hold an architecture: where a node needs its edge, `none` alone on it leaves nothing to be found, and
    its siblings hold all that there is. All of them where none does, to be refused when a supernet is made."""
    return [region for region in regions if space.count(region)] or list(regions)


class Grouping(ABC):
    """How the operations of an edge fall into groups; every group becomes a child."""

    version: ClassVar[int]
    measures: ClassVar[bool] = False  # whether its splits hold distances
    drops: ClassVar[bool] = False  # whether children lack what is not common to all

    def check(self, base: OneShot) -> None:
        """Raise BadSpec where the base relaxation cannot be grouped this way."""
        return

    def fits(self, task: Task) -> None:
        """Raise BadSpec where the operations of the task's space cannot be grouped this way."""
        return

    def at(self, level: int) -> Grouping:
        """The grouping of that level, where levels differ."""
        return self

    def parts(self, operations: int) -> int:
        """How many groups so many operations fall into."""
        return 2

    def common(self, space: Space, operations: Sequence[int]) -> tuple[int, ...]:
        """Those of an edge's operations that are not grouped, because every child keeps them."""
        return ()

    def passes(self, task: Task, operations: int) -> int:
        """Batches through the supernet, forward and back, that grouping an edge takes."""
        return 0

    def times(self, factor: float) -> Grouping:
        """The same at about `factor` times the passes, where it takes any."""
        return self

    @abstractmethod
    def split(self, task: Task, parent: Learner, edge: int) -> Split:
        """The groups of `edge` in the region of a trained parent."""


class EdgeChoice(ABC):
    """Which edges a level cuts. Several at once give a child for every combination of their groups."""

    version: ClassVar[int]

    def needs_distances(self) -> bool:
        """Whether the choice compares splits, and so needs a grouping that measures them."""
        return False

    @abstractmethod
    def check(self, task: Task, levels: int) -> None:
        """Raise BadSpec where `levels` cuts cannot be made in the task's region."""

    @abstractmethod
    def cut_sizes(self, task: Task, level: int) -> list[int]:
        """How many operations the edges have that a level cuts; where it is not known yet, the most."""

    def compared(self, task: Task, level: int) -> list[int]:
        """How many operations the candidates of a level have."""
        return self.cut_sizes(task, level)

    @abstractmethod
    def candidates(self, task: Task, parent: Learner, level: int) -> list[int]:
        """The edges to be grouped: no more than are needed for the choice, since grouping may cost passes."""

    def chosen(self, splits: Mapping[int, Split]) -> list[int]:
        """The edges to be cut: all that were grouped, unless the choice compares them."""
        return list(splits)


def edges_of(space: Space, cells: Sequence[str]) -> list[int]:
    """The edges of these cell types, of all where none is named. Raises UnknownName for one that the space lacks."""
    known = [cell.name for cell in space.cells]
    for name in cells:
        if name not in known:
            raise UnknownName(f"cell type of {space.name}", name, known)
    return [e for e, edge in enumerate(space.edges) if not cells or edge.cell in cells]


class Teaching(ABC):
    """What children and their parent teach each other."""

    version: ClassVar[int]

    @abstractmethod
    def count(self, children: int) -> int:
        """How many teachers each of so many children has."""

    @abstractmethod
    def lesson(self, children: Sequence[Learner], parent: Learner) -> Lesson | None:
        """The extra loss of every child's weight steps; None for no lesson."""
