"""What a paired comparison of so many seeds can show: the power of Student's test, and the smallest difference that it
finds as often as is wanted.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Array = NDArray[np.float64]

WANTED = 0.8
LEVEL = 0.05
_POINTS = 4_096
"""Of the distribution of the estimated deviation, over which the power is a mean."""


def power(difference: float, sd: float, n: int, level: float = LEVEL) -> float:
    """The chance that the two-sided test at `level` finds a true mean difference: n pairs, whose differences are normal
    with standard deviation `sd`.

    P(|T| > t) of a noncentral t, as the mean over the estimated deviation s of P(|Z + d| > t s): scipy's own
    distribution function is not a number where few pairs meet a strict level.
    """
    if n < 2 or sd <= 0:
        raise ValueError(f"the power of {n} pairs with a deviation of {sd} is not defined")
    away, beyond = difference / sd * np.sqrt(n), _beyond(n, level)
    return float(np.mean(stats.norm.sf(beyond - away) + stats.norm.cdf(-beyond - away)))


def smallest_difference(sd: float, n: int, level: float = LEVEL, wanted: float = WANTED) -> float:
    """The difference that is found with power `wanted`."""

    def lack(difference: float) -> float:
        return power(difference, sd, n, level) - wanted

    high = sd
    while lack(high) < 0:
        high *= 2
    return float(optimize.brentq(lack, 0.0, high, xtol=1e-6 * sd))


def pairs_needed(difference: float, sd: float, level: float = LEVEL, wanted: float = WANTED, most: int = 1_000) -> int:
    """The fewest pairs that find `difference` with power `wanted`; `most` where even these do not."""
    return 2 + bisect_left(range(2, most), wanted, key=lambda n: power(difference, sd, n, level))


@lru_cache
def _beyond(n: int, level: float) -> Array:
    """What a normal deviate has to exceed, at equally likely values of the estimated deviation."""
    middles = (np.arange(_POINTS) + 0.5) / _POINTS
    deviations = np.sqrt(stats.chi2.ppf(middles, n - 1) / (n - 1))
    return np.asarray(stats.t.isf(level / 2, n - 1) * deviations, dtype=np.float64)
