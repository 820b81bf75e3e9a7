"""FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search (Chu, Zhang & Xu, ICCV 2021,
arXiv 1907.01845).

Strict fairness: in every step of the weights each operation of each edge is on exactly one path. The paths of a step
are the columns of a permutation of operations per edge; their gradients on one batch add up before the weights move
(algorithm 1). Architectures are then drawn and compared as in RSPS.

A step on NAS-Bench-201 is five paths, so 50 epochs see the images of RSPS's 250; the paper, on ImageNet, has no
settings for it. Deviations:

- The choice is RSPS's best of `candidates` random paths; the paper breeds them (NSGA-II).
- Edges with fewer operations than others repeat theirs, each as often as any other to within one.
- On spaces whose architectures drop edges, paths keep them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench.search.learner import Learner, Pass, Static, Training
from bench.spaces.space import Region, Space
from methods.rsps import Rsps


@dataclass(frozen=True)
class FairNas(Rsps):
    """Every operation once per step."""

    version: ClassVar[int] = 1
    static: ClassVar[Static] = "no"
    training: Training = Training(epochs=50)

    def weight_passes(self, space: Space) -> int:
        """Two for every path."""
        return 2 * max(map(len, space.region.allowed))

    def descents(self, learner: Learner) -> Sequence[Pass]:
        """As many paths as an edge of the space has operations."""
        paths = self.weight_passes(learner.space) // 2
        columns = zip(*(_in_turn(ops, paths, learner.paths) for ops in learner.region.lists), strict=True)
        return [(None, Region.of([{op} for op in path])) for path in columns]


def _in_turn(ops: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    """So many of the operations: permutations of them one behind the other, cut off at the end."""
    rounds = [rng.permutation(ops) for _ in range(-(-count // len(ops)))]
    return [int(op) for op in np.concatenate(rounds)[:count]]


VARIANTS = {"fairnas": FairNas()}
