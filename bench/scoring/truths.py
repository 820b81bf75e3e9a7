"""The truth side of scores: what one table says of every architecture that a score by it has met so far.

It is the same for all runs of a truth and target, so it is kept once, in `truths/<truth>.<target>.parquet`. The pairs
of a run are the join of its estimates with this file (`analysis/pairs.py`). The file names the checksum of its truth:
a score by another one must not be joined with it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadRecord
from bench.runs import probe
from bench.runs.probe import Keys
from bench.store import hints, seals
from bench.store.files import content_of, write_atomically
from bench.store.locks import waiting

TYPES = {"test": "f4", "cell_class": "i4", "parameters": "i4", "multiply_adds": "i4"}
"""The columns beside the architecture: test accuracy (percent, NaN where the truth has none); the number of a class,
equal where architectures are equal when trained alone; sizes of the smallest network."""
_CHECKSUM = b"checksum"


@dataclass(frozen=True)
class Truths:
    """What such a file holds: the checksum of the truth, architectures `[n]` in ascending order, and the columns of
    `TYPES`, `[n]` each."""

    checksum: str
    keys: Keys
    columns: Mapping[str, NDArray[np.generic]]

    def at(self, keys: Keys) -> Truths:
        """These architectures, in their order. Raises KeyError for the first that is not there."""
        rows = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        there = np.zeros(len(keys), bool) if not len(self.keys) else self.keys[rows] == keys
        if not there.all():
            raise KeyError(keys[~there][0].item())
        return Truths(self.checksum, keys, {name: values[rows] for name, values in self.columns.items()})


def made(checksum: str, keys: Keys, columns: Mapping[str, NDArray[np.generic]]) -> Truths:
    """From columns in any order of architectures, which are all different; unrounded, unlike what a file holds."""
    order = np.argsort(keys)
    return Truths(checksum, keys[order], {name: columns[name][order] for name in TYPES})


def read(path: Path) -> Truths:
    """The file's content. Raises BadRecord where it cannot be read or is of another kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content_of(path)))
        checksum = table.schema.metadata[_CHECKSUM].decode()
        columns = {name: table[name].to_numpy().astype(kind) for name, kind in TYPES.items()}
        keys = probe.keys_in(table)
        probe.require_sealed(table, {probe.column_of(keys): keys, **columns}, checksum)
        return Truths(checksum, keys, columns)
    except (pa.ArrowException, *probe.UNREADABLE) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadRecord(
            f"{path} holds no truths ({reason}); {hints.aside(path)}, `python -m bench score` makes it again then"
        ) from None


def holds(path: Path, checksum: str, keys: Keys) -> bool:
    """Whether the file is there, of the truth of that checksum, and knows these architectures. Raises BadRecord."""
    found = read(path) if path.exists() else None
    return found is not None and found.checksum == checksum and bool(np.isin(keys, found.keys).all())


def extend(path: Path, keys: Keys, every: Truths) -> None:
    """Make the file hold these architectures, beside those that it holds already.

    every: what the truth says of all architectures that may be asked for. All rows are written from it, so after a
    change of the truth the older rows follow the new checksum too. Processes that extend one file wait for each other.
    Raises BadRecord.
    """
    with waiting(path.with_name(f".{path.name}.lock")):
        old = read(path) if path.exists() else None
        try:
            new = _rounded(every.at(np.unique(np.concatenate([keys, old.keys] if old else [keys]))))
        except KeyError as error:
            raise BadRecord(f"{path} holds {error}, which is not of this population; {hints.aside(path)}") from None
        if old is None or not _same(old, new):
            write_atomically(path, _to_bytes(new))


def _rounded(truths: Truths) -> Truths:
    """As the file holds it."""
    columns = {name: truths.columns[name].astype(kind) for name, kind in TYPES.items()}
    return Truths(truths.checksum, truths.keys, columns)


def _same(a: Truths, b: Truths) -> bool:
    return (
        a.checksum == b.checksum
        and np.array_equal(a.keys, b.keys)
        and all(np.array_equal(a.columns[name], b.columns[name], equal_nan=name == "test") for name in TYPES)
    )


def _to_bytes(truths: Truths) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    named = {probe.column_of(truths.keys): truths.keys, **truths.columns}
    seal = seals.of_arrays(named, truths.checksum)
    table = pa.table(named).replace_schema_metadata({_CHECKSUM: truths.checksum, probe.SEAL: seal})
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()
