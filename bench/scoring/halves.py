"""Two halves of the architectures of a space: what a search of searches may look at, and what it is tested on.

Architectures that are equal when trained alone are in one half, so none of the second is known from the first. The
half of a class follows from a hash of its number, which never changes (`sizes.facts`). The halves are about equal.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.runs.probe import Keys
from bench.scoring import sizes
from bench.streams import entropy


def unseen(space: str, classes: ArrayLike) -> NDArray[np.bool_]:
    """`[n]` whether classes, by number, are in the second half: what a search over searches does not look at."""
    numbers = np.asarray(classes).astype(int)
    return np.array([entropy(0, f"half/{space}/{number}") % 2 == 1 for number in numbers], dtype=bool)


def seen(space: str, keys: Keys) -> NDArray[np.bool_]:
    """`[n]` whether these architectures are in the first half. Raises KeyError for one that is not of the population of
    the space."""
    halves = _seen(space)
    return np.array([halves[key] for key in keys.tolist()], dtype=bool)


@lru_cache
def _seen(space: str) -> dict[int | str, bool]:
    """Every architecture of the population, by what files call it."""
    first = ~unseen(space, sizes.facts(space)["cell_class"])
    return dict(zip(sizes.keys(space).tolist(), first.tolist(), strict=True))
