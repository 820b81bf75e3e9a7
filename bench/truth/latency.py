"""How long every option of a block takes on a device: a sum over blocks, fitted on what a table measured of networks.

The term of ProxylessNAS (`methods/proxyless.py`) takes such a sum. On the devices of Accel-NASBench it is nearly the
whole truth: on held-out networks tau is 0.99 for latencies and 0.86 or more for throughputs. What comes out is a file
of settings, which holds speeds and no accuracy: a search may have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadTable, NoSuchEntry, UnknownName
from bench.metrics import tau_b
from bench.spaces.space import Genotype, Space
from bench.store.speeds import Speeds
from bench.streams import numpy_stream
from bench.truth.column import LATENCIES, MEAN, THROUGHPUTS, UNITS
from bench.truth.surrogate import HELD_OUT
from bench.truth.table import Table

IMAGES = 100
"""Of a throughput it is the time of so many: of one image it would be a fraction of a millisecond."""
DEVICES = (*LATENCIES, *THROUGHPUTS)
LEAST = 5
"""Networks for each number that is fitted."""


@dataclass(frozen=True)
class Fit:
    """Times of blocks, and how good they are. tau: of `held_out` networks that a first fit had not seen, of
    `networks`. A block gives that of its fastest option to the rest; options that it cannot take have 0."""

    speeds: Speeds
    networks: int
    held_out: int
    tau: float


def fitted(table: Table, device: str, target: float | None = None) -> Fit:
    """By least squares. target: milliseconds that a search aims at, the median of the networks by default.

    Raises UnknownName for a device that is none, NoSuchEntry where the table has no such numbers, BadTable where they
    are too few.
    """
    if device not in DEVICES:
        raise UnknownName("measure of speed", device, DEVICES)
    times = milliseconds(table, device)
    known = np.flatnonzero(np.isfinite(times))
    space = table.space
    if len(known) < LEAST * int(space.region.mask(len(space.ops)).sum()):
        raise BadTable(f"{table.header.name} has {device} of {len(known):,} networks, too few for a sum over blocks")
    genotypes = [table.population.at(int(row)) for row in known]
    order = numpy_stream(0, f"latency/{device}").permutation(len(known))
    out, seen = np.split(order, [round(HELD_OUT * len(order))])
    first = _fit(space, [genotypes[k] for k in seen], times[known[seen]])
    tau = tau_b(Speeds("", "", *first, 0.0, "").of([genotypes[k] for k in out]), times[known[out]])
    median, of = float(np.median(times[known])), "one image" if device in LATENCIES else f"{IMAGES} images"
    said = (
        f"milliseconds of {of}, from {device} of {len(known):,} networks, as a sum over blocks; tau of {tau:.3f} on "
        f"{len(out):,} that a fit on the others had not seen; median {median:.3g}"
    )
    blocks, rest = _fit(space, genotypes, times[known])
    aim = median if target is None else target
    return Fit(Speeds(space.name, device, blocks, rest, aim, said), len(known), len(out), tau)


def milliseconds(table: Table, device: str) -> NDArray[np.float64]:
    """`[N]` of one image, or of `IMAGES`, NaN where it was not measured. Raises NoSuchEntry."""
    for column in table.columns:
        if column.metric == device:
            dataset, split, epochs = column.dataset, column.split, column.epochs
            values = table.column(metric=device, dataset=dataset, split=split, epochs=epochs, seeds=MEAN)
            return 1_000 * values if UNITS[device] == "seconds" else 1_000 * IMAGES / values
    raise NoSuchEntry(f"table {table.header.name} has no {device}; import a release that measured it")


def _fit(space: Space, genotypes: Sequence[Genotype], times: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Blocks and rest. A constant may stand in any block, so each gives that of its fastest option to the rest."""
    allowed = space.region.mask(len(space.ops))  # [E, O]
    chosen = np.eye(len(space.ops))[np.array(genotypes)][:, allowed]
    found = np.linalg.lstsq(chosen, times, rcond=None)[0]
    blocks = np.full(allowed.shape, np.inf)
    blocks[allowed] = found
    least = blocks.min(axis=1, keepdims=True)
    return np.where(allowed, blocks - least, 0.0), float(least.sum())
