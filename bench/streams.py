"""Random streams by name: one seed, any number of independent generators, none of which disturbs another.

A stream is fixed by `(seed, name)` alone, so drawing more from `batches` never moves `weights`.
"""

from __future__ import annotations

import hashlib

import numpy as np


def entropy(seed: int, name: str) -> int:
    """What the generator of that name is seeded with, 64 bits."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def numpy_stream(seed: int, name: str) -> np.random.Generator:
    """The NumPy generator of that name."""
    return np.random.Generator(np.random.PCG64(entropy(seed, name)))
