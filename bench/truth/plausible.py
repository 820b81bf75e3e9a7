"""Whether numbers can be what their columns say: what a text file without a checksum can be tested by.

An accuracy is a whole number of images, or the mean of a few of them; parameters and multiply-adds follow from the
architecture. So most columns that stand under another's name are noticed. Columns on equally many images are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadTable
from bench.spaces.layout import Shape
from bench.spaces.nb201 import CONV1, CONV3, SPACE
from bench.spaces.space import Genotype, Population
from bench.truth import counts
from bench.truth.column import MEAN, Column

IMAGES = {
    ("cifar10-valid", "x-valid"): 25_000,
    ("cifar10-valid", "ori-test"): 10_000,
    ("cifar10", "ori-test"): 10_000,
    ("cifar100", "x-valid"): 5_000,
    ("cifar100", "x-test"): 5_000,
    ("cifar100", "ori-test"): 10_000,
    ("ImageNet16-120", "x-valid"): 3_000,
    ("ImageNet16-120", "x-test"): 3_000,
    ("ImageNet16-120", "ori-test"): 6_000,
    ("ImageNet", "val"): 50_000,
}
"""The number of images of each official split."""

_MOST_RUNS = 3  # of an architecture, in the official files
_ROUNDED = 1e-4  # percent: accuracies of text files have four decimals
_OFFICIAL = Shape(channels=16, cells=5, classes=10, image_channels=3, image_size=32)


def accuracies(column: Column, values: NDArray[np.float64], population: Population) -> None:
    """Raises BadTable unless all are such as so many images give, up to the fourth decimal. values: `[N]` percent, NaN
    where missing."""
    images = IMAGES[column.dataset, column.split]
    runs = range(1, _MOST_RUNS + 1) if column.seed == MEAN else (1,)
    steps = [100 / (images * number) for number in runs]
    off = np.min([np.abs(values - np.rint(values / step) * step) for step in steps], axis=0)
    wrong = np.flatnonzero(off > _ROUNDED)
    if wrong.size:
        one = f"the mean of up to {_MOST_RUNS} runs" if column.seed == MEAN else "one run"
        arch = population.space.show(population.at(int(wrong[0])))
        raise BadTable(
            f"{column.name} of {arch} is {values[wrong[0]]:g}, which {one} on "
            f"{images:,} images cannot give ({wrong.size} such values); are columns mixed up?"
        )


def sizes(found: Mapping[str, NDArray[np.float64]]) -> None:
    """Raises BadTable unless parameters and multiply-adds, `[N]` each, are those of the networks on CIFAR-10."""
    for position, genotype in enumerate(SPACE.population):
        for name, right in zip(("parameters", "multiply_adds"), size_of(genotype), strict=True):
            if found[name][position] != right:
                raise BadTable(
                    f"{name} of {SPACE.show(genotype)} are {found[name][position]:,.0f}, but its network has "
                    f"{right:,}; are columns mixed up?"
                )


def size_of(genotype: Genotype) -> tuple[int, int]:
    """Parameters and multiply-adds of the official network on CIFAR-10."""
    return _size(genotype.count(CONV1), genotype.count(CONV3))


@lru_cache
def _size(small: int, large: int) -> tuple[int, int]:
    """Of all networks with so many 1x1 and 3x3 convolutions: where they stand makes no difference."""
    genotype = (CONV1,) * small + (CONV3,) * large
    return counts.parameters(SPACE, genotype, _OFFICIAL), counts.multiply_adds(SPACE, genotype, _OFFICIAL)
