"""The file behind a table: one Parquet file, one row per architecture, a sealed JSON header in its metadata.

What is read is either exactly what was written or refused: a hash seals the header, and the header holds the hash of
the content (not of the bytes of the file, which differ between versions of the library).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.errors import BadTable
from bench.store.files import whole

FORMAT = 1
AGAIN = "fetch or make it again"
MAKE = "make a table of it with `python -m bench import`, if it is an official file"
ARCH = "arch"  # the column of official strings
TYPES = {np.dtype(np.float32): pa.float32(), np.dtype(np.int64): pa.int64()}

_HEADER, _SEAL = b"supernet-bench", b"supernet-bench.blake2b"
_OPTIONS = {
    "compression": "lz4",  # half the time of zstd on loading; dictionaries would cost more than they save
    "use_dictionary": [ARCH],
    "store_schema": False,
    "write_statistics": False,
    "write_page_checksum": True,
}
_MAGIC = b"PAR1"  # the first and the last four bytes of every Parquet file


@dataclass(frozen=True)
class Stored:
    """A file as it was read: header, the hash of its listing of architectures, and its columns of numbers."""

    header: dict[str, Any]
    listing_hash: str
    arrays: dict[str, NDArray[Any]]
    archs: Any  # pyarrow StringArray; turned into strings only to say what is wrong with it

    def listing(self) -> list[str]:
        """The official strings, one per row; what is no text is replaced."""
        return [text.decode(errors="replace") for text in self.archs.cast(pa.binary()).to_pylist()]


def digest(*parts: bytes | memoryview) -> str:
    """BLAKE2b of the parts, 16 bytes as 32 hexadecimal digits."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(part)
    return state.hexdigest()


def listing_hash(archs: Sequence[str]) -> str:
    """The hash of a listing of architectures: their UTF-8 bytes in a row, then their lengths as 32-bit numbers."""
    encoded = [arch.encode() for arch in archs]
    return _listing_hash(b"".join(encoded), np.array([len(text) for text in encoded], np.int32))


def content_hash(listing: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """The hash of a table's numbers: the hash of its listing, then per column, sorted by name, the name, the type
    and the little-endian values, each ended by a zero byte."""
    parts: list[bytes | memoryview] = [listing.encode(), b"\0"]
    for name in sorted(arrays):
        values = arrays[name]
        little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        parts += [name.encode() + b"\0" + values.dtype.name.encode() + b"\0", little.data, b"\0"]
    return digest(*parts)


def write(
    path: Path, header: Mapping[str, Any], archs: Sequence[str], arrays: Mapping[str, NDArray[Any]], replace: bool
) -> None:
    """Write the file atomically. Raises BadTable where it cannot be written, or stands there already unless
    `replace`."""
    try:
        text = json.dumps({"format": FORMAT, **header}, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise BadTable(f"cannot write {path}: the header's settings are no JSON ({error})") from None
    fields = [pa.field(ARCH, pa.string(), nullable=False)]
    fields += [pa.field(name, TYPES[values.dtype], nullable=False) for name, values in arrays.items()]
    columns = [pa.array(archs, pa.string()), *(pa.array(values) for values in arrays.values())]
    table = pa.table(columns, schema=pa.schema(fields))
    if path.exists() and not replace:
        raise BadTable(f"{path} exists already; move it away or choose another name")
    with (
        whole(path, BadTable, "choose another folder", "what was there before is untouched") as stream,
        pq.ParquetWriter(stream, table.schema, **_OPTIONS) as writer,
    ):
        writer.write_table(table)
        writer.add_key_value_metadata({_HEADER: text, _SEAL: digest(text)})


def read(path: Path) -> Stored:
    """The file, with its header's seal and format checked. Raises BadTable, whose message does not name the path."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BadTable("there is no such file") from None
    except OSError as error:
        raise BadTable(f"cannot be read: {error.strerror or error}") from None
    _sniff(content)
    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        metadata = file.metadata.metadata or {}
        header = _header(metadata[_HEADER], metadata.get(_SEAL, b""))
        table = file.read()
        arrays = {name: _numbers(table, name) for name in table.column_names if name != ARCH}
        archs = table.column(ARCH).combine_chunks()
        hashed = _hash_of_rows(archs)
    except KeyError as error:
        what = "column of architectures" if error.args == (ARCH,) else "header"
        raise BadTable(f"is a Parquet file, but no table of ground truth: it has no {what}") from None
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadTable(f"is damaged ({reason}); {AGAIN}") from None
    return Stored(header, hashed, arrays, archs)


def _sniff(content: bytes) -> None:
    """Refuse what is plainly something else, by its first and last bytes."""
    start = content[:512].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not content:
        raise BadTable(f"is empty (0 bytes); {AGAIN}")
    if start.startswith(b"<"):
        raise BadTable("is a web page, not a table; open it in a browser to see why the download failed")
    if content.startswith(b"\x1f\x8b"):
        raise BadTable(f"is a gzip file, not a table; {MAKE}")
    if not content.startswith(_MAGIC):
        raise BadTable(f"is no Parquet file (it starts with {content[:8]!r}); {MAKE}")
    if len(content) < 12 or not content.endswith(_MAGIC):
        raise BadTable(f"is cut off after {len(content):,} bytes; {AGAIN}")


def _header(text: bytes, seal: bytes) -> dict[str, Any]:
    """The header's JSON object. The format is looked at first: another one may be sealed in another way."""
    try:
        header = json.loads(text)
    except ValueError:
        raise BadTable(f"is damaged (the header is no JSON); {AGAIN}") from None
    found = header.get("format") if isinstance(header, dict) else None
    if type(found) is int and found > FORMAT:
        raise BadTable(f"was made by a newer version (format {found}; this program reads {FORMAT}); update the program")
    if found != FORMAT:
        raise BadTable(f"has format {found!r}, this program reads {FORMAT}; {AGAIN}")
    if seal.decode("ascii", "replace") != digest(text):
        raise BadTable(f"is damaged (the header's hash differs); {AGAIN}")
    return dict(header)


def _numbers(table: Any, name: str) -> NDArray[Any]:
    """A column as an array, by DLPack, because pyarrow's own way imports pandas (0.3 s)."""
    column = table.column(name)
    if column.type not in TYPES.values() or column.null_count:
        what = f"{column.null_count} nulls" if column.null_count else f"values of type {column.type}"
        raise BadTable(f"column {name!r} holds {what}; {AGAIN}")
    return np.from_dlpack(column.combine_chunks())


def _hash_of_rows(archs: Any) -> str:
    """`listing_hash` of a string array, from its buffers: 15,625 Python strings would take as long as all the rest."""
    if archs.type != pa.string() or archs.null_count or not len(archs):
        raise BadTable(f"column {ARCH!r} holds something else than architectures; {AGAIN}")
    _, offsets, text = archs.buffers()
    ends = np.frombuffer(offsets, np.int32, len(archs) + 1, 4 * archs.offset)
    return _listing_hash(memoryview(b"" if text is None else text)[ends[0] : ends[-1]], np.diff(ends))


def _listing_hash(text: memoryview | bytes, lengths: NDArray[np.int32]) -> str:
    return digest(text, lengths.astype("<i4").tobytes())
