"""A table as ground truth: which of its columns score a search, and how much of its ranking is noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bench.errors import NoSuchEntry
from bench.spaces.space import Genotype
from bench.truth import Part, Scores, Target
from bench.truth.column import MEAN
from bench.truth.reliability import split_tau, stepped_up
from bench.truth.table import Table

_FULL = 200  # epochs of the full training in NAS-Bench-201

OFFICIAL = {
    "cifar10": Target("cifar10", ("cifar10-valid", "x-valid"), ("cifar10", "ori-test"), _FULL, MEAN),
    "cifar100": Target("cifar100", ("cifar100", "x-valid"), ("cifar100", "x-test"), _FULL, MEAN),
    "imagenet16-120": Target(
        "imagenet16-120", ("ImageNet16-120", "x-valid"), ("ImageNet16-120", "x-test"), _FULL, MEAN
    ),
}
"""Validation and test as the NAS-Bench-201 paper reports them. On CIFAR-10 they are of two trainings: the test
accuracy is of networks that were trained on the validation images too."""


class TableTruth:
    """`GroundTruth` by look-up. A table that is not complete scores the architectures that it holds."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = table.header.name
        self.checksum = table.checksum
        self.space = table.space
        self._targets = {target.dataset: target for target in _targets(table)}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The truth in a file. Raises BadTable."""
        return cls(Table.load(path))

    def targets(self) -> dict[str, Target]:
        """Those of the known targets for which the table has test accuracies."""
        return dict(self._targets)

    def scores(self, genotype: Genotype, dataset: str) -> Scores:
        """Raises NoSuchEntry where the table lacks the target or the architecture, and BadGenotype."""
        target = self._target(dataset)
        row = self.space.population.row(self.space.check(genotype))
        test = float(self.column(dataset, "test")[row])
        if np.isnan(test):
            raise NoSuchEntry(f"table {self.name} has no {dataset} test accuracy of {self.space.show(genotype)}")
        return Scores(float(self.column(dataset, "valid")[row]) if target.valid else None, test)

    def column(self, dataset: str, part: Part) -> NDArray[np.float64]:
        """`[N]` percent, NaN where missing, read-only. Raises NoSuchEntry."""
        target = self._target(dataset)
        key = target.valid if part == "valid" else target.test
        if key is None:
            raise NoSuchEntry(f"table {self.name} has no validation accuracy of every {dataset} network; use 'test'")
        return self.table.column(dataset=key[0], split=key[1], epochs=target.epochs, seeds=target.seeds)

    def best(self, dataset: str) -> Scores:
        """Each its own maximum over the architectures that the table holds."""
        valid = float(np.nanmax(self.column(dataset, "valid"))) if self._target(dataset).valid else None
        return Scores(valid, float(np.nanmax(self.column(dataset, "test"))))

    def coverage(self, dataset: str) -> float:
        """The share of the space that has a test accuracy, [0, 1]."""
        return float(np.isfinite(self.column(dataset, "test")).mean())

    def ceiling(self, dataset: str) -> dict[str, float] | None:
        """tau: expected between two means of as many seeds as the table holds, i.e. between this truth and itself made
        again; halves: the tau-b between means of disjoint halves of the seeds that it follows from (`stepped_up`),
        mean over all ways to take them; seeds; n: architectures that have them all.

        A perfect estimate is not noisy, so it can stand a little above this. Seeds that fewer than nine tenths of the
        architectures have take no part. None where fewer than two are stored one by one, or tau is undefined.
        """
        target = self._target(dataset)
        dataset, split = target.test
        stored = self.table.seeds(("accuracy", *target.test, target.epochs))
        columns = [self.table.column(dataset=dataset, split=split, epochs=target.epochs, seeds=s) for s in stored]
        counts = [np.isfinite(column).sum() for column in columns]
        common = [c for c, count in zip(columns, counts, strict=True) if count >= 0.9 * max(counts, default=0)]
        if len(common) < 2:
            return None
        scores = np.stack(common, axis=1)  # [N, S]
        scores = scores[np.isfinite(scores).all(axis=1)]
        seeds, half = len(common), len(common) // 2
        halves = split_tau(scores, half)
        if not np.isfinite(halves):
            return None
        return {"tau": stepped_up(halves, seeds / half), "halves": halves, "seeds": seeds, "n": len(scores)}

    def _target(self, dataset: str) -> Target:
        if dataset not in self._targets:
            known = ", ".join(self._targets) or "nothing"
            raise NoSuchEntry(f"table {self.name} cannot score data set {dataset!r}; it can score: {known}")
        return self._targets[dataset]


def _targets(table: Table) -> Iterator[Target]:
    """The targets that the table can score, without a validation part that lacks what the test part has."""
    own = [c.epochs for c in table.columns if c.cell[:3] == ("accuracy", "patches", "test")]
    patches = [Target("patches", ("patches", "valid"), ("patches", "test"), max(own), MEAN)] if own else []
    for target in [*OFFICIAL.values(), *patches]:
        tested = _present(table, target.test, target.epochs)
        if not tested.any():
            continue
        validated = tested & _present(table, target.valid, target.epochs)
        yield target if (validated == tested).all() else replace(target, valid=None)


def _present(table: Table, key: tuple[str, str] | None, epochs: int) -> NDArray[np.bool_]:
    """`[N]` where the table has an accuracy; nowhere when it lacks the column."""
    if key is None or not table.seeds(("accuracy", *key, epochs)):
        return np.zeros(table.space.size, dtype=bool)
    return np.isfinite(table.column(dataset=key[0], split=key[1], epochs=epochs, seeds=MEAN))
