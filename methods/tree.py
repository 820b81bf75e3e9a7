"""The tree of supernets that a partition search grows, and what it thinks of any architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.search.learner import Learner, Lesson
from bench.search.trained import Home


@dataclass
class Node:
    """One supernet of the tree, with what the record says of it."""

    learner: Learner
    depth: int
    parent: str | None
    lesson: Lesson | None = None  # while it is tuned
    kept: bool = True
    trained: bool = False
    covered: bool = True  # by its children together, where it has any
    accuracy: float | None = None  # of the mixture on validation images [0, 1], where children were compared
    discretised: float | None = None  # of the architecture that it would propose then, where that is known for nothing
    final: Mapping[str, float] | None = None  # of a leaf that was compared: accuracy of its mixture and its proposal
    cut: Mapping[str, Any] | None = None

    def note(self) -> dict[str, Any]:
        """What the record keeps."""
        region = self.learner.region
        return {
            "name": self.learner.name,
            "parent": self.parent,
            "depth": self.depth,
            "kept": self.kept,
            "size": self.learner.space.count(region),
            "region": [list(ops) for ops in region.lists],
            "accuracy": self.accuracy,
            "discretised": self.discretised,
            "final": self.final,
            "cut": self.cut,
        }


def homes(tree: Sequence[Node]) -> tuple[Home, ...]:
    """The trained supernets that architectures are estimated by: all but those whose children are trained and admit
    whatever their parent does, since they are deeper."""
    untrained = {node.parent for node in tree if not node.trained}
    uncovered = {node.learner.name for node in tree if not node.covered}
    outdone = {node.parent for node in tree} - untrained - uncovered
    return tuple(Home(node.learner, node.depth) for node in tree if node.trained and node.learner.name not in outdone)
