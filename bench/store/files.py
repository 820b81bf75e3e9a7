"""Reading and writing files of ours: whole or not at all, and never by way of a link to somewhere else."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.errors import BadRecord, BenchError
from bench.store import hints

LARGEST = 1 << 28
"""Bytes of a file of JSON that is read; records have some ten thousand."""


@contextmanager
def whole(
    path: Path,
    fault: type[BenchError] = BadRecord,
    elsewhere: str = "choose another folder with --results",
    kept: str = "earlier results are untouched",
) -> Iterator[IO[bytes]]:
    """A file that is wholly there when the block ends, or not there: a temporary name in the same folder, flushed to
    disk, renamed. A link of that name is replaced, not followed. Raises `fault`, which says where else to write or what
    is kept."""
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
    except IsADirectoryError:
        raise fault(f"{path} is a folder where a file belongs; {hints.aside(path)}") from None
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


def opened(path: Path, mode: str = "a+b") -> IO[bytes]:
    """Open a file of ours to write, made where it is not there. Raises OSError, also where it is a link, which would be
    written elsewhere, or no ordinary file."""
    try:
        stream: IO[bytes] = open(path, mode, opener=_unlinked)  # noqa: SIM115  # the caller closes it
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link, and would be written elsewhere; remove the link") from None
        raise
    return stream


def _unlinked(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no ordinary file; remove it")
    return handle


def content_of(path: Path, most: int = LARGEST) -> bytes:
    """What an ordinary file holds. Raises OSError, also where it is something else, such as a pipe that would be waited
    for, or has more bytes than `most`."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        if state.st_size > most:
            raise OSError(errno.EFBIG, f"it has {state.st_size:,} bytes, which none of ours has")
        return stream.read()


def is_at(stream: IO[Any], path: Path) -> bool:
    """Whether an open file is still the one at that path: a lock on a file that was removed holds nothing."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
