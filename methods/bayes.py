"""Bayesian optimisation over cells: FaDE's rival (arXiv 2404.16218) that trains single architectures.

After a few random cells, each next one is trained alone that promises most: the largest expected improvement of
validation accuracy under a Gaussian process on one-hot cells (scikit-learn's; Matern 5/2 kernel plus noise). As many
networks are trained as FaDE trains hyper-architectures; theirs hold k cells per row and cost about k times as much,
which the account shows. The deviation is that of a noisy observation, and of equally promising cells one is drawn.
Where all cells are drawn at random, `first` of `networks`, it is random search: the best of N.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadSpec
from bench.search.learner import Training
from bench.search.task import Foreseen, Found, Task
from bench.spaces.space import Genotype
from methods.embedding import Embedding
from methods.rsps import Rsps

ALONE = Rsps(Training(epochs=50, batch=128))  # on a region of one architecture there is one path


def expected_improvement(mean: NDArray[np.float64], deviation: NDArray[np.float64], best: float) -> NDArray[np.float64]:
    """Of a normal value over `best`, elementwise; 0 where the deviation is 0 and the mean no better."""
    from scipy.special import ndtr  # here: all methods are imported in every run, whatever its method

    gain, spread = mean - best, np.maximum(deviation, 1e-12)
    z = gain / spread
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    improvement: NDArray[np.float64] = gain * ndtr(z) + spread * density
    return improvement


def fitted(points: NDArray[np.float64], values: NDArray[np.float64]) -> Any:
    """The Gaussian process of `values` `[n]` at `points` `[n, m]`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(1.0, (0.1, 10.0)) * Matern(2.0, (0.5, 20.0), nu=2.5) + WhiteKernel(0.1, (1e-4, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # with few points a bound is often the best there is
        return process.fit(points, values)


@dataclass(frozen=True)
class Bayes:
    """Sequential search by expected improvement; every evaluation is a network trained alone."""

    version: ClassVar[int] = 2
    base: Rsps = ALONE
    networks: int = 10
    first: int = 3  # of them drawn at random; all of them: random search

    def search(self, task: Task) -> Found:
        """Train `networks` architectures; choose the most accurate on validation images."""
        if not 1 <= self.first <= self.networks:
            raise BadSpec(f"{self.first} first networks of {self.networks} cannot be; choose 1 to {self.networks}")
        if self.networks > (count := task.space.count(task.region)):
            raise BadSpec(f"{self.networks} networks are more than {count} architectures; train fewer")
        embedding, rng = Embedding(task.space, task.region), task.stream("cells")
        known: dict[Genotype, float] = {}
        process: Any = None
        for number in range(self.networks):
            cell = self.next(embedding, known, process, rng)
            known[cell] = self.accuracy(task, cell)
            if number + 1 >= self.first < self.networks:
                process = fitted(embedding.of(list(known)), np.array(list(known.values())))
            task.report(max(known, key=lambda cell: known[cell]))
            task.progress((number + 1) / self.networks)

        def estimate(genotypes: Sequence[Genotype], images: int | None = None) -> NDArray[np.float64]:
            mean = process.predict(embedding.of(genotypes))
            return np.stack([mean, np.full(len(mean), np.nan)], axis=1)

        best = max(known, key=lambda cell: known[cell])
        return Found(best, tuple(known.items()), None if process is None else estimate)

    def foreseen(self, task: Task) -> Foreseen:
        """So many networks of the mean size."""
        one = self.base.foreseen(task)
        return replace(one, estimates=one.estimates / self.base.choices).times(self.networks)

    def next(
        self, embedding: Embedding, known: dict[Genotype, float], process: Any, rng: np.random.Generator
    ) -> Genotype:
        """A cell that is not known yet: at random before there is a process, else the most promising."""
        left = [row for row, cell in enumerate(embedding.genotypes) if cell not in known]
        if process is None:
            return embedding.genotypes[int(rng.choice(left))]
        mean, deviation = process.predict(embedding.points[left], return_std=True)
        gain = expected_improvement(mean, deviation, max(known.values()))
        best = np.flatnonzero(gain >= gain.max() * (1 - 1e-9))
        return embedding.genotypes[left[int(rng.choice(best))]]

    def accuracy(self, task: Task, cell: Genotype) -> float:
        """Validation accuracy [0, 1] of a cell trained alone."""
        learner = task.learner(self.base, self.base.training, task.space.alone(cell))
        with task.meter.phase("weights"):
            learner.fit()
        with task.meter.phase("choose"):
            return learner.estimate(cell)[0]


VARIANTS = {"bayes": Bayes(), "random-best-of-10": Bayes(first=10)}
