"""Ground truth: how good an architecture is when it is trained alone. What every source of it offers to scoring.

Only scoring imports this package; a search never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.errors import NoSuchEntry
from bench.spaces.space import Genotype, Space

EMBEDDED = "embedded"
_EMBEDDED_TABLE = Path(__file__).parent / "tables" / "patches.parquet"

Part = Literal["valid", "test"]


@dataclass(frozen=True)
class Target:
    """What a search is scored against: which numbers are its validation and its test accuracy."""

    dataset: str  # as printed, e.g. "cifar10"
    valid: tuple[str, str] | None  # dataset key and split; None where the truth has no such numbers
    test: tuple[str, str]
    epochs: int
    seeds: str


@dataclass(frozen=True)
class Scores:
    """Accuracies in percent, mean over training seeds. valid is None where the target has none."""

    valid: float | None
    test: float


class GroundTruth(Protocol):
    """A source of true accuracies. `dataset` is the printed name of a target; unknown ones raise NoSuchEntry."""

    @property
    def name(self) -> str: ...

    @property
    def checksum(self) -> str:
        """Equal for equal numbers; every score repeats it."""

    @property
    def space(self) -> Space: ...

    def targets(self) -> Mapping[str, Target]:
        """The data sets that this truth can score, by printed name."""

    def scores(self, genotype: Genotype, dataset: str) -> Scores:
        """Raises NoSuchEntry where the architecture was not trained: never a NaN."""

    def column(self, dataset: str, part: Part) -> NDArray[np.float64]:
        """`[N]` percent, in the order of `Space.position`, NaN where an architecture was not trained."""

    def best(self, dataset: str) -> Scores:
        """The best validation and the best test accuracy there are, each its own maximum."""

    def coverage(self, dataset: str) -> float:
        """The share of the space that has a test accuracy."""

    def ceiling(self, dataset: str) -> Mapping[str, float] | None:
        """How far the truth, made again, would rank alike: the noise ceiling of tau. None without several seeds."""


def open_truth(name: str | Path) -> GroundTruth:
    """The table that comes with the program ("embedded"), or the one in a file.

    Raises NoSuchEntry where the program came without its table, BadTable where a file is not a table.
    """
    from bench.truth.tabular import TableTruth  # here, because that module imports this one

    if name != EMBEDDED:
        return TableTruth.load(name)
    if not _EMBEDDED_TABLE.exists():
        raise NoSuchEntry(f"this copy of the program has no embedded table ({_EMBEDDED_TABLE}); give a table's path")
    return TableTruth.load(_EMBEDDED_TABLE)
