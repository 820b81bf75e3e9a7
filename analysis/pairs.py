"""Pairs: what a supernet estimated, beside the truth, architecture by architecture. The estimates of a run are joined
with the truths of its score when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.load import RESCORE
from bench.errors import BadRecord
from bench.runs import probe
from bench.scoring import truths
from bench.scoring.panel import Ranking
from bench.store.record import Results

TENTHS = 10  # groups of equal number by true rank
LEAST_IN_GROUP = 5
DECIMALS = 4  # of a percentage; the files hold single precision


@dataclass(frozen=True)
class Sides:
    """Where the two sides of the pairs of a run lie, and the checksum of the truth that its score is by."""

    estimates: Path
    truths: Path
    checksum: str

    @property
    def absent(self) -> tuple[Path, ...]:
        """Those of the two files that are not at hand, or cannot be trusted."""
        return tuple(path for path in (self.estimates, self.truths) if not path.exists() or self.fault(path))

    def fault(self, path: Path) -> str:
        """Why one of the two, which is there, cannot be trusted; empty where it can."""
        state = path.stat()
        return _fault(path, path == self.estimates, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=65_536)
def _fault(path: Path, estimates: bool, changed_ns: int, size: int) -> str:
    try:
        _ = probe.read(path) if estimates else truths.read(path)
    except BadRecord as error:
        return str(error)
    return ""


def note_damage(frame: pd.DataFrame, results: Results) -> None:
    """Name in `results.damaged` what lies beside scores and cannot be trusted; nothing is drawn from it."""
    rows = frame[frame["pairs"].notna()]
    for key, truth, target, checksum in rows[["key", "truth", "target", "truth_checksum"]].itertuples(index=False):
        of = sides(results, key, truth, target, checksum)
        for path in (of.estimates, of.truths):
            if path.exists() and (why := of.fault(path)):
                results.damaged[path] = why


def sides(results: Results, key: str, truth: str, target: str, checksum: str) -> Sides:
    """The sides of the run `key` scored on `target` by `truth`."""
    return Sides(results.estimates_path(key), results.truths_path(truth, target), checksum)


def joined(of: Sides) -> pd.DataFrame:
    """One row per probed architecture: architecture (position or notation), estimate ([0, 1]), cross_entropy (nats),
    test (percent), cell_class, parameters, multiply_adds; NaN for no opinion, and for no truth.

    Raises BadRecord where a file cannot be read, the truths are of another checksum, or lack an architecture.
    """
    keys, values = probe.read(of.estimates)
    known = truths.read(of.truths)
    if known.checksum != of.checksum:
        raise BadRecord(
            f"{of.truths} is of the truth {known.checksum}, a score of {of.checksum}; run {RESCORE} again for all runs"
        )
    try:
        truth = known.at(keys)
    except KeyError as error:
        raise BadRecord(f"{of.truths} lacks architecture {error}; run {RESCORE} again") from None
    accuracy, cross_entropy = values.astype(np.float32).T
    estimates = {"architecture": keys, "estimate": accuracy, "cross_entropy": cross_entropy}
    return pd.DataFrame({**estimates, **truth.columns})


def read_pairs(of: Sides, expected: int) -> pd.DataFrame:
    """architecture, test (percent) and estimate (here percent too) of the architectures that have both.

    Raises BadRecord where the files cannot be joined, hold another number of pairs than `expected`, or an accuracy
    that is none.
    """
    pairs = joined(of)[["architecture", "test", "estimate"]]
    pairs = pairs.dropna().astype({"test": "float64", "estimate": "float64"})  # NaN: no opinion, or no truth
    names = f"{of.estimates} with {of.truths}"
    if len(pairs) != expected:
        raise BadRecord(f"{names} makes {len(pairs)} pairs, the score says {expected}; run {RESCORE} again")
    if not (pairs["test"].between(0, 100).all() and pairs["estimate"].between(0, 1).all()):
        raise BadRecord(f"{names} holds an accuracy out of range; run {RESCORE} again")
    return pairs.assign(estimate=100 * pairs["estimate"]).round(DECIMALS)


def read_ranking(of: Sides, estimate: str = "estimate") -> Ranking:
    """The pairs as what the panel is computed from; a size takes the place of the estimate where `estimate` names it:
    "parameters" or "multiply_adds". Of architectures without an opinion there is nothing in it. Raises BadRecord."""
    needed = (estimate, "cross_entropy", "test", "cell_class", "parameters")
    pairs = joined(of)
    data = {name: pairs[name].to_numpy(np.float64) for name in needed}
    known = np.isfinite(data[estimate]) & np.isfinite(data["test"])
    if estimate != "estimate":
        data["cross_entropy"] = np.full_like(data["test"], np.nan)  # a size has none
    return Ranking(*(data[name][known] for name in needed))


def tenths(ranks: pd.DataFrame) -> pd.DataFrame:
    """Means of true_rank and rank in up to `TENTHS` groups of equal number, by true rank; few have fewer groups."""
    ordered = ranks.sort_values(["true_rank", "architecture"])
    groups = max(1, min(TENTHS, len(ordered) // LEAST_IN_GROUP))
    group_of = np.arange(len(ordered)) * groups // len(ordered)
    return ordered[["true_rank", "rank"]].groupby(group_of).mean().round(2)
