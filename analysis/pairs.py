"""The side files of scores: what a supernet estimated, beside the truth, architecture by architecture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

from analysis.load import RESCORE
from bench.errors import BadRecord
from bench.scoring.panel import Ranking

TREND_BINS = 20  # of the running median, equal in number of architectures
LEAST_IN_BIN = 5
DECIMALS = 4  # of a percentage; the files hold single precision
_COLUMNS = ["position", "test", "estimate"]


def read_pairs(path: Path, expected: int) -> pd.DataFrame:
    """position, test (percent) and estimate (here percent too) of the architectures that have both.

    Raises BadRecord where the file cannot be read, holds another number of pairs than `expected`, or an accuracy
    that is none.
    """
    try:
        pairs = pd.DataFrame(pyarrow.parquet.read_table(path, columns=_COLUMNS).to_pandas())[_COLUMNS]
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are ValueErrors
        raise BadRecord(f"{path} is no table of pairs ({str(error).splitlines()[0]}); run {RESCORE} again") from None
    pairs = pairs.dropna().astype({"test": "float64", "estimate": "float64"})  # NaN: no opinion, or no truth
    if len(pairs) != expected:
        raise BadRecord(f"{path} holds {len(pairs)} pairs, its score says {expected}; run {RESCORE} again")
    if not (pairs["test"].between(0, 100).all() and pairs["estimate"].between(0, 1).all()):
        raise BadRecord(f"{path} holds an accuracy out of range; run {RESCORE} again")
    return pairs.assign(estimate=100 * pairs["estimate"]).round(DECIMALS)


def read_ranking(path: Path, estimate: str = "estimate") -> Ranking:
    """The pairs as what the panel is computed from; a size takes the place of the estimate where `estimate` names it:
    "parameters" or "multiply_adds". Of architectures without an opinion there is nothing in it. Raises BadRecord."""
    needed = (estimate, "cross_entropy", "test", "cell_class", "parameters")
    columns = sorted(set(needed))
    try:
        table = pyarrow.parquet.read_table(path, columns=columns)
        data = {name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in columns}
    except (OSError, ValueError, KeyError) as error:
        raise BadRecord(f"{path} is no table of pairs ({str(error).splitlines()[0]}); run {RESCORE} again") from None
    known = np.isfinite(data[estimate]) & np.isfinite(data["test"])
    if estimate != "estimate":
        data["cross_entropy"] = np.full_like(data["test"], np.nan)  # a size has none
    return Ranking(*(data[name][known] for name in needed))


def running_median(pairs: pd.DataFrame) -> pd.DataFrame:
    """Medians of test and estimate in up to `TREND_BINS` bins of equal number, by true test accuracy."""
    ordered = pairs.sort_values(["test", "position"])
    bins = max(1, min(TREND_BINS, len(ordered) // LEAST_IN_BIN))
    bin_of = np.arange(len(ordered)) * bins // len(ordered)
    return ordered[["test", "estimate"]].groupby(bin_of).median()
