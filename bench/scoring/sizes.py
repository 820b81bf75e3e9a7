"""What a space says of each of its architectures without any training: class and sizes, for scores to rank by."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench import spaces
from bench.nets.cell import KERNELS
from bench.nets.supernet import taps
from bench.spaces.space import Region


@lru_cache
def classes(space: str) -> NDArray[np.float64]:
    """`[N]` for each architecture the number of its class: equal where they are equal when trained alone."""
    known = spaces.get(space)
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(known.trained_class(genotype), len(numbers)) for genotype in known.region.genotypes()]
    return np.array(found, dtype=np.float64)


@lru_cache
def parameters(space: str) -> NDArray[np.float64]:
    """`[N]` weights per pair of channels: they order architectures as their parameter counts do."""
    known = spaces.get(space)
    weights = [KERNELS.get(op, 0) ** 2 for op in known.ops]
    return np.array([sum(weights[op] for op in g) for g in known.region.genotypes()], dtype=np.float64)


@lru_cache
def multiply_adds(space: str) -> NDArray[np.float64]:
    """`[N]` multiply-adds per pixel and pair of channels, of operations from which a way leads to the output."""
    known = spaces.get(space)
    return np.array([taps(known, Region.of([{op} for op in g])) for g in known.region.genotypes()], dtype=np.float64)
