"""The estimates that a run leaves: of which architectures, made block by block, and the file they lie in.

A block is some architectures with all that are the same function on shared weights, so that cutting the probe set
repeats no work. What is estimated so far lies in a file after every block. A run that was stopped there comes to
the end of its search again (`checkpoints.py`), on one CPU thread with the same weights; it then estimates the first
block, and where that comes out equal to the bit, goes on behind the last one.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadRecord, BadSpec
from bench.spaces.space import Genotype, Space
from bench.store import hints, seals
from bench.store.files import content_of, write_atomically
from bench.store.record import Results
from bench.streams import numpy_stream

BLOCK = 1024
"""Functions per block: whole heads of `bench.nets.sweep`, and enough to share first cells among."""

SEAL = "supernet-bench.seal"
"""The key of the seal in the metadata of Parquet files."""

UNREADABLE = (OSError, ValueError, LookupError, TypeError, ArithmeticError, MemoryError, NotImplementedError)
"""What reading a damaged Parquet file raises beside pyarrow's own errors."""

Keys = NDArray[np.int32] | NDArray[np.str_]
"""`[n]` architectures: their lexicographic ranks, where a space's population is all of it, else their notations."""

Estimates = tuple[Keys, NDArray[np.float64]]
"""Architectures `[n]`, and `[n, 2]` accuracy [0, 1] and cross-entropy (nats), NaN for no opinion."""


def keys_of(space: Space, genotypes: Sequence[Genotype]) -> Keys:
    """What architectures are called in files."""
    if space.population.whole:
        return np.array([space.population.row(g) for g in genotypes], dtype=np.int32)
    return np.array([space.show(g) for g in genotypes], dtype=np.str_)


def genotypes_of(space: Space, keys: Keys) -> list[Genotype]:
    """The inverse of `keys_of`. Raises BadGenotype."""
    if keys.dtype.kind in "iu":
        return [space.population.at(int(key)) for key in keys]
    return [space.parse(str(key)) for key in keys]


def probe_set(space: Space, count: int) -> list[Genotype]:
    """The architectures on which estimates are compared with the truth: the space's population for 0, else a uniform
    sample of it without repetition that is the same for every run. Raises BadSpec where a sample is smaller than that.
    """
    population = space.population
    if count > len(population) and not population.whole:
        raise BadSpec(
            f"a probe of {count:,} architectures is more than the {population.about} of {space.name}; choose a scale "
            f"whose probe is {len(population):,} or less"
        )
    if count == 0 or count >= len(population):
        return list(population)
    rows = numpy_stream(0, f"probe/{population.space.name}/{count}").choice(len(population), count, replace=False)
    return [population.at(int(row)) for row in sorted(rows)]


def blocks(space: Space, genotypes: Sequence[Genotype]) -> list[NDArray[np.intp]]:
    """Rows of `genotypes`, each row in one block, of at most `BLOCK` functions on shared weights a block."""
    if not genotypes:
        return []
    function = np.array(space.functions(genotypes)[0])
    return [np.flatnonzero(function // BLOCK == block) for block in range(function.max() // BLOCK + 1)]


Estimate = Callable[[Sequence[Genotype], int | None], NDArray[np.float64]]
"""`[n, 2]` accuracy and cross-entropy of architectures, on so many validation images."""


def within(space: Space, estimate: Estimate) -> Estimate:
    """No opinion, NaN, on what the space cannot find: it may be judged by the population of a wider one."""

    def own(genotypes: Sequence[Genotype], images: int | None) -> NDArray[np.float64]:
        values = np.full((len(genotypes), 2), np.nan)
        rows = [row for row, genotype in enumerate(genotypes) if space.feasible(genotype)]
        if rows:
            values[rows] = estimate([genotypes[row] for row in rows], images)
        return values

    return own


def estimated(
    estimate: Estimate,
    space: Space,
    genotypes: Sequence[Genotype],
    images: int | None,
    partial: Path,
    known: Estimates | None = None,
    tell: Callable[[float], None] = lambda count: None,
) -> Estimates:
    """All of `genotypes`, by `estimate`; what is there before the last block lies in `partial`.

    images: for one estimate, None for all. known: what an earlier, unfinished run of the same key left there. tell: of
    architectures taken over from it.
    """
    keys = keys_of(space, genotypes)
    values, made = np.full((len(genotypes), 2), np.nan), np.zeros(len(genotypes), dtype=bool)
    before, there = _lined_up(keys, known)
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
            write_atomically(partial, to_bytes((keys[made], values[made]), "f8"))
    return keys, values


def _lined_up(keys: Keys, known: Estimates | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What is known of each architecture, NaN elsewhere, and of which something is known."""
    values, there = np.full((len(keys), 2), np.nan), np.zeros(len(keys), dtype=bool)
    if known is not None:
        row = {key: row for row, key in enumerate(known[0].tolist())}
        for k, key in enumerate(keys.tolist()):
            if key in row:
                values[k], there[k] = known[1][row[key]], True
    return values, there


def _small(key: str) -> dict[str, Any]:
    """How the file is written: half the bytes of the usual way, read alike."""
    encoding = {"position": "DELTA_BINARY_PACKED", "architecture": "DELTA_BYTE_ARRAY"}[key]
    return {
        "compression": "zstd",
        "compression_level": 19,
        "use_dictionary": ["accuracy"],  # shares of the same few images: few values
        "column_encoding": {key: encoding, "cross_entropy": "BYTE_STREAM_SPLIT"},
    }


def to_bytes(estimates: Estimates, precision: str = "f4") -> bytes:
    """A Parquet file of columns `position` or `architecture`, `accuracy` ([0, 1]) and `cross_entropy` (nats)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys, values = estimates
    accuracy, cross_entropy = values.astype(precision).T
    stream = io.BytesIO()
    columns = {column_of(keys): keys, "accuracy": accuracy, "cross_entropy": cross_entropy}
    arrays = {name: _laid(pa, values) for name, values in columns.items()}
    table = pa.table(arrays).replace_schema_metadata({SEAL: seals.of_arrays(columns)})
    pq.write_table(table, stream, **_small(column_of(keys)))
    return stream.getvalue()


def _laid(pa: Any, values: NDArray[Any]) -> Any:
    """An array of pyarrow's; numbers by their buffer, as its own way imports pandas (0.3 s of every run)."""
    if values.dtype.kind == "U":
        return pa.array(values)
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, buffer])


def keys_in(table: Any) -> Keys:
    """The architectures of a Parquet table of ours. Raises KeyError where it has none."""
    if "position" in table.column_names:
        positions: NDArray[np.int32] = table["position"].to_numpy().astype(np.int32)
        return positions
    return np.array(table["architecture"].to_pylist(), dtype=np.str_)


def column_of(keys: Keys) -> str:
    """What the column of architectures is called."""
    return "position" if keys.dtype.kind in "iu" else "architecture"


def of_record(key: str, note: Mapping[str, Any], results: Results) -> Estimates:
    """The estimates that a record was written with; `note` is what it says of them. Raises BadRecord where they are not
    there, or are others."""
    path = results.estimates_path(key)
    estimates = read(path)
    if digest(estimates) != note["blake2b"]:
        raise BadRecord(f"{path} is not what record {key} was written with; {hints.aside(path)}, run it again then")
    return estimates


def digest(estimates: Estimates) -> str:
    """A hash of the content, not of the file: equal wherever the numbers are equal in single precision."""
    keys, values = estimates
    named = keys.astype("<i4").tobytes() if keys.dtype.kind in "iu" else "\n".join(keys.tolist()).encode()
    hashed = hashlib.blake2b(named, digest_size=16)
    hashed.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return hashed.hexdigest()


def note(path: Path, estimates: Estimates, images: int) -> dict[str, Any]:
    """What a record says of its estimates, which lie in that file. images: validation images of one."""
    keys, values = estimates
    return {
        "file": path.name,
        "blake2b": digest(estimates),
        "probe": len(keys),
        "opinions": int(np.isfinite(values[:, 0]).sum()),
        "images": images,
    }


def read(path: Path) -> Estimates:
    """What such a file holds; where it has a seal, that holds. Raises BadRecord."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content_of(path)))
        keys = keys_in(table)
        columns = {name: table[name].to_numpy() for name in ("accuracy", "cross_entropy")}
        require_sealed(table, {column_of(keys): keys, **columns})
        return keys, np.stack(list(columns.values()), axis=1).astype(np.float64)
    except (pa.ArrowException, *UNREADABLE) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadRecord(
            f"cannot read the estimates {path} ({reason}); {hints.aside(path)}, run it again then"
        ) from None


def require_sealed(table: Any, columns: Mapping[str, NDArray[Any]], text: str = "") -> bool:
    """Whether a Parquet table of ours has a seal, which holds. Raises ValueError where it is broken."""
    found = (table.schema.metadata or {}).get(SEAL.encode())
    return seals.require(None if found is None else found.decode("ascii", "replace"), seals.of_arrays(columns, text))
