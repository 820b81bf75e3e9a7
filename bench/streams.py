"""Random streams by name: one seed, any number of independent generators, none of which disturbs another.

A stream is fixed by `(seed, name)` alone, so drawing more from `batches` never moves `weights`.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def _entropy(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def numpy_stream(seed: int, name: str) -> np.random.Generator:
    """The NumPy generator of that name."""
    return np.random.Generator(np.random.PCG64(_entropy(seed, name)))


def torch_stream(seed: int, name: str) -> torch.Generator:
    """The torch CPU generator of that name. Draws are made on the CPU, so they are equal on every device."""
    return torch.Generator().manual_seed(_entropy(seed, name) >> 1)  # torch takes 63 bits
