"""The sources that results are made with, by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import bench
from bench import plugins


@lru_cache
def code_digest() -> str:
    """A hash of the sources of `bench` and `methods`: tells records of other code apart."""
    root = Path(bench.__file__).parent.parent
    digest = hashlib.blake2b(digest_size=8)
    for package in ("bench", "methods"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@lru_cache
def package_digest(package: str) -> str:
    """A hash of the sources of a package from outside, wherever it lies."""
    digest = hashlib.blake2b(digest_size=8)
    for name, path in plugins.sources(package):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def plugged(packages: Iterable[str]) -> dict[str, dict[str, str]]:
    """What a record says of the packages from outside that it was made with: distribution, version and `code`, a hash
    of the sources."""
    known = plugins.packages()
    return {
        name: {
            "distribution": known[name].distribution,
            "version": known[name].version,
            "code": package_digest(name),
        }
        for name in sorted(packages)
    }
