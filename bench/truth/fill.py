"""Ground truth on demand: the architectures that an embedded table lacks, trained as the table's own were.

Same images, settings and seeds. An architecture of the table's population gets the numbers that the finished table will
hold for it; one outside a sampled population is trained when it is asked for by name. What is trained is kept, one
small file per class of architectures, and never trained twice.

What the table says of its population (best, ranks, ceiling, rank correlation) stays a statement about what it holds:
architectures that a search asked for are no part of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench import spaces
from bench.errors import BadGenotype
from bench.images import patches
from bench.runs.pool import Job
from bench.spaces.space import Genotype, Space
from bench.store import hints, seals, strict
from bench.store.files import content_of, write_atomically
from bench.store.spec import key_of
from bench.truth.merge import DATASET
from bench.truth.plan import Plan, load_images, rows_by_class, train_one, values_of
from bench.truth.shards import COLUMNS
from bench.truth.table import Table
from bench.truth.tabular import TableTruth


@dataclass(frozen=True)
class OnRequest:
    """One architecture that was trained on demand: lists `[seeds]` per column of a shard, None where one diverged."""

    genotype: Genotype
    values: Mapping[str, Sequence[float | None]]

    def mean(self, column: str) -> float:
        """Over the seeds that did not diverge, as a table takes it; NaN where all did."""
        known = [value for value in self.values[column] if value is not None]
        return float(np.array(known, np.float32).astype(np.float64).mean()) if known else np.nan


class OnDemand(TableTruth):
    """An embedded table, with the accuracies of further architectures for whoever asks for those by name.

    plan: of the table. folder: of what was trained so far; a damaged file there is skipped, and named in `damaged`.
    Raises BadTable where the table is of another population than the plan's space has.
    """

    def __init__(self, table: Table, plan: Plan, folder: Path) -> None:
        super().__init__(table)
        table.check_of(spaces.get(plan.space).population)
        self._plan = plan
        self.damaged: dict[Path, str] = {}
        trained = stored(plan, folder, self.damaged)
        self._more = {self.space.trained_class(one.genotype): one for one in trained}

    def scores(self, genotypes: Sequence[Genotype], dataset: str) -> NDArray[np.float64]:
        """Those of the table; where it has none, those of the class: in the table, or trained on demand."""
        found = super().scores(genotypes, dataset)
        if dataset == DATASET:
            for n in np.flatnonzero(np.isnan(found[:, 1])).tolist():
                found[n] = self._of_class(self.space.trained_class(genotypes[n]))
        return found

    def _of_class(self, key: Hashable) -> tuple[float, float]:
        reference, row = self.reference(DATASET), rows_by_class(self.space).get(key)
        if row is not None and np.isfinite(reference.test[row]):
            return reference.valid[row], reference.test[row]
        one = self._more.get(key)
        return (np.nan, np.nan) if one is None else (one.mean("valid_accuracy"), one.mean("test_accuracy"))

    def missing(self, genotypes: Iterable[Genotype]) -> list[Genotype]:
        """What to train so that all of these are known: one architecture for each class, in order.

        A class of the population is trained as the table does it, another in the first form that is asked for.
        """
        asked = list(dict.fromkeys(map(self.space.check, genotypes)))
        unknown = np.isnan(self.scores(asked, DATASET)[:, 1])
        classes: dict[Hashable, Genotype] = {}
        for genotype in (asked[n] for n in np.flatnonzero(unknown).tolist()):
            key = self.space.trained_class(genotype)
            if key not in self._more:  # where all seeds diverged, once is enough
                classes.setdefault(key, self._trained_for(key, genotype))
        return sorted(classes.values())

    def _trained_for(self, key: Hashable, genotype: Genotype) -> Genotype:
        row = rows_by_class(self.space).get(key)
        return self.space.representative([genotype]) if row is None else self.space.population.at(row)


def jobs(plan: Plan, genotypes: Sequence[Genotype], folder: Path) -> list[Job]:
    """One job per architecture: train it from all seeds and write it to `folder`, unless it is there. Raises BadData
    where the images drawn here are not those of the table."""
    if genotypes:
        patches.load(Path())
    return [partial(_train, plan, genotype, folder) for genotype in genotypes]


def _train(plan: Plan, genotype: Genotype, folder: Path, progress: Callable[[float], None]) -> Genotype:
    path = _path(folder, genotype)
    progress(0.0)
    if not path.exists():
        torch.set_num_threads(1)
        outcome = train_one(plan, load_images(plan), genotype)
        content = {"genotype": genotype, "seeds": plan.seeds, "seconds": outcome.seconds, "values": values_of(outcome)}
        plain = json.loads(json.dumps(content, allow_nan=False))  # tuples as lists, as they are read
        write_atomically(path, (json.dumps(seals.sealed(plain)) + "\n").encode())
    return genotype


def stored(plan: Plan, folder: Path, damaged: dict[Path, str]) -> Iterator[OnRequest]:
    """What was trained on demand. A file that is not what `jobs` write is skipped, and named in `damaged`."""
    space = spaces.get(plan.space)
    for path in sorted(path for path in folder.glob("*.json") if not path.name.startswith(".")):
        try:
            content, _ = seals.opened(strict.parsed(content_of(path)))
            if tuple(content["seeds"]) != plan.seeds:
                raise ValueError("other seeds")
            values = {name: content["values"][name] for name in COLUMNS}
            if any(len(of_seeds) != len(plan.seeds) for of_seeds in values.values()):
                raise ValueError("not a value of every seed")
            yield OnRequest(_named(space, content, path), values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, BadGenotype) as error:
            damaged[path] = f"{path} holds no training of this table ({error}); {hints.aside(path)}, score again then"


def _named(space: Space, content: Mapping[str, Any], path: Path) -> Genotype:
    """The architecture of a file. Files written before there were sampled populations name a row of the whole space."""
    if "genotype" not in content and space.population.whole:
        genotype, name = space.population.at(content["position"]), f"{content['position']:05d}.json"
    else:
        genotype = space.check(content["genotype"])
        name = _path(path.parent, genotype).name
    if path.name != name:
        raise ValueError("another name")
    return genotype


def folder_of(results: Path, plan: Plan) -> Path:
    """Where trainings on demand lie within a results folder: a plan of its own for every setting."""
    return results / "truth" / f"{DATASET}-{key_of(plan.settings())}"


def _path(folder: Path, genotype: Genotype) -> Path:
    return folder / f"{'-'.join(map(str, genotype))}.json"
