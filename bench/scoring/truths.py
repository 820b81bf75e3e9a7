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
from bench.store.files import write_atomically
from bench.store.locks import waiting

TYPES = {"position": "i4", "test": "f4", "cell_class": "i4", "parameters": "i4", "multiply_adds": "i4"}
"""The columns: the position in the space; test accuracy (percent, NaN where the truth has none); the number of a class,
equal where cells are equal when trained alone; weights per pair of channels; multiply-adds per pixel and such pair."""
_CHECKSUM = b"checksum"


@dataclass(frozen=True)
class Truths:
    """What such a file holds: the checksum of the truth, and the columns of `TYPES`, each `[n]`, by position."""

    checksum: str
    columns: dict[str, NDArray[np.generic]]

    @property
    def positions(self) -> NDArray[np.int32]:
        """`[n]`, ascending."""
        return self.columns["position"].astype(np.int32, copy=False)

    def at(self, positions: NDArray[np.int32]) -> dict[str, NDArray[np.generic]]:
        """All columns for these architectures, in their order. Raises KeyError for the first that is not there."""
        rows = np.minimum(np.searchsorted(self.positions, positions), max(len(self.positions) - 1, 0))
        there = np.zeros(len(positions), bool) if not len(self.positions) else self.positions[rows] == positions
        if not there.all():
            raise KeyError(int(positions[~there][0]))
        return {name: values[rows] for name, values in self.columns.items()}


def read(path: Path) -> Truths:
    """The file's content. Raises BadRecord where it cannot be read or is of another kind."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        checksum = table.schema.metadata[_CHECKSUM].decode()
        return Truths(checksum, {name: table[name].to_numpy().astype(kind) for name, kind in TYPES.items()})
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's own errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise BadRecord(f"{path} holds no truths ({reason}); remove it and run `python -m bench score` again") from None


def holds(path: Path, checksum: str, positions: NDArray[np.int32]) -> bool:
    """Whether the file is there, of the truth of that checksum, and knows these architectures. Raises BadRecord."""
    found = read(path) if path.exists() else None
    return found is not None and found.checksum == checksum and bool(np.isin(positions, found.positions).all())


def extend(path: Path, checksum: str, positions: NDArray[np.int32], whole: Mapping[str, NDArray[np.float64]]) -> None:
    """Make the file hold these architectures, beside those that it holds already.

    whole: every other column of `TYPES` for the whole space, `[N]`. All rows are written from it, so after a change of
    the truth the older rows follow the new checksum too. Processes that extend one file wait for each other. Raises
    BadRecord.
    """
    with waiting(path.with_name(f".{path.name}.lock")):
        old = read(path) if path.exists() else None
        union = np.unique(np.concatenate([positions, old.positions] if old else [positions]))
        values = {"position": union, **{name: column[union] for name, column in whole.items()}}
        new = Truths(checksum, {name: values[name].astype(kind) for name, kind in TYPES.items()})
        if old is None or not _same(old, new):
            write_atomically(path, _to_bytes(new))


def _same(a: Truths, b: Truths) -> bool:
    return a.checksum == b.checksum and all(
        np.array_equal(a.columns[name], b.columns[name], equal_nan=name == "test") for name in TYPES
    )


def _to_bytes(truths: Truths) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(truths.columns).replace_schema_metadata({_CHECKSUM: truths.checksum})
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()
