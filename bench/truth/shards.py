"""Blocks of finished trainings on disk, safe against any interruption and any number of workers.

A series is a folder with one Parquet file per block of architectures, written once and whole. A block in
progress is a journal beside it, one line per finished architecture, so that a killed worker loses at most the
training in flight. A block belongs to the process that holds the lock on its journal; the kernel drops the lock
when that process ends, however it ends, so nothing is ever stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import BadData
from bench.store.files import is_at, opened, write_through

FORMAT = 1
SPLITS = ("train", "valid", "test")
COLUMNS = tuple(f"{split}_{measure}" for split in SPLITS for measure in ("accuracy", "cross_entropy"))

SCHEMA = pa.schema(
    [("position", pa.int32()), ("seed", pa.int16())] + [(name, pa.float32()) for name in (*COLUMNS, "seconds")]
)

_HEADER = b"supernet-bench"  # key of the header in the Parquet metadata


@dataclass(frozen=True)
class Trained:
    """One architecture: lists `[seeds]` per column (percent, nats; None where a seed diverged)."""

    position: int  # its row in the population of the space
    values: Mapping[str, Sequence[float | None]]
    seconds: float  # CPU seconds, all seeds together


@dataclass
class Journal:
    """The finished architectures of one block, in the block's order, held by this process alone."""

    path: Path
    file: IO[bytes]
    rows: list[Trained] = field(default_factory=list)

    def append(self, row: Trained) -> None:
        """Add one architecture; it is on the disk when this returns."""
        _write_line(self.file, {"position": row.position, "seconds": row.seconds, **row.values})
        self.rows.append(row)

    def close(self) -> None:
        """Let the block go, finished or not."""
        self.file.close()


@dataclass(frozen=True)
class Series:
    """Where the blocks of one series lie and what they must hold.

    `header` is everything that decides the numbers, as JSON; files with another header are refused.
    """

    folder: Path
    header: Mapping[str, Any]
    seeds: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]  # rows of the architectures per block

    def shard(self, block: int) -> Path:
        """The file of a finished block."""
        return self.folder / f"{block:04d}.parquet"

    def journal(self, block: int) -> Path:
        """The file of a block in progress."""
        return self.folder / f"{block:04d}.jsonl"

    def claim(self, block: int) -> Journal | None:
        """The journal of an unfinished block, or None when the block is finished or another process holds it."""
        path = self.journal(block)
        if self.shard(block).exists() and not path.exists():
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        file = opened(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        if self.shard(block).exists():  # finished since, or killed between the shard and the end of its journal
            path.unlink(missing_ok=True)
        if not is_at(file, path):
            file.close()
            return None
        try:
            _trim(file, path)
            rows = self._journalled(block)
        except BadData:
            file.close()
            raise
        if rows is None:
            _write_line(file, {"header": self.header})
        return Journal(path, file, rows or [])

    def seal(self, block: int, journal: Journal) -> None:
        """Write the finished block and drop its journal."""
        positions = self.blocks[block]
        assert [row.position for row in journal.rows] == list(positions), "a block is sealed when it is finished"
        each, seeds = len(self.seeds), np.array(self.seeds, np.int16)
        columns: dict[str, Any] = {
            "position": np.repeat(np.array(positions, np.int32), each),
            "seed": np.tile(seeds, len(positions)),
        }
        for name in COLUMNS:
            columns[name] = pa.array([v for row in journal.rows for v in row.values[name]], pa.float32())
        columns["seconds"] = np.repeat(np.array([r.seconds / each for r in journal.rows], np.float32), each)
        _write_table(self.shard(block), pa.table(columns, SCHEMA), self.header)
        journal.path.unlink()
        journal.close()

    def read(self, block: int) -> pa.Table:
        """A finished block: one row per architecture and seed, with `position`, `seed`, the score columns
        (float32; percent, nats; null where a seed diverged) and `seconds` (CPU, of one seed).

        Raises BadData when the file is damaged or of other settings.
        """
        path = self.shard(block)
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
            header = json.loads((file.schema_arrow.metadata or {})[_HEADER])
            table = file.read().replace_schema_metadata(None)
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise BadData(f"{path} is no readable shard ({type(error).__name__}); move it away and run again") from None
        self._check(path, header)
        if table.schema != SCHEMA:
            raise BadData(f"{path} holds other columns than a shard has; move it away and run again")
        expected = [(position, seed) for position in self.blocks[block] for seed in self.seeds]
        if list(zip(*(table[name].to_pylist() for name in ("position", "seed")), strict=True)) != expected:
            raise BadData(f"{path} does not hold the architectures of block {block}; move it away and run again")
        return table

    def finished(self) -> list[int]:
        """The blocks that are finished."""
        return [block for block in range(len(self.blocks)) if self.shard(block).exists()]

    def count(self, blocks: Sequence[int]) -> int:
        """How many architectures of these blocks are finished, journals included. Cheap: nothing is parsed."""
        total = 0
        for block in blocks:
            if self.shard(block).exists():
                total += len(self.blocks[block])
                continue
            with contextlib.suppress(FileNotFoundError):  # just finished, or not begun
                total += max(0, self.journal(block).read_bytes().count(b"\n") - 1)
        return total

    def check(self) -> None:
        """Raises BadData when any file in the folder is of other settings or damaged."""
        for block in range(len(self.blocks)):
            if self.shard(block).exists():
                self.read(block)
                continue
            with contextlib.suppress(FileNotFoundError):
                self._journalled(block)

    def _check(self, path: Path, header: object) -> None:
        wanted = _flat(json.loads(json.dumps(self.header)))
        found = _flat(header)
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key):
                raise BadData(
                    f"{path} was made with other settings ({key} is {found.get(key)!r} there, {wanted.get(key)!r}"
                    " here); choose another folder or move that file away"
                )

    def _journalled(self, block: int) -> list[Trained] | None:
        """The rows of a journal, None when it has not even a header. An unfinished last line is ignored."""
        path = self.journal(block)
        lines = path.read_bytes().split(b"\n")[:-1]
        rows = []
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                if number == 1:
                    header = entry["header"]
                else:
                    values = {name: [None if v is None else float(v) for v in entry[name]] for name in COLUMNS}
                    rows.append(Trained(int(entry["position"]), values, float(entry["seconds"])))
            except (ValueError, KeyError, TypeError):
                raise BadData(f"{path}, line {number}, is damaged; move the file away and run again") from None
        if not lines:
            return None
        self._check(path, header)
        if [row.position for row in rows] != list(self.blocks[block][: len(rows)]):
            raise BadData(f"{path} does not hold the architectures of block {block}; move it away and run again")
        return rows


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested JSON as `{"training.batch": 64}`."""
    if not isinstance(value, dict):
        return {prefix: value}
    return dict(pair for key, inner in value.items() for pair in _flat(inner, f"{prefix}.{key}".strip(".")).items())


def _trim(file: IO[bytes], path: Path) -> None:
    """Cut off an unfinished last line, which a killed process or a full disk leaves behind."""
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        warnings.warn(f"{path}: dropped an unfinished last line of {len(content) - whole} bytes", stacklevel=2)
        file.truncate(whole)


def _write_line(file: IO[bytes], entry: Mapping[str, Any]) -> None:
    write_through(file, json.dumps(entry, allow_nan=False).encode() + b"\n")
    os.fsync(file.fileno())


def _write_table(path: Path, table: pa.Table, header: Mapping[str, Any]) -> None:
    """Write a Parquet file under a temporary name, bring it to the disk and rename it."""
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    part = path.with_name(f"{path.name}.tmp")
    with opened(part, "wb") as file:
        pq.write_table(
            table.replace_schema_metadata({_HEADER: text.encode()}),
            file,
            compression="zstd",
            write_statistics=False,
            write_page_checksum=True,
        )
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def finite(values: Iterable[float]) -> list[float | None]:
    """Plain floats for a journal, None for what is not finite."""
    return [float(v) if math.isfinite(v) else None for v in values]
