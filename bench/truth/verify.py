"""Whether stored trainings can be repeated: train some again and compare.

On the type of machine that made a class the numbers come out equal. Elsewhere the last digits of every sum differ,
which grows over a training until it is as another seed would be, so there the seed noise is the measure. A table may
come from several types of machine; a class, whose seeds are trained together, comes from one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from bench import spaces
from bench.errors import BadData
from bench.truth.plan import Plan, load_images, train_class
from bench.truth.shards import COLUMNS, Series, Trained
from bench.truth.workers import Context

NOISE = 5.0  # how many standard deviations between seeds two trainings may lie apart
RTOL, ATOL = 1e-5, 1e-5


@dataclass(frozen=True)
class Verdict:
    """How many numbers were compared, how many are equal, how many of the others are within seed noise, and how many
    of those stand out: not equal, in a class where most are."""

    compared: int
    equal: int
    within: int
    odd: int
    worst: str  # the value that is furthest off, in words

    @property
    def good(self) -> bool:
        """Every class is equal throughout or, made on a machine of another type, within seed noise throughout."""
        return self.odd == 0 and self.equal + self.within == self.compared

    def __str__(self) -> str:
        off = self.compared - self.equal - self.within
        odd = f", {self.odd} unlike the rest of their class" if self.odd else ""
        return (
            f"{self.compared} values trained again: {self.equal} equal, {self.within} within seed noise,"
            f" {off} beyond it{odd}; largest difference: {self.worst}"
        )


def verify(
    plan: Plan, shards: Series, count: int, rng: np.random.Generator, workers: int, context: Context | None = None
) -> Verdict:
    """Train `count` finished classes again, drawn by `rng`. Raises BadData where nothing is finished."""
    finished = shards.finished()
    if not finished:
        raise BadData(f"{shards.folder} holds no finished shard to verify")
    table = pa.concat_tables(shards.read(block) for block in finished)
    stored = np.stack([table[name].to_numpy() for name in COLUMNS], 1).astype(np.float64)
    stored = stored.reshape(-1, len(shards.seeds), len(COLUMNS))  # [classes, seeds, columns]
    positions = table["position"].to_numpy()[:: len(shards.seeds)]
    chosen = np.sort(rng.permutation(len(positions))[:count])
    with ProcessPoolExecutor(workers, mp_context=context or get_context("spawn")) as pool:
        rows = list(pool.map(partial(_again, plan), positions[chosen].tolist()))
    again = np.array([[row.values[name] for name in COLUMNS] for row in rows], np.float64).transpose(0, 2, 1)
    spread = stored.std(1, ddof=1) if len(shards.seeds) > 1 else np.full(stored[:, 0].shape, np.nan)
    limit = NOISE * np.fmax(spread[chosen], np.nanmedian(spread, axis=0))[:, None]
    population = spaces.get(plan.space).population
    genotypes = [population.at(position) for position in positions[chosen].tolist()]
    return compare(stored[chosen], again, limit, list(map(population.space.show, genotypes)), shards.seeds)


def _again(plan: Plan, position: int) -> Trained:
    torch.set_num_threads(1)  # in a process of its own; as when the shards were made
    return train_class(plan, load_images(plan), position)


def compare(
    stored: NDArray[np.float64],
    again: NDArray[np.float64],
    limit: NDArray[np.float64],
    names: Sequence[str],
    seeds: Sequence[int],
) -> Verdict:
    """The verdict on `again`. stored, again: `[classes, seeds, columns]`; limit: `[classes, 1, columns]`, the largest
    noise; names: of the classes."""
    equal = np.isclose(stored, again, rtol=RTOL, atol=ATOL, equal_nan=True)
    gap = np.abs(stored - again)
    within = ~equal & (gap <= limit)
    alike = equal.mean((1, 2), keepdims=True) > 0.5  # classes from the type of machine that this one is
    most = np.broadcast_to(limit, gap.shape)
    ratio = np.divide(gap, most, out=np.full(gap.shape, np.inf), where=most > 0)
    share = np.where(equal, 0, np.nan_to_num(ratio, nan=np.inf))
    at = i, j, k = tuple(int(index) for index in np.unravel_index(share.argmax(), share.shape))
    worst = f"{COLUMNS[k]} of {names[i]}, seed {seeds[j]}: {stored[at]:.6g} stored, {again[at]:.6g} now"
    worst = "none" if equal.all() else worst
    return Verdict(equal.size, int(equal.sum()), int(within.sum()), int((alike & ~equal).sum()), worst)
