"""Ground truth: how good an architecture is when it is trained alone. What every source of it offers to scoring.

Only scoring imports this package; a search never does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadSpec, BadTable, NoSuchEntry
from bench.spaces.space import Genotype, Space

EMBEDDED = "embedded"
FITTED_ON = "surrogate:"
"""Before the path of a table: not its numbers, but a model of them."""
TRANSFERRED = "transfer:"
"""Before the path of a table: a model of its numbers, for architectures of another space."""
_FOLDER = Path(__file__).parent / "tables"

TABLES: Mapping[str, Path] = {
    "nb201": _FOLDER / "patches.parquet",
    "toy-darts": _FOLDER / "patches-toy-darts.parquet",
    "macro": _FOLDER / "patches-macro.parquet",
}
"""The tables that come with the program, by space."""

FIRST_SPACE = "nb201"
"""The space that is meant where none is named: at first there was no other."""

Kind = Literal["trained", "surrogate"]
"""Where accuracies come from: a training of each architecture, or a model of such trainings."""


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


@dataclass(frozen=True, eq=False)
class Reference:
    """The accuracies of a stated population: what ranks, regrets and percentiles are taken in.

    valid, test: `[m]` percent in the population's order, NaN where unknown.
    """

    population: str  # "all 15,625", "240 sampled"
    valid: NDArray[np.float64]
    test: NDArray[np.float64]
    ceiling: Mapping[str, float] | None
    """How far the truth, made again, would rank alike: the noise ceiling of tau. None without several seeds."""

    @cached_property
    def known(self) -> int:
        """How many have a test accuracy."""
        return int(np.isfinite(self.test).sum())

    @property
    def coverage(self) -> float:
        """The share of the population that has a test accuracy, [0, 1]."""
        return self.known / len(self.test)

    @cached_property
    def best(self) -> Scores:
        """The best validation and the best test accuracy there are, each its own maximum."""
        valid = float(np.fmax.reduce(self.valid))
        return Scores(None if np.isnan(valid) else valid, float(np.fmax.reduce(self.test)))


class GroundTruth(Protocol):
    """A source of true accuracies. `dataset` is the printed name of a target; unknown ones raise NoSuchEntry."""

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def checksum(self) -> str:
        """Equal for equal numbers; every score repeats it."""

    @property
    def space(self) -> Space: ...

    def targets(self) -> Mapping[str, Target]:
        """The data sets that this truth can score, by printed name."""

    def scores(self, genotypes: Sequence[Genotype], dataset: str) -> NDArray[np.float64]:
        """`[n, 2]` validation and test accuracy in percent, NaN where unknown. Raises BadGenotype."""

    def reference(self, dataset: str) -> Reference:
        """The accuracies of the population that this truth speaks of."""


def open_truth(name: str | Path, space: Space | None = None) -> GroundTruth:
    """The table that comes with the program for a space ("embedded"); the one in a file; or a surrogate fitted on a
    list in a file of CSV (`bench.truth.surrogate`), by default of the space `darts`, or on the table behind
    `surrogate:`, of the space `accel` (`bench.truth.boosted`); behind `transfer:`, of the space `macro`, by what
    corresponds there (`bench.truth.transferred`).

    space: what the truth is wanted for, of its whole population; by default whatever a file is of, and NAS-Bench-201
    where the table is the embedded one. Raises BadSpec where a space has no embedded table, NoSuchEntry where the
    program came without it, BadTable where a file is no table, or one of another space or population.
    """
    from bench.truth.tabular import TableTruth  # here, because that module imports this one

    for prefix in (FITTED_ON, TRANSFERRED):
        if str(name).startswith(prefix):
            return _boosted(prefix, Path(str(name).removeprefix(prefix)), space)
    if name != EMBEDDED and str(name).endswith((".csv", ".csv.gz")):
        return _surrogate(Path(name), space)
    path = _embedded(FIRST_SPACE if space is None else space.population.space.name) if name == EMBEDDED else name
    return TableTruth.load(path, None if space is None else space.population)


def _boosted(prefix: str, path: Path, space: Space | None) -> GroundTruth:
    from bench.spaces import accel, macro
    from bench.truth.boosted import fitted
    from bench.truth.table import Table
    from bench.truth.transferred import Transferred

    own = accel.SPACE if prefix == FITTED_ON else macro.SPACE
    if space is not None and space != own:
        raise BadSpec(f"{prefix} speaks of the space {own.name}, not of {space.name}; give a table's path")
    table = Table.load(path)
    if table.space != accel.SPACE:
        raise BadTable(f"{path}: is of {table.space.name}; {prefix} takes an imported table of Accel-NASBench")
    return fitted(table) if prefix == FITTED_ON else Transferred(fitted(table))


def _surrogate(path: Path, space: Space | None) -> GroundTruth:
    from bench.spaces import darts
    from bench.truth.surrogate import Surrogate

    judged = darts.SPACE if space is None else space.population.space
    if not isinstance(judged, darts.DartsSpace):
        raise BadSpec(f"a surrogate speaks of the space darts, not of {judged.name}; give a table's path")
    return Surrogate.fitted(path, judged)


def _embedded(space: str) -> Path:
    if space not in TABLES:
        raise BadSpec(f"{space} has no embedded table (those with one: {', '.join(TABLES)}); give a table's path")
    if not TABLES[space].exists():
        raise NoSuchEntry(f"this copy of the program has no embedded table ({TABLES[space]}); give a table's path")
    return TABLES[space]
