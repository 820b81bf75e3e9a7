"""What a space says of its population without any training: classes and sizes, for scores to rank by."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench import spaces
from bench.runs.probe import Keys, keys_of


@lru_cache
def keys(space: str) -> Keys:
    """`[N]` what the architectures of the population are called in files."""
    known = spaces.get(space)
    return keys_of(known, list(known.population))


@lru_cache
def facts(space: str) -> Mapping[str, NDArray[np.float64]]:
    """`[N]` each, over the population. cell_class: a number, equal where architectures are equal when trained alone;
    parameters and multiply_adds: of the smallest network, so that they order architectures (`Space.sizes`)."""
    known = spaces.get(space)
    numbers: dict[Hashable, int] = {}
    classes = [numbers.setdefault(known.trained_class(genotype), len(numbers)) for genotype in known.population]
    sizes = [known.sizes(genotype) for genotype in known.population]
    return {
        "cell_class": np.array(classes, dtype=np.float64),
        "parameters": np.array([size.parameters for size in sizes], dtype=np.float64),
        "multiply_adds": np.array([size.multiply_adds for size in sizes], dtype=np.float64),
    }
