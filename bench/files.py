"""Writing that neither a stop nor a full disk can spoil."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, Any

from bench.errors import BadRecord


def write_atomically(path: Path, content: bytes) -> None:
    """The file is wholly there or not there: temporary name in the same folder, flushed to disk, renamed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise BadRecord(f"cannot write {path}: {error.strerror}; choose another folder with --results") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise BadRecord(f"cannot write {path}: {error.strerror}; earlier results are untouched") from None
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_through(stream: IO[bytes], content: bytes) -> None:
    """Append to an open file past its buffer. Raises OSError, and then leaves nothing that closing would try to write
    once more."""
    while content:
        content = content[os.write(stream.fileno(), content) :]


def is_at(stream: IO[Any], path: Path) -> bool:
    """Whether an open file is still the one at that path: a lock on a file that was removed holds nothing."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
