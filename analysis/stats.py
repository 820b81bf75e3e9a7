"""Means and their intervals, over seeds and over architectures, and comparisons of two methods.

Only finished runs are averaged; diverged and failed ones are counted beside them. All resampling is seeded, so equal
values give equal intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]

LEAST_RUNS = 3
"""Fewer runs than this get no interval."""
RESAMPLES = 9_999
EXACT_PAIRS = 16
"""With more pairs than this the sign-flip test draws its flips."""
CONFIDENCE = 0.95
LEAST_ARCHITECTURES = 30
"""Fewer architectures than this get no interval of tau: it is normal only for many."""
_BLOCK = 512


@dataclass(frozen=True)
class Mean:
    """A mean over runs with its interval, in the unit of the values; None where there is nothing to say."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


def mean_of(values: Iterable[float | None]) -> Mean:
    """The mean of the values that are known, with a percentile bootstrap interval from `LEAST_RUNS` values on.

    Percentile intervals as in Agarwal et al.
    (NeurIPS 2021, "Deep RL at the edge of the statistical precipice"). With few seeds they are too narrow: for normally
    distributed values they contain the true mean in 75 % of cases with three and 84 % with five.
    """
    return _mean_of(tuple(sorted(float(v) for v in values if v is not None and not np.isnan(v))))  # order moves nothing


@lru_cache(maxsize=65_536)
def _mean_of(values: tuple[float, ...]) -> Mean:
    known = np.array(values)
    if not known.size:
        return Mean(None, None, None, 0)
    mean = float(known.mean())
    if known.size < LEAST_RUNS:
        return Mean(mean, None, None, known.size)
    if np.ptp(known) == 0:
        return Mean(mean, mean, mean, known.size)
    drawn = known[_rows(known.size)].mean(axis=1)
    return Mean(mean, *_quantiles(drawn), known.size)


def by_run(strata: Sequence[Mapping[int, float]], of: Literal["mean", "iqm"] = "iqm") -> Mean:
    """The mean, or the interquartile mean, over the values of all strata (data sets) by run, with a percentile interval
    from resampling the runs, each with its values in all strata: those of one search are no independent evidence.

    Runs are those that all strata know. Fewer than `LEAST_RUNS` of them leave no interval. n counts runs.
    """
    strata = [values for values in strata if values]
    runs = sorted(set.intersection(*(set(values) for values in strata))) if strata else []
    if not runs:
        return Mean(None, None, None, 0)
    table = np.array([[values[run] for values in strata] for run in runs], dtype=np.float64)
    middle = _interquartile_means if of == "iqm" else _means
    value = float(middle(table.reshape(1, -1))[0])
    if len(runs) < LEAST_RUNS:
        return Mean(value, None, None, len(runs))
    drawn = table[_rows(len(runs))].reshape(RESAMPLES, -1)
    return Mean(value, *_quantiles(middle(drawn)), len(runs))


@dataclass(frozen=True)
class Paired:
    """Two methods from the same seeds: the mean of a - b with its interval, n pairs, p of the sign-flip test and of
    Student's, and the standard deviation of the differences; None of what too few pairs leave open."""

    difference: Mean
    p: float | None
    student: float | None = None
    sd: float | None = None

    @property
    def verdict(self) -> Literal["for", "against", "undecided"]:
        """Whether a is the larger: undecided where the interval holds 0, or there is none."""
        low, high = self.difference.low, self.difference.high
        if low is None or high is None or low <= 0 <= high:
            return "undecided"
        return "for" if low > 0 else "against"


def paired(a: Mapping[int, float | None], b: Mapping[int, float | None]) -> Paired:
    """Values of two methods by seed, compared on the seeds that both have.

    The interval is Student's for the mean of the differences: a bootstrap of a handful of differences is too narrow,
    and would call a claim proven whenever three differences share a sign. p is that of the two-sided sign-flip test of
    the mean, exact up to `EXACT_PAIRS` pairs; with n pairs it cannot be below 2 ** (1 - n). Differences that are all
    equal have neither: they are copies, as those of methods without chance, and say nothing of how runs vary.
    """
    both = [(a[seed], b[seed]) for seed in sorted(a.keys() & b.keys())]
    differences = np.array([x - y for x, y in both if x is not None and y is not None], dtype=np.float64)
    differences = _finite(differences)
    n = differences.size
    if n < LEAST_RUNS:
        return Paired(Mean(float(differences.mean()) if n else None, None, None, n), None)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return Paired(Mean(mean, None, None, n), None)
    tested = stats.ttest_1samp(differences, 0.0)
    low, high = tested.confidence_interval(CONFIDENCE)
    flipped = stats.permutation_test(
        (differences, np.zeros(n)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=max(RESAMPLES, 2 ** min(n, EXACT_PAIRS)),
        rng=np.random.default_rng(0),
    )
    sd = float(differences.std(ddof=1))
    return Paired(Mean(mean, float(low), float(high), n), float(flipped.pvalue), float(tested.pvalue), sd)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number, in their order, so that the chance of any false rejection among them is no
    larger than the level (Holm, Scandinavian Journal of Statistics 1979). What has no p is no test and does not count.
    """
    tests = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    least = 0.0
    for rank, (p, at) in enumerate(tests):
        least = max(least, min(1.0, (len(tests) - rank) * p))
        corrected[at] = least
    return corrected


def interval_of_sd(sd: float, n: int) -> tuple[float, float]:
    """The interval of a standard deviation of n normal values, by the chi-squared distribution of its square."""
    ends = stats.chi2.ppf([(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2], n - 1)
    low, high = sd * np.sqrt((n - 1) / ends)
    return float(low), float(high)


def probability_of_improvement(strata: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Mean:
    """The chance that a run of the first method is above one of the second, ties counting half: the mean over strata
    of Mann-Whitney's U / (n m), with a stratified bootstrap interval (Agarwal et al., NeurIPS 2021, section 4.3).
    n counts the runs of the smaller side, over all strata."""
    known = [(_finite(a), _finite(b)) for a, b in strata]
    known = [(a, b) for a, b in known if a.size and b.size]
    if not known:
        return Mean(None, None, None, 0)
    wins = [(np.sign(a[:, None] - b[None]) + 1) / 2 for a, b in known]
    value = float(np.mean([w.mean() for w in wins]))
    n = sum(min(w.shape) for w in wins)
    if min(min(w.shape) for w in wins) < LEAST_RUNS:
        return Mean(value, None, None, n)
    rng = np.random.default_rng(0)
    drawn = [
        np.einsum("rn,nm,rm->r", _shares(rng, w.shape[0]), w, _shares(rng, w.shape[1]), optimize=True) for w in wins
    ]
    return Mean(value, *_quantiles(np.mean(drawn, axis=0)), n)


def tau_over_architectures(runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> Mean:
    """`tau_means` of the runs, over architectures alone."""
    return tau_means(runs)[0]


def tau_means(runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> tuple[Mean, Mean]:
    """The mean over runs of tau-b between estimates and truths, `[n]` each and of the same architectures in the same
    order: with its interval over *architectures*, how much another draw of architectures would move it, and with that
    over architectures *and* runs, how much another study would. Runs whose truths differ rank others, or in another
    order: there is no interval then.

    Over architectures: the normal interval from the first-order (Hoeffding) projection of tau-b, ties included; it
    takes the place of a bootstrap over architectures at a hundredth of its time; n counts architectures. Over both:
    runs and architectures are crossed, so both variances of the mean add up, less that of their interaction, which
    each of them holds (Owen, Annals of Applied Statistics 2007, "The pigeonhole bootstrap"); Student's with
    Satterthwaite's degrees of freedom; n counts runs.
    """
    values, moves = [], []
    alike = all(np.array_equal(truth, runs[0][1]) for _, truth in runs)
    for estimate, truth in runs:
        found = _projected(np.asarray(estimate, dtype=np.float64), np.asarray(truth, dtype=np.float64))
        if found is not None:
            values.append(found[0])
            moves.append(found[1])
    if not values or not alike:
        nothing = Mean(float(np.mean(values)) if values else None, None, None, 0)
        return nothing, nothing
    mean, n = float(np.mean(values)), moves[0].size
    if n < LEAST_ARCHITECTURES:
        return Mean(mean, None, None, n), Mean(mean, None, None, len(values))
    table = np.array(moves)
    of_cells = float(table.mean(axis=0).var(ddof=1) / n)
    over_cells = _around(mean, float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * np.sqrt(of_cells), n)
    runs_ = len(values)
    if runs_ < LEAST_RUNS:
        return over_cells, Mean(mean, None, None, runs_)
    of_runs = float(np.var(values, ddof=1) / runs_)
    rest = table - table.mean(axis=0)  # each row has mean 0 already
    shared = float((rest**2).sum() / ((runs_ - 1) * (n - 1)) / (n * runs_))
    variance = max(of_cells + of_runs - shared, of_cells, of_runs)
    freedom = (of_cells + of_runs) ** 2 / (of_runs**2 / (runs_ - 1) + of_cells**2 / (n - 1))
    wide = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * np.sqrt(variance)
    return over_cells, _around(mean, wide, runs_)


def _around(mean: float, wide: float, n: int) -> Mean:
    """A tau with its interval, which ends at -1 and 1."""
    return Mean(mean, max(-1.0, mean - wide), min(1.0, mean + wide), n)


def _projected(estimate: Array, truth: Array) -> tuple[float, Array] | None:
    """tau-b and how each architecture moves it, `[n]`, mean 0; None where tau is undefined."""
    n = estimate.size
    if n < 2:
        return None
    ranks = [stats.rankdata(values, method="dense").astype(np.int32) for values in (estimate, truth)]
    agree = _agreeing(ranks[0] - 1, ranks[1] - 1) / (n - 1)
    apart = [(n - np.bincount(r)[r]) / (n - 1) for r in ranks]  # the share of the others that differ
    c, a, b = agree.mean(), apart[0].mean(), apart[1].mean()
    if a == 0 or b == 0:
        return None
    tau = c / np.sqrt(a * b)
    return float(tau), 2 * ((agree - c) / np.sqrt(a * b) - tau * ((apart[0] - a) / (2 * a) + (apart[1] - b) / (2 * b)))


def _agreeing(a: NDArray[np.integer[Any]], b: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """For each of n values `[n]`, given by its dense ranks from 0 in both, how many others lie on the same side of it
    in both, less those that lie on different sides.

    Where one side has few different values, as accuracies on some images have, from counts below and left of each;
    else pair by pair.
    """
    if a.max() > b.max():
        a, b = b, a
    n, rows, columns = a.size, int(a.max()) + 1, int(b.max()) + 1
    if rows > n // 4:
        small = [ranks.astype(np.int16 if n < 2**15 else np.int32) for ranks in (a, b)]
        found = np.empty(n, dtype=np.int64)
        for start in range(0, n, _BLOCK):
            block = slice(start, start + _BLOCK)
            left, right = (np.sign(np.subtract.outer(r[block], r)).astype(np.int8) for r in small)
            found[block] = (left * right).sum(1, dtype=np.int32)
        return found
    below = np.zeros((rows + 1, columns + 1), dtype=np.int32)  # of [i, j]: how many have a < i and b < j
    np.add.at(below, (a + 1, b + 1), 1)
    below.cumsum(axis=0, out=below).cumsum(axis=1, out=below)
    both = below[a, b] + n - below[a + 1, -1] - below[-1, b + 1] + below[a + 1, b + 1]
    across = below[a, -1] - below[a, b + 1] + below[-1, b] - below[a + 1, b]
    agreeing: NDArray[np.int64] = (both - across).astype(np.int64)
    return agreeing


def _means(values: Array) -> Array:
    """Of the rows of `[r, n]`."""
    found: Array = values.mean(axis=1)
    return found


def _interquartile_means(values: Array) -> Array:
    """The mean of the middle half of each row of `[r, n]`: a quarter, rounded down, falls at either end."""
    return np.asarray(stats.trim_mean(values, 0.25, axis=1), dtype=np.float64)


def _finite(values: ArrayLike) -> Array:
    found = np.asarray(values, dtype=np.float64)
    return found[np.isfinite(found)]


@lru_cache
def _rows(n: int) -> NDArray[np.int64]:
    """`[resamples, n]` rows drawn with replacement."""
    found = np.random.default_rng(0).integers(n, size=(RESAMPLES, n))
    found.flags.writeable = False
    return found


def _shares(rng: np.random.Generator, n: int) -> Array:
    """`[resamples, n]` the share of each of n in a resample."""
    found: Array = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
    return found


def _quantiles(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def done(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that may be averaged: those of runs that finished and did not diverge."""
    return frame[frame["status"] == "done"]


def count(frame: pd.DataFrame, status: str) -> int:
    """The number of runs with that status, however many targets each was scored on."""
    return len({key for key, of in zip(frame["key"], frame["status"], strict=True) if of == status})
