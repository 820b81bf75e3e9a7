"""Means over seeds and their intervals. Only finished runs are averaged; diverged ones are counted beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

LEAST_RUNS = 3
"""Fewer runs than this get no interval."""
RESAMPLES = 9_999
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over runs with its interval, in the unit of the values; None where there is nothing to say."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


def mean_of(values: Iterable[float | None]) -> Mean:
    """The mean of the values that are known, with a percentile bootstrap interval from `LEAST_RUNS` values on.

    The resampling is seeded, so equal values give equal intervals. Percentile intervals as in Agarwal et al.
    (NeurIPS 2021, "Deep RL at the edge of the statistical precipice"); with few seeds they are rather too narrow.
    """
    known = np.sort([float(v) for v in values if v is not None and not np.isnan(v)])  # sorted: order moves nothing
    if not known.size:
        return Mean(None, None, None, 0)
    mean = float(known.mean())
    if known.size < LEAST_RUNS:
        return Mean(mean, None, None, known.size)
    if np.ptp(known) == 0:
        return Mean(mean, mean, mean, known.size)
    found = stats.bootstrap(
        (known,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = found.confidence_interval
    return Mean(mean, float(low), float(high), known.size)


def done(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that may be averaged: those of runs that finished and did not diverge."""
    return frame[frame["status"] == "done"]


def count(frame: pd.DataFrame, status: str) -> int:
    """The number of runs with that status, however many targets each was scored on."""
    return int(frame.loc[frame["status"] == status, "key"].nunique())
