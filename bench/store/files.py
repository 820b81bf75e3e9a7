"""Writing that neither a stop nor a full disk can spoil."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.errors import BadRecord, BenchError


@contextmanager
def whole(
    path: Path,
    fault: type[BenchError] = BadRecord,
    elsewhere: str = "choose another folder with --results",
    kept: str = "earlier results are untouched",
) -> Iterator[IO[bytes]]:
    """A file that is wholly there when the block ends, or not there: a temporary name in the same folder, flushed to
    disk, renamed. Raises `fault`, which says where else to write or what is kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise fault(f"cannot write {path}: {error.strerror or error}; {elsewhere}") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise fault(f"cannot write {path}: {error.strerror or error}; {kept}") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """The file is wholly there with that content, or not there. Raises BadRecord."""
    with whole(path) as stream:
        stream.write(content)


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
