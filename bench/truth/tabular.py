"""A table as ground truth: which of its columns score a search, and how much of its ranking is noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bench.errors import NoSuchEntry
from bench.spaces.space import Genotype, Population
from bench.truth import Kind, Reference, Target
from bench.truth.column import MEAN, OWN
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


MACRO = Target("cifar10", None, ("cifar10", "ori-test"), 50, MEAN)
"""NAS-Bench-Macro: of the 50 epochs the best by test accuracy."""

ACCEL = Target("imagenet-16-epochs", None, ("ImageNet", "val"), 16, MEAN)
"""Accel-NASBench: a schedule that its authors shortened, named so that no table takes it for full training."""


class TableTruth:
    """`GroundTruth` by look-up. A table that is not complete scores the architectures that it holds."""

    kind: Kind = "trained"

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = table.header.name
        self.checksum = table.checksum
        self.space = table.space
        self._references: dict[str, Reference] = {}
        self._targets = {target.dataset: target for target in _targets(table)}

    @classmethod
    def load(cls, path: str | Path, population: Population | None = None) -> Self:
        """The truth in a file, of this population where one is wanted. Raises BadTable."""
        return cls(Table.load(path, population))

    def targets(self) -> dict[str, Target]:
        """Those of the known targets for which the table has test accuracies."""
        return dict(self._targets)

    def scores(self, genotypes: Sequence[Genotype], dataset: str) -> NDArray[np.float64]:
        """`[n, 2]` validation and test accuracy in percent, NaN where the table has none. Raises NoSuchEntry where it
        lacks the target, and BadGenotype."""
        reference = self.reference(dataset)
        found = np.full((len(genotypes), 2), np.nan)
        for n, genotype in enumerate(genotypes):
            row = self.table.population.find(self.space.check(genotype))
            if row is not None:
                found[n] = reference.valid[row], reference.test[row]
        return found

    def reference(self, dataset: str) -> Reference:
        """The accuracies of the table's rows. Kept; raises NoSuchEntry."""
        target = self._target(dataset)
        if dataset not in self._references:
            test = self._accuracies(target, target.test)
            valid = np.full(len(test), np.nan) if target.valid is None else self._accuracies(target, target.valid)
            valid.flags.writeable = False
            about = self.table.population.about
            self._references[dataset] = Reference(about, valid, test, self._ceiling(target))
        return self._references[dataset]

    def _accuracies(self, target: Target, key: tuple[str, str]) -> NDArray[np.float64]:
        return self.table.column(dataset=key[0], split=key[1], epochs=target.epochs, seeds=target.seeds)

    def _ceiling(self, target: Target) -> dict[str, float] | None:
        """tau: expected between two means of as many seeds as the table holds, i.e. between this truth and itself made
        again; halves: the tau-b between means of disjoint halves of the seeds that it follows from (`stepped_up`),
        mean over all ways to take them; seeds; n: architectures that have them all.

        A perfect estimate is not noisy, so it can stand a little above this. Seeds that fewer than nine tenths of the
        architectures have take no part. None where fewer than two are stored one by one, or tau is undefined.
        """
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
    own = [c.epochs for c in table.columns if c.quantity[:3] == ("accuracy", "patches", "test")]
    patches = [Target("patches", ("patches", "valid"), ("patches", "test"), max(own), MEAN)] if own else []
    for target in [*OFFICIAL.values(), MACRO, ACCEL, *patches, *_of_others(table)]:
        tested = _present(table, target.test, target.epochs)
        if not tested.any():
            continue
        validated = tested & _present(table, target.valid, target.epochs)
        yield target if (validated == tested).all() else replace(target, valid=None)


def _of_others(table: Table) -> Iterator[Target]:
    """One for each data set that somebody else named."""
    for dataset, epochs in sorted({(c.dataset, c.epochs) for c in table.columns if c.dataset.startswith(OWN)}):
        yield Target(dataset.removeprefix(OWN), (dataset, "valid"), (dataset, "test"), epochs, MEAN)


def _present(table: Table, key: tuple[str, str] | None, epochs: int) -> NDArray[np.bool_]:
    """`[N]` where the table has an accuracy; nowhere when it lacks the column."""
    if key is None or not table.seeds(("accuracy", *key, epochs)):
        return np.zeros(len(table.population), dtype=bool)
    return np.isfinite(table.column(dataset=key[0], split=key[1], epochs=epochs, seeds=MEAN))
