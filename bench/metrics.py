"""How well estimates rank architectures: pure functions on arrays.

Everywhere higher is better, in estimates as in truth, and rank 1 is the best. Truth is accuracy in percent, NaN where
it is not known; an estimate of NaN is no opinion. What compares the two takes the architectures that have both
(`pairs`; their number is `count`). What is undefined (fewer than two pairs, a constant) is NaN, and printed as
"undefined".

Ties in a top k are neither broken by row nor by luck: the value is the expectation over all orders of the tied, so
that no result depends on the order of the rows (McSherry & Najork, ECIR 2008). Constant estimates thus score as
chance does.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]


def pairs(estimate: ArrayLike, truth: ArrayLike, *others: ArrayLike) -> tuple[Array, ...]:
    """The arrays at those places where all of them are finite."""
    stacked = np.stack([np.asarray(values, dtype=np.float64) for values in (estimate, truth, *others)])
    return tuple(stacked[:, np.isfinite(stacked).all(axis=0)])


def count(estimate: ArrayLike, truth: ArrayLike) -> int:
    """n: the number of architectures with both an estimate and a truth."""
    return len(pairs(estimate, truth)[0])


def coverage(estimate: ArrayLike, truth: ArrayLike) -> float:
    """The share of the architectures with a truth that have an estimate too, [0, 1]."""
    known = len(_known(truth))
    return count(estimate, truth) / known if known else math.nan


def tau_b(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau-b, [-1, 1], corrected for ties on both sides (Kendall, Biometrika 1945)."""
    return _tau(*pairs(estimate, truth))


def spearman(estimate: ArrayLike, truth: ArrayLike) -> float:
    """Spearman's rank correlation, [-1, 1], ties at their mean rank."""
    left, right = pairs(estimate, truth)
    return math.nan if _constant(left) or _constant(right) else float(stats.spearmanr(left, right).statistic)


def sparse_tau(estimate: ArrayLike, truth: ArrayLike, step: float) -> float:
    """tau-b after rounding the truth to multiples of `step` percent (Yu et al., "How to train your super-net", 2020):
    differences that are noise become ties."""
    left, right = pairs(estimate, truth)
    return _tau(left, np.rint(right / step))


def tau_top(estimate: ArrayLike, truth: ArrayLike, share: float) -> float:
    """tau-b inside the true top `share`, (0, 1], of the pairs, with all that tie with the last of it."""
    left, right = pairs(estimate, truth)
    if not len(right):
        return math.nan
    inside = right >= _last(right, _size(len(right), share))
    return _tau(left[inside], right[inside])


def spearman_top(estimate: ArrayLike, truth: ArrayLike, share: float) -> float:
    """Spearman's rank correlation inside the true top `share`, (0, 1], with all that tie with the last of it."""
    left, right = pairs(estimate, truth)
    if not len(right):
        return math.nan
    inside = right >= _last(right, _size(len(right), share))
    return spearman(left[inside], right[inside])


def unique(classes: ArrayLike, *values: ArrayLike) -> tuple[Array, ...]:
    """One row per class, in ascending order of class: the mean of each of the arrays over its members. Equal
    architectures then count once."""
    _, member_of = np.unique(np.asarray(classes), return_inverse=True)
    sizes = np.bincount(member_of)
    return tuple(np.bincount(member_of, np.asarray(v, dtype=np.float64)) / sizes for v in values)


def tau_unique(estimate: ArrayLike, truth: ArrayLike, classes: ArrayLike) -> float:
    """tau-b with one row per class: the means of its members' estimates and truths. classes: integers `[n]`."""
    left, right, group = pairs(estimate, truth, classes)
    return _tau(*unique(group, left, right)) if len(left) else math.nan


def partial_tau(estimate: ArrayLike, truth: ArrayLike, given: ArrayLike) -> float:
    """Kendall's partial rank correlation of estimate and truth with `given` (say, parameters) held fixed: what the
    estimate knows beyond it (Kendall, Biometrika 1942). Small, but not always zero, where it knows nothing more."""
    left, right, third = pairs(estimate, truth, given)
    xy, xz, yz = _tau(left, right), _tau(left, third), _tau(right, third)
    free = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / math.sqrt(free) if free > 0 else math.nan


def tau_interval(
    estimate: ArrayLike, truth: ArrayLike, rng: np.random.Generator, level: float = 0.95, resamples: int = 1000
) -> tuple[float, float]:
    """The percentile bootstrap interval of tau-b over architectures. About 3 ms per resample of 15,625.

    It speaks about other architectures of the space, not about other seeds of the search.
    """
    left, right = pairs(estimate, truth)
    if _constant(left) or _constant(right):
        return math.nan, math.nan
    draws = (rng.integers(len(left), size=len(left)) for _ in range(resamples))
    taus = [_tau(left[rows], right[rows]) for rows in draws]
    low, high = np.nanquantile(taus, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def precision_at(estimate: ArrayLike, truth: ArrayLike, share: float) -> float:
    """P@k: the share of the estimated top `share` of the pairs that lies within the true top `share`, [0, 1]
    (Ning et al., "Surgery", 2021)."""
    return top_recall(estimate, truth, share, share)


def top_recall(estimate: ArrayLike, truth: ArrayLike, top: float, within: float) -> float:
    """The share of the true top `top` of the pairs that lies within the estimated top `within`, [0, 1]."""
    left, right = pairs(estimate, truth)
    if not len(right):
        return math.nan
    wanted, found = _size(len(right), top), _size(len(left), within)
    return float(_chance_of_top(right, wanted) @ _chance_of_top(left, found)) / wanted


def best_rank_at(estimate: ArrayLike, truth: ArrayLike, k: int) -> float:
    """The best true rank among the k best estimates; ranks are among all that have a truth. k = 1: the true rank
    of the arg-max."""
    left, right = pairs(estimate, truth)
    known = np.sort(_known(truth))
    worse_or_equal: Array = np.searchsorted(known, right, side="right").astype(np.float64)
    return 1 + len(known) - _expected_best(left, worse_or_equal, k)


def top_regret(estimate: ArrayLike, truth: ArrayLike, k: int = 1) -> float:
    """Percent points between the best of the space and the truly best of the k best estimates; k = 1: the regret of
    trusting the arg-max."""
    left, right = pairs(estimate, truth)
    return regret(_expected_best(left, right, k), truth)


def regret(value: float, truth: ArrayLike) -> float:
    """Percent points by which `value` stays below the best known truth."""
    known = _known(truth)
    return float(known.max() - value) if len(known) else math.nan


def relative_improvement(value: float, truth: ArrayLike) -> float:
    """RI = 100 (value - m) / m percent, m the mean of the known truths: what the mean random architecture has (Yang,
    Esperança & Carlucci, "NAS evaluation is frustratingly hard", 2020)."""
    known = _known(truth)
    return float(100 * (value - known.mean()) / known.mean()) if len(known) and known.mean() > 0 else math.nan


def range_used(value: float, truth: ArrayLike) -> float:
    """(value - m) / (best - m), m the mean of the known truths: 0 is a random architecture, 1 the best there is."""
    known = _known(truth)
    wide = len(known) > 0 and known.max() > known.mean()
    return float((value - known.mean()) / (known.max() - known.mean())) if wide else math.nan


def rank_of(value: float, truth: ArrayLike) -> int:
    """The rank of an accuracy among all known truths: 1 + the number of better ones, so that ties share the best."""
    if math.isnan(value):
        raise ValueError("NaN has no rank")
    return 1 + int((np.asarray(truth, dtype=np.float64) > value).sum())


def share_tied(values: ArrayLike) -> float:
    """The share of the finite values that equal another one, [0, 1]."""
    finite = _known(values)
    _, counts = np.unique(finite, return_counts=True)
    return float(counts[counts > 1].sum() / len(finite)) if len(finite) else math.nan


def random_best_of_n(truth: ArrayLike, n: int) -> float:
    """The expected best accuracy of n architectures drawn without replacement when an oracle picks among them: what
    the protocol "best of n" is worth without any search. Exact."""
    known = np.sort(_known(truth))[::-1]
    return float(_chance_of_best(len(known), n) @ known) if 1 <= n <= len(known) else math.nan


def _known(truth: ArrayLike) -> Array:
    """The finite values."""
    values = np.asarray(truth, dtype=np.float64)
    return values[np.isfinite(values)]


def _tau(left: Array, right: Array) -> float:
    if _constant(left) or _constant(right):
        return math.nan
    return float(stats.kendalltau(left, right).statistic)


def _constant(values: Array) -> bool:
    return len(values) < 2 or bool((values == values[0]).all())


def _size(total: int, share: float) -> int:
    """The k of a top share: at least one."""
    if not 0 < share <= 1:
        raise ValueError(f"a share lies in (0, 1], not {share}")
    return max(1, round(share * total))


def _last(values: Array, k: int) -> float:
    """The k-th largest value."""
    return float(np.partition(values, len(values) - k)[len(values) - k])


def _chance_of_top(values: Array, k: int) -> Array:
    """`[n]` the chance of each to be among the k largest when ties are ordered at random; sums to k."""
    last = _last(values, k)
    above, tied = values > last, values == last
    return np.where(above, 1.0, np.where(tied, (k - above.sum()) / tied.sum(), 0.0))


def _chance_of_best(total: int, drawn: int) -> Array:
    """`[total]` the chance of each, best first, to be the best of `drawn` without replacement: hypergeometric,
    C(total - 1 - i, drawn - 1) / C(total, drawn)."""
    left = np.arange(total - 1, 0, -1)  # how many are worse than the i-th best
    steps = np.maximum(left - drawn + 1, 0) / left
    return drawn / total * np.concatenate([[1.0], np.cumprod(steps)])


def _expected_best(estimate: Array, value: Array, k: int) -> float:
    """The expected largest `value` among the k largest estimates, ties in the estimate ordered at random."""
    if k < 1:
        raise ValueError(f"the top k takes k of 1 or more, not {k}")
    if not len(estimate):
        return math.nan
    k = min(k, len(estimate))
    last = _last(estimate, k)
    above, tied = value[estimate > last], np.sort(value[estimate == last])[::-1]
    floor = above.max() if len(above) else -math.inf
    return float(_chance_of_best(len(tied), k - len(above)) @ np.maximum(tied, floor))
