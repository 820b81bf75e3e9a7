"""The tree of supernets that a partition search grows, and what it thinks of any architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.search.learner import Learner, Lesson
from bench.search.task import Estimator
from bench.spaces.space import Genotype


@dataclass
class Node:
    """One supernet of the tree, with what the record says of it."""

    learner: Learner
    depth: int
    parent: str | None
    lesson: Lesson | None = None  # while it is tuned
    kept: bool = True
    trained: bool = False
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


def deepest(tree: Sequence[Node]) -> Estimator:
    """Estimates by the deepest trained supernet whose region admits an architecture; by the mean of those where
    several are equally deep; NaN where there is none."""
    trained = [node for node in tree if node.trained]

    def homes(genotype: Genotype) -> list[int]:
        admitting = [k for k, node in enumerate(trained) if node.learner.space.admits(node.learner.region, genotype)]
        depth = max((trained[k].depth for k in admitting), default=0)
        return [k for k in admitting if trained[k].depth == depth]

    def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
        total, count = np.zeros((len(genotypes), 2)), np.zeros((len(genotypes), 1))
        rows: dict[int, list[int]] = {}
        for row, genotype in enumerate(genotypes):
            for home in homes(genotype):
                rows.setdefault(home, []).append(row)
        for home, mine in rows.items():
            total[mine] += trained[home].learner.estimates([genotypes[row] for row in mine], images)
            count[mine] += 1
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    return estimate
