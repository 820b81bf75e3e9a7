"""Decoded pixels kept between runs in the user's cache folder; what is damaged there is made anew.

A cache file is the BLAKE2b of the pixels (16 bytes) and then the pixels.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SWITCH = "SUPERNET_BENCH_CACHE"
DIGEST = 16  # bytes


def cache_folder() -> Path | None:
    """`$XDG_CACHE_HOME/supernet-bench` or `~/.cache/supernet-bench`; None where SUPERNET_BENCH_CACHE is "off"."""
    if os.environ.get(SWITCH, "").lower() == "off":
        return None
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "supernet-bench"


def cached(name: str, shape: tuple[int, ...], make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """What `make` returns, of this shape; from the cache where it is there.

    name: stands for the content, so it has the hash of what the pixels are made from. A cache that is damaged or
    cannot be written is a warning, never an error.
    """
    folder = cache_folder()
    if folder is None:
        return make()
    path = folder / f"{name}.uint8"
    stored = _read(path, math.prod(shape)) if path.exists() else None
    if stored is not None:
        return stored.reshape(shape)
    pixels = np.ascontiguousarray(make())
    try:
        _write(path, _digest(pixels), pixels)
    except OSError as error:
        warnings.warn(f"cannot write the cache {path} ({error.strerror}); {SWITCH}=off turns it off", stacklevel=2)
    return pixels


def _digest(pixels: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(pixels.data, digest_size=DIGEST).digest()


def _read(path: Path, size: int) -> NDArray[np.uint8] | None:
    """The `size` pixels in a cache file, or None, with a warning, where it does not hold them."""
    try:
        stored = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        warnings.warn(f"cannot read the cache {path} ({error.strerror}); it is made anew", stacklevel=3)
        return None
    if len(stored) == DIGEST + size and stored[:DIGEST].tobytes() == _digest(stored[DIGEST:]):
        return stored[DIGEST:]
    warnings.warn(f"the cache {path} is damaged; it is made anew", stacklevel=3)
    return None


def _write(path: Path, digest: bytes, pixels: NDArray[np.uint8]) -> None:
    """All or nothing: no reader and no crash ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(digest)
            stream.write(pixels.data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
