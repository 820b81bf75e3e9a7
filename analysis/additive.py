"""The additive model: one number for each edge and operation, whose sum is an architecture's worth. How far accuracies
go by preferences edge by edge is a property of a space, and what a search has to beat that learns nothing else.

It is fitted on the truths that it then ranks, so it is no method: it knows what no search does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.spaces.space import Genotype, Space

LEAST = 10
"""Architectures for each number that is fitted; of fewer it would tell its own noise."""


def fitted(space: Space, genotypes: Sequence[Genotype], truth: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """`[n]` the least-squares fit to `truth` `[n]`; None of fewer than `LEAST` architectures for each number."""
    edges, operations = len(space.edges), len(space.ops)
    if len(genotypes) < LEAST * (1 + edges * (operations - 1)):  # the numbers of an edge are known but for a constant
        return None
    chosen = np.eye(operations)[np.array(genotypes)].reshape(len(genotypes), -1)
    values: NDArray[np.float64] = chosen @ np.linalg.lstsq(chosen, truth, rcond=None)[0]
    return values
