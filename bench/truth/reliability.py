"""How well a ground truth agrees with itself: how far the seeds of stand-alone trainings rank architectures alike.

Scores are `[cells, seeds]`, higher is better, all finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.metrics import tau_b

Array = NDArray[np.float64]


def disjoint(seeds: int, size: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All unordered pairs of disjoint sets of `size` of the seeds 0..seeds-1."""
    for first in combinations(range(seeds), size):
        for second in combinations([seed for seed in range(first[0] + 1, seeds) if seed not in first], size):
            yield first, second


def split_tau(scores: Array, size: int) -> float:
    """tau-b between the means of two disjoint sets of `size` seeds, mean over all such pairs of sets."""
    taus = [tau_b(scores[:, a].mean(1), scores[:, b].mean(1)) for a, b in disjoint(scores.shape[1], size)]
    return float(np.mean(taus)) if taus else math.nan


def top(scores: Array, share: float) -> Array:
    """The rows whose mean over all seeds lies in the upper `share`. Both halves of the seeds have a part in the
    choice, so tau within it is a little lower than among the truly best."""
    means = scores.mean(1)
    chosen: Array = scores[means >= np.quantile(means, 1 - share)]
    return chosen


def expected_tau(scores: Array, seeds: int) -> float:
    """What tau to expect between two means of so many seeds, from tau between single seeds."""
    return stepped_up(split_tau(scores, 1), seeds)


def stepped_up(tau: float, times: float) -> float:
    """What a tau between two means becomes with so many times the seeds: reliability is sin(pi / 2 * tau) (normal
    model), and k times the seeds raise it to k r / (1 + (k - 1) r) (Spearman and Brown, 1910).

    From tau rather than from variances, because a few cells at chance would hold nearly all of the variance.
    """
    if tau <= 0:
        return 0.0
    reliability = math.sin(math.pi / 2 * tau)
    return 2 / math.pi * math.asin(times * reliability / (1 + (times - 1) * reliability))


def tied_pairs(scores: Array) -> float:
    """The share of pairs of cells with equal scores from one seed, mean over seeds, [0, 1]."""
    cells = len(scores)
    tied = 0
    for column in scores.T:
        _, counts = np.unique(column, return_counts=True)
        tied += int((counts * (counts - 1) // 2).sum())
    return tied / (scores.shape[1] * cells * (cells - 1) / 2) if cells > 1 else math.nan
