"""The sources that results are made with, by a hash."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import bench


@lru_cache
def code_digest() -> str:
    """A hash of the sources of `bench` and `methods`: tells records of other code apart."""
    root = Path(bench.__file__).parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for package in ("bench", "methods"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
