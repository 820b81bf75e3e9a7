"""A disk that is full from the nth writing on: one line, nothing is lost, and all is made once there is room."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.commands import main
from bench.store.record import Results


class Disk:
    """A disk that is full from the nth writing on."""

    def __init__(self, patch: pytest.MonkeyPatch, full_from: int) -> None:
        self.left, self.fsync, self.write = full_from, os.fsync, os.write
        patch.setattr(os, "fsync", lambda handle: self._spend(lambda: self.fsync(handle)))
        patch.setattr(os, "write", lambda handle, data: self._spend(lambda: self.write(handle, data)))

    def _spend(self, do: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return do()


def measured(folder: Path, points: int) -> dict[str, int]:
    """At how many points the disk was full, and how often that ended in a traceback, in a lost record, or for good."""
    found = {"points": points, "told in one line": 0, "tracebacks": 0, "lost": 0, "not mended": 0}
    for full_from in range(points):
        work = folder / "disk"
        shutil.rmtree(work, ignore_errors=True)
        words = ["run", "smoke", "--methods", "random", "largest", "parameters", "--results", str(work)]
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            Disk(patch, full_from)
            try:
                main(words)
            except Exception:
                found["tracebacks"] += 1
        before = {record.key: record for record in Results(work).records()}
        found["told in one line"] += "No space left on device" in out.getvalue()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main(words)
        after = {record.key: record for record in Results(work).records()}
        found["lost"] += any(after.get(key) != record for key, record in before.items())
        found["not mended"] += code != 0 or len(after) != 3
    return found
