"""The estimates that a run leaves: of which architectures, made block by block, and the file they lie in.

A block is some architectures with all that are the same function on shared weights, so that cutting the probe set
repeats no work. What is estimated so far lies in a file after every block. A run that was stopped there comes to
the end of its search again (`checkpoints.py`), on one CPU thread with the same weights; it then estimates the first
block, and where that comes out equal to the bit, goes on behind the last one.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadRecord
from bench.spaces.dag import CellSpace, distinct
from bench.spaces.space import Genotype, Space
from bench.store.files import write_atomically
from bench.streams import numpy_stream

BLOCK = 1024
"""Functions per block: whole heads of `bench.nets.sweep`, and enough to share first cells among."""

Estimates = tuple[NDArray[np.int32], NDArray[np.float64]]
"""Positions `[n]` in the space, and `[n, 2]` accuracy [0, 1] and cross-entropy (nats), NaN for no opinion."""


def probe_set(space: Space, count: int) -> list[Genotype]:
    """The architectures on which estimates are compared with the truth: the whole space for 0, else a uniform
    sample without repetition that is the same for every run."""
    if count == 0 or count >= space.size:
        return list(space.region.genotypes())
    rows = numpy_stream(0, f"probe/{space.name}/{count}").choice(space.size, count, replace=False)
    return [space.at(int(row)) for row in sorted(rows)]


def blocks(space: Space, genotypes: Sequence[Genotype]) -> list[NDArray[np.intp]]:
    """Rows of `genotypes`, each row in one block, of at most `BLOCK` functions on shared weights a block."""
    if not genotypes:
        return []
    function = np.array(distinct(space, genotypes)[0] if isinstance(space, CellSpace) else range(len(genotypes)))
    return [np.flatnonzero(function // BLOCK == block) for block in range(function.max() // BLOCK + 1)]


def estimated(
    estimate: Callable[[Sequence[Genotype], int | None], NDArray[np.float64]],
    space: Space,
    genotypes: Sequence[Genotype],
    images: int,
    partial: Path,
    known: Estimates | None = None,
    tell: Callable[[float], None] = lambda count: None,
) -> Estimates:
    """All of `genotypes`, by `estimate` on so many images; what is there before the last block lies in `partial`.

    known: what an earlier, unfinished run of the same key left there. tell: of architectures taken over from it.
    """
    positions = np.array([space.position(g) for g in genotypes], dtype=np.int32)
    values, made = np.full((len(genotypes), 2), np.nan), np.zeros(len(genotypes), dtype=bool)
    before, there = _lined_up(positions, known)
    todo, trusted = blocks(space, genotypes), False
    for number, rows in enumerate(todo):
        kept = bool(there[rows].all())
        if trusted and kept:
            values[rows] = before[rows]
            tell(len(rows))
        else:
            values[rows] = estimate([genotypes[row] for row in rows], images)
        if number == 0:
            trusted = kept and np.array_equal(values[rows], before[rows], equal_nan=True)
        made[rows] = True
        if number + 1 < len(todo) and not (trusted and kept):
            write_atomically(partial, to_bytes((positions[made], values[made]), "f8"))
    return positions, values


def _lined_up(positions: NDArray[np.int32], known: Estimates | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What is known of each position, NaN elsewhere, and of which something is known."""
    values, there = np.full((len(positions), 2), np.nan), np.zeros(len(positions), dtype=bool)
    if known is not None:
        row = {int(position): row for row, position in enumerate(known[0])}
        for k, position in enumerate(positions.tolist()):
            if position in row:
                values[k], there[k] = known[1][row[position]], True
    return values, there


_SMALL: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": ["accuracy"],  # shares of the same few images: few values
    "column_encoding": {"position": "DELTA_BINARY_PACKED", "cross_entropy": "BYTE_STREAM_SPLIT"},
}
"""How the file is written: half the bytes of the usual way, read alike."""


def to_bytes(estimates: Estimates, precision: str = "f4") -> bytes:
    """A Parquet file of columns `position`, `accuracy` ([0, 1]) and `cross_entropy` (nats)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    positions, values = estimates
    accuracy, cross_entropy = values.astype(precision).T
    stream = io.BytesIO()
    columns = {"position": positions, "accuracy": accuracy, "cross_entropy": cross_entropy}
    pq.write_table(pa.table(columns), stream, **_SMALL)
    return stream.getvalue()


def digest(estimates: Estimates) -> str:
    """A hash of the content, not of the file: equal wherever the numbers are equal in single precision."""
    positions, values = estimates
    hashed = hashlib.blake2b(positions.astype("<i4").tobytes(), digest_size=16)
    hashed.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return hashed.hexdigest()


def read(path: Path) -> Estimates:
    """What such a file holds. Raises BadRecord."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        values = [table[name].to_numpy() for name in ("accuracy", "cross_entropy")]
        return table["position"].to_numpy().astype(np.int32), np.stack(values, axis=1).astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise BadRecord(f"cannot read the estimates {path} ({error}); move it aside and run again") from None
