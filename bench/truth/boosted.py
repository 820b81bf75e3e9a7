"""A surrogate of Accel-NASBench: gradient-boosted trees on the choices of the blocks, fitted on an imported table.

One tier below the trainings, and labelled so: a search on images at hand finds one of 100 billion architectures, of
which 5,125 were trained. Its choice has a prediction, and a place among the predictions of those 5,125.

The recipe is pinned: histogram boosting of scikit-learn on 28 numbers, four for each block (expansion, kernel, layers,
squeeze-and-excitation), without early stopping. The authors of the benchmark fit XGBoost in the same way and print a
tau of 0.917 on held-out architectures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.spaces.accel import Accel
from bench.spaces.operations import MOBILE
from bench.spaces.space import Genotype
from bench.store.names import slug
from bench.truth.surrogate import Recipe, Surrogate
from bench.truth.table import Table
from bench.truth.tabular import ACCEL, TableTruth

TREES, RATE, LEAVES = 1_500, 0.05, 5
TARGET = f"{ACCEL.dataset}-predicted"


def features(genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
    """`[n, 4 * E]` expansion, kernel, layers and squeeze-and-excitation of each block."""
    choices = np.array([(one.expansion, one.size, one.layers, one.squeezed) for one in MOBILE], dtype=np.float64)
    chosen: NDArray[np.float64] = choices[np.array(genotypes, dtype=int)].reshape(len(genotypes), -1)
    return chosen


class Boosted:
    """Trees of a few leaves, each fitted on what those before leave."""

    def __init__(self, space: Accel, genotypes: Sequence[Genotype], accuracies: NDArray[np.float64]) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        made = HistGradientBoostingRegressor(
            max_iter=TREES, learning_rate=RATE, max_leaf_nodes=LEAVES, early_stopping=False, random_state=0
        )
        self.model: Any = made.fit(features(genotypes), accuracies)

    def predicted(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        """`[n]` percent."""
        if not genotypes:
            return np.zeros(0)
        found: NDArray[np.float64] = np.clip(self.model.predict(features(genotypes)), 0.0, 100.0)
        return found


RECIPE = Recipe(1, TARGET, ("ImageNet", "predicted"), Boosted)


def fitted(table: Table) -> Surrogate:
    """On the accuracies of a table of the space `accel`; of architectures that were trained twice on the mean."""
    truth = TableTruth(table)
    test = truth.reference(ACCEL.dataset).test
    known = np.flatnonzero(np.isfinite(test))
    genotypes = [table.population.at(int(row)) for row in known]
    return Surrogate(slug("surrogate", table.header.name), table.space, genotypes, test[known], RECIPE)
