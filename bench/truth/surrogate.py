"""A model of trainings as ground truth, fitted on architectures with their accuracies by a recipe that is pinned.

A surrogate is another kind of truth than a table of trainings, and scores by it say so (`kind`). Two recipes share what
is here: for cells of DARTS, ridge regression on what a cell consists of, fitted on a list (below); for the blocks of
Accel-NASBench, boosted trees, fitted on an imported table (`bench.truth.boosted`). Where accuracies of a list are
predictions of another model, as those of NAS-Bench-301, this is a model of a model.

A list is a CSV file, or one behind gzip: `architecture` in any notation of the space, or `normal` and `reduce` as
`op~input` items; and one column whose name ends in `accuracy` or `acc`, in percent.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadTable, NoSuchEntry
from bench.metrics import tau_b
from bench.spaces.darts import DartsSpace
from bench.spaces.space import Genotype, Space
from bench.store.names import slug
from bench.streams import numpy_stream
from bench.truth import Kind, Reference, Target

RIDGE = 3.0
"""The weight of the squared coefficients."""
HELD_OUT = 0.2
FEWEST = 50
"""Architectures of a list."""
TARGET = "cifar10-predicted"
"""The data set of its accuracies, named so that no figure takes it for trainings."""
ENDINGS = ("accuracy", "acc")


class Model(Protocol):
    """What was fitted."""

    def predicted(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        """`[n]` percent."""


@dataclass(frozen=True)
class Recipe:
    """How a model is fitted, and what its predictions are called."""

    version: int  # raised by hand when predictions change
    target: str
    key: tuple[str, str]  # of `Target.test`
    fit: Callable[[Any, Sequence[Genotype], NDArray[np.float64]], Model]


class Surrogate:
    """`GroundTruth` by prediction. tau: Kendall's tau-b on the fifth of the architectures that a first fit had not
    seen."""

    kind: Kind = "surrogate"

    def __init__(
        self,
        name: str,
        space: Space,
        genotypes: Sequence[Genotype],
        accuracies: NDArray[Any],
        recipe: Recipe | None = None,
    ) -> None:
        self.recipe = CELLS if recipe is None else recipe
        self.name, self.space, self.count = name, space, len(genotypes)
        listed = repr((self.recipe.version, space.name, [*genotypes], accuracies.tolist()))
        self.checksum = hashlib.blake2b(listed.encode(), digest_size=16).hexdigest()
        order = numpy_stream(0, "surrogate/held-out").permutation(len(genotypes))
        out = order[: round(HELD_OUT * len(order))]
        first = self.recipe.fit(space, [genotypes[k] for k in np.setdiff1d(order, out)], np.delete(accuracies, out))
        self.held_out = len(out)
        self.tau = tau_b(first.predicted([genotypes[k] for k in out]), accuracies[out])
        self._model = self.recipe.fit(space, genotypes, accuracies)
        self._reference: Reference | None = None

    @classmethod
    def fitted(cls, path: Path, space: DartsSpace) -> Surrogate:
        """On the list in a file. Raises BadTable in one line, with the line of the file."""
        genotypes, accuracies = read(path, space)
        if len(genotypes) < FEWEST:
            raise BadTable(f"{path} lists {len(genotypes)} architectures; a surrogate takes {FEWEST} or more")
        return cls(slug("surrogate", path.name.partition(".")[0]), space, genotypes, accuracies)

    @property
    def about(self) -> str:
        """How good it is, in a line."""
        return (
            f"{self.name} predicts accuracies, it trained nothing: fitted on {self.count:,} architectures; tau of "
            f"{self.tau:.3f} on {self.held_out:,} that a fit on the others had not seen"
        )

    def targets(self) -> Mapping[str, Target]:
        """One."""
        return {self.recipe.target: Target(self.recipe.target, None, self.recipe.key, 0, "a model")}

    def scores(self, genotypes: Sequence[Genotype], dataset: str) -> NDArray[np.float64]:
        """`[n, 2]`: no validation accuracy, and the predicted one. Raises NoSuchEntry, BadGenotype."""
        self._require(dataset)
        test = self._model.predicted([self.space.check(genotype) for genotype in genotypes])
        return np.stack([np.full(len(test), np.nan), test], axis=1)

    def reference(self, dataset: str) -> Reference:
        """What it predicts of the population of the space. Raises NoSuchEntry."""
        self._require(dataset)
        if self._reference is None:
            test = self._model.predicted(self.space.population.architectures)
            self._reference = Reference(self.space.population.about, np.full(len(test), np.nan), test, None)
        return self._reference

    def _require(self, dataset: str) -> None:
        if dataset != self.recipe.target:
            raise NoSuchEntry(f"{self.name} predicts {self.recipe.target}, not {dataset}")


def read(path: Path, space: DartsSpace) -> tuple[list[Genotype], NDArray[np.float64]]:
    """The architectures of a list and their accuracies in percent. Raises BadTable in one line."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadTable(f"cannot read {path}: {' '.join(str(error).split())}") from None
    rows = csv.DictReader(io.StringIO(text))
    names = rows.fieldnames or ()
    values = [name for name in names if name.endswith(ENDINGS)]
    if len(values) != 1 or not ("architecture" in names or {"normal", "reduce"} <= {*names}):
        raise BadTable(
            f"{path} has columns {', '.join(names)[:200]}; a list takes `architecture`, or `normal` and `reduce`, and "
            "one column that ends in `accuracy` or `acc`"
        )
    genotypes, accuracies = [], []
    for number, row in enumerate(rows, 2):
        try:
            told = row["architecture"] if "architecture" in names else f"{row['normal']},{row['reduce']}"
            genotypes.append(space.parse(told or ""))
            accuracies.append(_percent(row[values[0]]))
        except (BadGenotype, ValueError) as error:
            raise BadTable(f"{path}, line {number}: {error}") from None
    return genotypes, np.array(accuracies)


def _percent(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise ValueError(f"{(text or '')[:40]!r} is no accuracy in percent, 0 to 100")
    return value


class _Ridge:
    """Ridge regression on the parts that architectures have, those of the fit alone."""

    def __init__(self, space: DartsSpace, genotypes: Sequence[Genotype], accuracies: NDArray[np.float64]) -> None:
        from sklearn.linear_model import Ridge

        self.space = space
        self.columns = {
            part: k for k, part in enumerate(sorted({p for g in genotypes for p in parts(space, g)}, key=repr))
        }
        self.model = Ridge(alpha=RIDGE, solver="cholesky").fit(self._matrix(genotypes), accuracies)

    def predicted(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        """`[n]` percent."""
        found: NDArray[np.float64] = np.clip(self.model.predict(self._matrix(genotypes)), 0.0, 100.0)
        return found

    def _matrix(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        found = np.zeros((len(genotypes), len(self.columns)))
        for row, genotype in zip(found, genotypes, strict=True):
            for part, count in Counter(parts(self.space, genotype)).items():
                if part in self.columns:
                    row[self.columns[part]] = count
        return found


CELLS = Recipe(1, TARGET, ("cifar10", "predicted"), _Ridge)
"""Of cells of DARTS."""


def parts(space: DartsSpace, genotype: Genotype) -> Iterator[tuple[Any, ...]]:
    """What a cell consists of: each operation in its cell, on its edge, behind an input or a node; pairs that meet at a
    node; chains of two; and how far every node is from the inputs."""
    taken = [(edge, op) for edge, op in zip(space.edges, genotype, strict=True) if op != space.absent]
    by_target: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for edge, op in taken:
        by_target.setdefault((edge.cell, edge.target), []).append((edge.source, op))
        yield "op", edge.cell, op
        yield "edge", edge.cell, edge.source, edge.target, op
        yield "behind", edge.cell, edge.source if edge.source < space.cell(edge.cell).inputs else "node", op
    deep: dict[tuple[str, int], int] = {}
    for (cell, target), inputs in by_target.items():
        yield "pair", cell, *sorted(op for _, op in inputs)
        deep[cell, target] = 1 + max(deep.get((cell, source), 0) for source, _ in inputs)
        yield "depth", cell, deep[cell, target]
        for source, op in inputs:
            for _, before in by_target.get((cell, source), ()):
                yield "chain", cell, before, op
