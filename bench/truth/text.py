"""Text files as people have them: packed or not, from any system, and as large as they may be."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import BadTable

LARGEST = 512 * 2**20
"""Bytes of text that are unpacked; the extract has 3 MB, and a small file may unpack to more than there is memory."""

MISSING = frozenset({"", "nan", "na", "n/a", "none", "null", "-"})
"""How a missing number is written, in any case of letters."""

PACKED: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
"""What packed files begin with, and how they are opened."""


def start_of(path: Path, most: int = 600) -> bytes:
    """The first bytes of what a file holds, unpacked. Raises BadTable where it is packed and damaged."""
    with path.open("rb") as stream:
        raw = stream.read(most)
    opened = _opener(raw)
    return raw if opened is None else _unpacked(path, opened, most)


def text_of(path: Path, what: str) -> str:
    """The text of a file in UTF-8, unpacked and without a byte order mark. what: it should be, for messages.

    Raises BadTable, whose message does not name the path.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
        if raw.startswith(b"PK\x03\x04"):
            raise BadTable(f"is a zip archive; unpack it and import {what} that it holds")
        opened = _opener(raw)
        content = raw if opened is None else _unpacked(path, opened, LARGEST + 1)
    except FileNotFoundError:
        raise BadTable("there is no such file") from None
    except OSError as error:
        raise BadTable(f"cannot be read ({error.strerror or error}); fetch it again") from None
    if len(content) > LARGEST:
        raise BadTable(f"holds more than {LARGEST / 2**20:,.0f} MB of text, which no such file does")
    if content[257:262] == b"ustar":
        raise BadTable(f"is a packed tar archive; unpack it and import {what} that it holds")
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise BadTable("is empty; fetch it again")
    if content.lstrip().startswith(b"<"):
        raise BadTable("is a web page, not an extract; open it in a browser to see why the download failed")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise BadTable(f"is no text; it should be {what}, plain or packed by gzip, bzip2 or xz") from None


def is_missing(text: str) -> bool:
    """Whether a field says that there is no number."""
    return text.strip().lower() in MISSING


def _opener(raw: bytes) -> Callable[[Path], Any] | None:
    return next((opened for magic, opened in PACKED.items() if raw.startswith(magic)), None)


def _unpacked(path: Path, opened: Callable[[Path], Any], most: int) -> bytes:
    """The first bytes of what is packed."""
    try:
        with opened(path) as stream:
            return bytes(stream.read(most))
    except EOFError:
        raise BadTable(f"is cut off after {path.stat().st_size:,} bytes; fetch it again") from None
    except (OSError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise BadTable(f"cannot be read ({error}); fetch it again") from None
