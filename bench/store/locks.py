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
from bench.store.files import is_at


@contextmanager
def claimed(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` while inside.

    Raises Busy, naming the process and its machine, where another holds it; BadRecord where the file cannot be written.
    """
    stream = _held(path, lambda: _locked(path, what))
    try:
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on host {socket.gethostname()} since {_now()}")  # goes with the claim
        stream.flush()
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


def _held(path: Path, lock: Callable[[], IO[str]]) -> IO[str]:
    """The locked file. Raises BadRecord where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not is_at(stream := lock(), path):  # its last holder removed the file meanwhile
            stream.close()
        return stream
    except OSError as error:
        raise BadRecord(f"cannot write {path}: {error.strerror}; choose another folder with --results") from None


def _patient(path: Path) -> IO[str]:
    stream = path.open("a+")
    fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def _now() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"


def _locked(path: Path, what: str) -> IO[str]:
    stream = path.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.seek(0)
        owner = stream.read() or "another process"
        stream.close()
        raise Busy(f"{owner} is making {what}; it is left to that one") from None
    return stream
