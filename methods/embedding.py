"""Points for architectures, and architectures for points: what a search over a continuous density or a Gaussian process
needs of a space of discrete cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.spaces.space import CellType, Genotype, Region, Space
from bench.streams import numpy_stream

MOST = 20_000
"""Architectures that stand as points."""

Kind = Literal["one-hot", "summary"]


@dataclass(frozen=True)
class Embedding:
    """All architectures of a region as points. one-hot: E x O coordinates, every point another architecture. summary:
    the number of weighted operations and of edges on the longest path of each cell type, in standard deviations of the
    region; many architectures share a point, and a point stands for a bucket of them."""

    space: Space
    region: Region
    kind: Kind = "one-hot"

    @cached_property
    def genotypes(self) -> list[Genotype]:
        """All architectures of the region, in order; of more than `MOST` a fixed sample."""
        return self.space.some(self.region, MOST, lambda: numpy_stream(0, f"points/{self.space.name}"))

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """`[n, m]`, a point for each of `genotypes`."""
        return self.of(self.genotypes)

    def of(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        """`[n, m]`, a point for each genotype."""
        ops = np.array(genotypes, dtype=np.int64).reshape(len(genotypes), len(self.space.edges))
        if self.kind == "one-hot":
            return np.eye(len(self.space.ops))[ops].reshape(len(ops), -1)
        return _summaries(self.space, ops) / self._spread

    @cached_property
    def _spread(self) -> NDArray[np.float64]:
        spread = _summaries(self.space, np.array(self.genotypes)).std(0)
        return np.where(spread > 0, spread, 1.0)

    def nearest(self, points: NDArray[np.float64], rng: np.random.Generator) -> list[Genotype]:
        """A different architecture for each of the points `[k, m]`, in turn the nearest that is left; one of equally
        near at random. k is at most the size of the region."""
        left = np.ones(len(self.genotypes), dtype=bool)
        found = []
        for point in points:
            distance = np.where(left, np.square(self.points - point).sum(1), np.inf)
            bucket = np.flatnonzero(distance <= distance.min() + 1e-9)
            row = int(rng.choice(bucket))
            left[row] = False
            found.append(self.genotypes[row])
        return found


def _summaries(space: Space, ops: NDArray[np.int64]) -> NDArray[np.float64]:
    """`[n, 2]` number of weighted operations, and edges on the longest path to the output; 0 where none leads there."""
    weighted = (space.weights > 0)[np.arange(len(space.edges)), ops].sum(1)
    depth = sum(_depths(space, kind, ops) for kind in space.cells)
    return np.stack([weighted, depth], axis=1).astype(np.float64)


def _depths(space: Space, kind: CellType, ops: NDArray[np.int64]) -> NDArray[np.float64]:
    """`[n]` edges on the longest path through a cell; 0 where none leads to its output."""
    depth = np.full((len(ops), kind.inputs + kind.nodes), -np.inf)
    depth[:, : kind.inputs] = 0
    for e, edge in space.of_cell(kind.name):  # sources come before targets
        through = np.where(ops[:, e] == space.absent, -np.inf, depth[:, edge.source] + 1)
        depth[:, edge.target] = np.maximum(depth[:, edge.target], through)
    longest: NDArray[np.float64] = np.maximum(depth[:, list(kind.results)].max(1), 0)
    return longest
