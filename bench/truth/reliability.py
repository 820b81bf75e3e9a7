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


def top_tau(scores: Array, share: float) -> float:
    """tau-b between single seeds among the cells that another seed puts in the upper `share`, mean over that seed; NaN
    with fewer than three seeds.

    A seed that has a part in the choice must not be measured by it: among cells chosen by their mean, one seed's luck
    makes up for another's, and seeds seem to disagree.
    """
    if share == 1:
        return split_tau(scores, 1)
    taus = []
    for judge in range(scores.shape[1]):
        chosen = scores[:, judge] >= np.quantile(scores[:, judge], 1 - share)
        taus.append(split_tau(np.delete(scores[chosen], judge, axis=1), 1))
    return float(np.mean(taus))


def expected_tau(scores: Array, seeds: int, share: float = 1) -> float:
    """What tau to expect between two means of so many seeds, from tau between single seeds: of all cells, or of those
    in the upper `share`."""
    return stepped_up(top_tau(scores, share), seeds)


def expected_of_unequal(scores: Array, share: float = 1, draws: int = 24) -> float:
    """What tau to expect, at least, between the means of this table and of its like, where some cells have more seeds
    than others (`scores` NaN where a seed is missing, its leading columns whole): of all cells, or of those in the
    upper `share` of a seed that has no other part in it.

    Of each cell the remaining seeds, drawn into two halves, make two tables, which are compared; cells with the same
    seeds share their halves. What the whole table has is at least as many times one half as the cell with the least
    gain, so the result is a lower bound; with equal seeds it is `expected_tau` but for the draws.
    """
    rng = np.random.default_rng(0)
    known = np.isfinite(scores)
    judges = [None] if share == 1 else [column for column in range(scores.shape[1]) if known[:, column].all()]
    taus, times = [], math.inf
    for judge in judges:
        rest = np.array([column for column in range(scores.shape[1]) if column != judge])
        rows = np.arange(len(scores))
        if judge is not None:
            rows = np.flatnonzero(scores[:, judge] >= np.quantile(scores[:, judge], 1 - share))
        patterns, which = np.unique(known[rows][:, rest], axis=0, return_inverse=True)
        for _ in range(draws):
            halves = np.empty((2, len(rows)))
            for at, pattern in enumerate(patterns):
                own = rng.permutation(rest[pattern])
                size = len(own) // 2
                if size == 0:
                    return math.nan
                times = min(times, (len(own) + (judge is not None)) / size)
                cells = which.ravel() == at
                for half, seeds in zip(halves, (own[:size], own[size : 2 * size]), strict=True):
                    half[cells] = scores[np.ix_(rows[cells], seeds)].mean(1)
            taus.append(tau_b(*halves))
    return stepped_up(float(np.mean(taus)), times) if taus else math.nan


def optimism(scores: Array) -> float:
    """By how much the best mean over the seeds overstates the cell it belongs to: the best by all seeds but one, less
    its score from that one; mean over that one. It is of means of one seed fewer than there are."""
    found = []
    for held_out in range(scores.shape[1]):
        means = np.delete(scores, held_out, axis=1).mean(1)
        found.append(means.max() - scores[means == means.max(), held_out].mean())
    return float(np.mean(found))


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
