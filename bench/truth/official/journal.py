"""What an import has read so far, on disk, so that a killed import goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import BadTable
from bench.store.files import is_at, opened, write_through
from bench.truth.official.measurements import Row

_FORMAT = 1


class Journal:
    """One line of JSON per architecture after a line that says which import it is. Raises BadTable where another
    import, or another process, has the file."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path, self.holds = path, False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = opened(path)
        except OSError as error:
            raise BadTable(f"cannot write {path}: {error.strerror}; choose another folder") from None
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._stream.close()
            raise BadTable(f"{path} is in use: another process imports to the same table; wait for it") from None
        try:
            self._start({"format": _FORMAT, **about})
        except BadTable:
            self._stream.close()
            raise

    def rows(self) -> Iterator[tuple[int, Row]]:
        """The size of the file that was read, and its row. Raises BadTable where the journal is damaged."""
        self._stream.seek(0)
        for number, line in enumerate(self._stream):
            if number:
                entry = self._parsed(line)
                if not isinstance(entry, dict) or entry.keys() != {"size", "row"} or not isinstance(entry["row"], dict):
                    raise self._damaged()
                yield entry["size"], entry["row"]

    def append(self, size: int, row: Row) -> None:
        """Keep a row; size: of the file that it was read from, bytes."""
        self._write({"size": size, "row": row})
        self.holds = True

    def close(self) -> None:
        """Let go of the file; it stays, unless it holds nothing: an import that was refused is in nobody's way."""
        if not self.holds and is_at(self._stream, self.path):
            self.path.unlink()
        self._stream.close()

    def remove(self) -> None:
        """Let go of the file and remove it: the table holds all that it held."""
        self.path.unlink(missing_ok=True)
        self.close()

    def _start(self, about: dict[str, Any]) -> None:
        """Write the first line, or compare it; cut off a last line that was not written whole."""
        self._stream.seek(0)
        end = 0
        for number, line in enumerate(self._stream):
            if line.endswith(b"\n"):
                end += len(line)
                self.holds = self.holds or number > 0
                if not number and self._parsed(line) != about:
                    raise BadTable(f"{self.path} is of an import from elsewhere; finish that one, or move it away")
        os.ftruncate(self._stream.fileno(), end)
        if not end:
            self._write(about)

    def _write(self, entry: Any) -> None:
        try:
            write_through(self._stream, json.dumps(entry).encode() + b"\n")
        except OSError as error:
            raise BadTable(f"cannot write {self.path}: {error.strerror}; what it holds is kept") from None

    def _parsed(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError:
            raise self._damaged() from None

    def _damaged(self) -> BadTable:
        return BadTable(f"{self.path} is damaged; move it away and import again")
