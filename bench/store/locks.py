"""One process per run: who is making what in a results folder. The system lets go of a claim when its process ends.

A claim is an advisory lock (`flock`). It holds among the processes of one machine, and among several machines where the
file system that they share has `flock`. Where it has not, two of them may make one run twice: the first record stays,
and another one that differs is refused.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from bench.errors import BadRecord, Busy
from bench.store import names, seals, strict
from bench.store.files import is_at, opened, write_through
from bench.store.spec import canonical

MOST = 10_000  # bytes of a claim that are read


@contextmanager
def claimed(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` while inside.

    Raises Busy, naming the process and its machine, where another holds it; BadRecord where the file cannot be written.
    """
    stream = _held(path, lambda: _locked(path, what))
    try:
        _sign(stream, path)
        yield
    finally:
        path.unlink(missing_ok=True)
        stream.close()


@contextmanager
def waiting(path: Path) -> Iterator[None]:
    """Hold the lock file `path` while inside, after any other that holds it. Raises BadRecord where the file cannot be
    written."""
    stream = _held(path, lambda: _patient(path))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        stream.close()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock file `path`. One that tries to take it at this very moment may find it held."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _held(path: Path, lock: Callable[[], IO[bytes]]) -> IO[bytes]:
    """The locked file. Raises BadRecord where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not is_at(stream := lock(), path):  # its last holder removed the file meanwhile
            stream.close()
        return stream
    except OSError as error:
        raise BadRecord(f"cannot write {path}: {error.strerror}; choose another folder with --results") from None


def _sign(stream: IO[bytes], path: Path) -> None:
    """Write down who holds the claim; that goes with it. Raises BadRecord where the disk is full."""
    claim = {"process": os.getpid(), "host": socket.gethostname(), "since": _now()}
    try:
        stream.truncate(0)
        write_through(stream, canonical(seals.sealed(claim)).encode())
    except OSError as error:
        raise BadRecord(f"cannot write {path}: {error.strerror}; make room and run the same command again") from None


def _owner(stream: IO[bytes]) -> str:
    """Who holds a claim, in words; nothing is believed that is not sealed."""
    try:
        stream.seek(0)
        claim, whole = seals.opened(strict.parsed(stream.read(MOST)))
        if whole:
            return names.printable("process {process} on host {host} since {since}".format(**claim))
    except (OSError, ValueError, AttributeError, KeyError):
        pass  # written at this moment, by an earlier version, or damaged: the lock is what counts
    return "another process"


def _patient(path: Path) -> IO[bytes]:
    stream = opened(path)
    fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"


def _locked(path: Path, what: str) -> IO[bytes]:
    stream = opened(path)
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = _owner(stream)
        stream.close()
        raise Busy(f"{owner} is making {what}; it is waited for") from None
    except OSError:
        stream.close()
        raise
    return stream
