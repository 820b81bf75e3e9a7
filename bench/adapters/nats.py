"""A stand-in for `nats_bench`: the questions that scripts ask its topology API, answered from a table.

    from bench.adapters.nats import create   # instead of: from nats_bench import create
    api = create("nb201-official.parquet", "tss")

Where the answer differs from that of `nats_bench` on the same data:

- numbers are kept as float32, so they agree to seven digits;
- only the last epoch is there: another `iepoch` raises NoSuchEntry;
- `is_random=True`, the default there too, draws one of the seeds, but from a generator of this object: the global
  `random` is neither read nor disturbed, and the same `seed` gives the same answers;
- an architecture that is none raises BadGenotype; `nats_bench` returns -1, which Python takes for the last one;
- a table without seeds, whose splits are known as means or of one run, is one training;
- what was not measured raises NoSuchEntry in one line, where `nats_bench` ends in a KeyError or TypeError;
- nothing is printed, whatever `verbose` says, and there are no weights, curves or top-5 accuracies.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadTable, NoSuchEntry, UnknownName
from bench.spaces.dag import in_edges
from bench.spaces.nb201 import SPACE
from bench.truth.column import MEAN, RUN, Column
from bench.truth.official import counts
from bench.truth.official.assembling import LATENCY_SPLIT
from bench.truth.table import Table

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")

_KEYS = {
    "cifar10-valid": (("valid", "x-valid"), ("test", "ori-test")),
    "cifar10": (("test", "ori-test"),),
    "cifar100": (("valid", "x-valid"), ("test", "x-test"), ("valtest", "ori-test")),
    "ImageNet16-120": (("valid", "x-valid"), ("test", "x-test"), ("valtest", "ori-test")),
}
"""Data set: the keys of `get_more_info` and the splits that they stand for."""

_COMMENT = {
    "cifar10-valid": "trained on half of the CIFAR-10 training images; valid is the other half",
    "cifar10": "trained on all CIFAR-10 training images, so there is no validation accuracy",
}


def create(
    file_path_or_dict: str | Path | Table | None,
    search_space: str = "tss",
    fast_mode: bool = True,
    verbose: bool = False,
    *,
    seed: int = 0,
) -> NATSTopology:
    """The stand-in on a table (`file_path_or_dict`, as the package calls it) or its file. fast_mode and verbose are
    taken, and make no difference.

    Raises UnknownName for the size space, which the tables do not hold, and BadTable.
    """
    if file_path_or_dict is None:
        raise BadTable("create(None) looks for the official files; give the path of a table that `import` made of them")
    if search_space not in ("tss", "topology"):
        raise UnknownName("search space", search_space, ("tss", "topology"))
    table = file_path_or_dict if isinstance(file_path_or_dict, Table) else Table.load(file_path_or_dict)
    return NATSTopology(table, seed)


_Run = list[list[float]]
"""One training: per split accuracy (percent), cross-entropy (nats) and seconds, NaN where missing."""


@dataclass(frozen=True)
class _Trainings:
    """The trainings on one data set for one number of epochs."""

    seeds: tuple[str, ...]  # [S]
    splits: tuple[str, ...]  # [P], train first
    values: NDArray[np.float64]  # [N, S, P, 3]: accuracy (percent), cross-entropy (nats), seconds of all epochs
    latency: NDArray[np.float64]  # [N, S] seconds


class NATSTopology:
    """`nats_bench.create(…, "tss")` as far as a table can answer. Indices are the official ones."""

    def __init__(self, table: Table, seed: int = 0) -> None:
        if table.space != SPACE:
            raise NoSuchEntry(f"table {table.header.name} is of space {table.space.name}, not {SPACE.name}")
        table.check_of(SPACE.population)
        self.table = table
        self.meta_archs: Sequence[str] = _Archs()
        self.used_time = 0.0  # seconds of simulated training
        self._random = random.Random(seed)
        self._trainings: dict[tuple[str, int], _Trainings] = {}
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return SPACE.size

    def __getitem__(self, index: int) -> str:
        return self.meta_archs[index]

    def arch(self, index: int) -> str:
        """The official string."""
        return self.meta_archs[index]

    def random(self) -> int:
        """A random index, from this object's own generator."""
        return self._random.randint(0, SPACE.size - 1)

    @property
    def search_space_name(self) -> str:
        """The name of the space, as the package calls it."""
        return "topology"

    @property
    def full_train_epochs(self) -> int:
        """The epochs of a full training."""
        return 200

    @property
    def evaluated_indexes(self) -> tuple[int, ...]:
        """The official indices: a table says of each what it knows."""
        return tuple(range(SPACE.size))

    def get_unique_str(self, arch: str | int) -> str:
        """The string that cells have in common which the release takes for one."""
        return str(SPACE.published_class(SPACE.parse(self.arch(self.query_index_by_arch(arch)))))

    @staticmethod
    def str2lists(arch_str: str) -> list[tuple[tuple[str, int], ...]]:
        """Per node, operation and input of its edges. Raises BadGenotype."""
        names = [SPACE.ops[op] for op in SPACE.parse(arch_str)]
        return [
            tuple((names[edge], SPACE.edges[edge].source) for edge in in_edges(SPACE.edges, node))
            for node in range(1, SPACE.output + 1)
        ]

    @staticmethod
    def str2matrix(arch_str: str) -> NDArray[np.float64]:
        """`[4, 4]`: row a node, column its input, the number of the operation in the release's order; 0 elsewhere."""
        matrix = np.zeros((SPACE.output + 1, SPACE.output + 1))
        for edge, op in zip(SPACE.edges, SPACE.parse(arch_str), strict=True):
            matrix[edge.target, edge.source] = _NUMBERED.index(SPACE.ops[op])
        return matrix

    def reset_time(self) -> None:
        """Set the simulated time to zero."""
        self.used_time = 0.0

    def query_index_by_arch(self, arch: Any) -> int:
        """The index of an official string, of an object with `tostr`, or of an index. Raises BadGenotype."""
        if hasattr(arch, "tostr"):
            arch = arch.tostr()
        if isinstance(arch, str):
            return SPACE.to_index(SPACE.parse(arch))
        try:
            index = operator.index(arch)
        except TypeError:
            raise BadGenotype(f"{arch!r} is neither an official string nor an index") from None
        if not 0 <= index < SPACE.size:
            raise BadGenotype(f"there is no architecture {index}; indices are 0..{SPACE.size - 1}")
        return index

    def get_more_info(
        self, index: Any, dataset: str, iepoch: int | None = None, hp: str | int = "12", is_random: bool | int = True
    ) -> dict[str, Any]:
        """Accuracy (percent), loss (nats) and times (seconds) after the last epoch.

        is_random: True for one training drawn at random, False for the mean over all, a number for that seed. What
        was not measured is None, or its keys are missing, as with `nats_bench`. Raises NoSuchEntry.
        """
        epochs = _epochs(hp, iepoch)
        trainings = self._of(dataset, epochs)
        runs = self._runs(trainings, self._row(index), is_random, f"{dataset} with {epochs} epochs")
        means = dict(zip(trainings.splits, _means(runs), strict=True))
        found: dict[str, Any] = {}
        for key, split in (("train", "train"), *_KEYS[dataset]):
            accuracy, loss, seconds = means.get(split, (None, None, None))
            if accuracy is None and key != "train":
                continue
            found |= {
                f"{key}-loss": loss,
                f"{key}-accuracy": accuracy,
                f"{key}-per-time": None if seconds is None else seconds / epochs,
                f"{key}-all-time": seconds,
            }
        if dataset in _COMMENT:
            found["comment"] = _COMMENT[dataset]
        return found

    def simulate_train_eval(
        self, arch: Any, dataset: str, iepoch: int | None = None, hp: str | int = "12", account_time: bool = True
    ) -> tuple[float, float | None, float, float]:
        """Validation accuracy (percent) of one training drawn at random, latency, what training and validating it
        took, and the sum of that so far (seconds). dataset: cifar10 stands for cifar10-valid. Raises NoSuchEntry."""
        if dataset not in DATASETS:
            raise UnknownName("data set", dataset, DATASETS)
        index = self.query_index_by_arch(arch)
        info = self.get_more_info(index, "cifar10-valid" if dataset == "cifar10" else dataset, iepoch, hp)
        key = "valid" if "valid-accuracy" in info else "valtest"
        accuracy, trained, validated = (
            info.get(name) for name in (f"{key}-accuracy", "train-all-time", f"{key}-per-time")
        )
        if accuracy is None or trained is None or validated is None:
            raise NoSuchEntry(
                f"table {self.table.header.name} lacks validation accuracy or times of {self.arch(index)} on {dataset} "
                f"with {hp} epochs; a simulation needs both"
            )
        cost = trained + validated
        if account_time:
            self.used_time += cost
        return accuracy, self.get_latency(index, dataset, hp), cost, self.used_time

    def get_cost_info(self, index: Any, dataset: str, hp: str | int = "12") -> dict[str, float | None]:
        """FLOPs and parameters (millions), latency (seconds), and per split the seconds of an epoch and of all,
        means over the seeds. Raises NoSuchEntry."""
        epochs = _epochs(hp, None)
        trainings = self._of(dataset, epochs)
        row = self._row(index)
        parameters, multiply_adds = (int(self.table.constant(name)[row]) for name in _COUNTS)
        params, flops = counts.official(parameters, multiply_adds, dataset)
        found = {"flops": flops, "params": params, "latency": self.get_latency(index, dataset, hp)}
        runs = self._runs(trainings, row, False, f"{dataset} with {epochs} epochs")
        for split, (_, _, seconds) in zip(trainings.splits, _means(runs), strict=True):
            found[f"T-{split}@epoch"] = None if seconds is None else seconds / epochs
            found[f"T-{split}@total"] = seconds
        return found

    def get_latency(self, index: Any, dataset: str, hp: str | int = "12") -> float | None:
        """Seconds, mean over the seeds that have it; None where none has."""
        latency = self._of(dataset, _epochs(hp, None)).latency[self._row(index)]
        known = latency[latency == latency]  # not NaN
        return float(known.mean()) if known.size else None

    def find_best(
        self,
        dataset: str,
        metric_on_set: str,
        flop_max: float | None = None,
        param_max: float | None = None,
        hp: str | int = "12",
        enforce_all: bool | None = None,
    ) -> tuple[int, float]:
        """Index and accuracy (percent, mean over seeds) of the best architecture within the limits (millions); of
        equals the first. metric_on_set: a split, or valid or test as the paper means them. Raises NoSuchEntry."""
        if (dataset, metric_on_set) == ("cifar10", "valid"):
            dataset = "cifar10-valid"
        split = dict(_KEYS.get(dataset, ())).get(metric_on_set, metric_on_set)
        values = self.table.column(dataset=dataset, split=split, epochs=_epochs(hp, None), seeds="mean").copy()
        if flop_max is not None or param_max is not None:
            sizes = zip(*(self.table.constant(name).tolist() for name in _COUNTS), strict=True)
            params, flops = np.array([counts.official(few, many, dataset) for few, many in sizes]).T
            values[flops > (np.inf if flop_max is None else flop_max)] = np.nan
            values[params > (np.inf if param_max is None else param_max)] = np.nan
        official = np.array([self._row(index) for index in range(SPACE.size)])
        if np.isnan(values).all():
            raise NoSuchEntry(f"table {self.table.header.name} has no architecture within these limits")
        best = int(np.nanargmax(values[official]))
        return best, float(values[official[best]])

    def _row(self, index: Any) -> int:
        number = self.query_index_by_arch(index)
        row = self._rows.get(number)
        if row is None:
            row = self._rows[number] = SPACE.population.row(SPACE.from_index(number))
        return row

    def _runs(self, trainings: _Trainings, row: int, is_random: bool | int, what: str) -> list[_Run]:
        """The trainings of an architecture that are meant. In plain lists: they are small, and asked for one by one."""
        runs: dict[str, _Run] = {
            seed: run
            for seed, run in zip(trainings.seeds, trainings.values[row].tolist(), strict=True)
            if any(split[0] == split[0] for split in run)  # has an accuracy that is not NaN
        }
        if not runs:
            raise NoSuchEntry(
                f"table {self.table.header.name} has no training of {SPACE.show(SPACE.population.at(row))} on {what}"
            )
        if isinstance(is_random, bool):
            return [runs[self._random.choice(list(runs))]] if is_random else list(runs.values())
        if str(is_random) not in runs:
            raise NoSuchEntry(f"there is no seed {is_random} of it on {what}; it has {', '.join(runs)}")
        return [runs[str(is_random)]]

    def _of(self, dataset: str, epochs: int) -> _Trainings:
        if dataset not in _KEYS:
            raise UnknownName("data set", dataset, _KEYS)
        found = self._trainings.get((dataset, epochs))
        if found is None:
            found = self._trainings[dataset, epochs] = self._gathered(dataset, epochs)
        return found

    def _gathered(self, dataset: str, epochs: int) -> _Trainings:
        """The columns of one data set and number of epochs, side by side."""
        here = [c for c in self.table.columns if (c.dataset, c.epochs) == (dataset, epochs)]
        seeds = sorted({_training(c) for c in here if c.metric == "accuracy"}, key=lambda seed: (len(seed), seed))
        if not seeds:
            have = sorted({(c.dataset, c.epochs) for c in self.table.columns})
            listed = ", ".join(f"{name} with {number}" for name, number in have)
            raise NoSuchEntry(
                f"table {self.table.header.name} has no training on {dataset} with {epochs} epochs; it has {listed}"
            )
        scored = {c.split for c in here if c.metric == "accuracy"} - {"train"}
        splits = ("train", *(split for _, split in _KEYS[dataset] if split in scored))
        values = np.full((SPACE.size, len(seeds), len(splits), 3), np.nan)
        latency = np.full((SPACE.size, len(seeds)), np.nan)
        for column in here:
            seed = _training(column)
            if seed in seeds and column.metric == "latency" and column.split == LATENCY_SPLIT:
                latency[:, seeds.index(seed)] = self._values(column)
            elif seed in seeds and column.split in splits:
                place = _PLACE[column.metric]
                values[:, seeds.index(seed), splits.index(column.split), place] = self._values(column)
        return _Trainings(tuple(seeds), splits, values, latency)

    def _values(self, column: Column) -> NDArray[np.float64]:
        metric, dataset, split, epochs = column.quantity
        return self.table.column(metric=metric, dataset=dataset, split=split, epochs=epochs, seeds=column.seed)


_NUMBERED = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The operations as `str2matrix` of the package numbers them."""

_COUNTS = ("parameters", "multiply_adds")
_PLACE = {"accuracy": 0, "cross_entropy": 1, "train_seconds": 2, "eval_seconds": 2}


def _training(column: Column) -> str:
    """The training that a column is of: a seed's own, or the one that stands for those without a number."""
    return MEAN if column.seed in (MEAN, RUN) else column.seed


class _Archs(Sequence[str]):
    """The official strings by official index, made when they are asked for."""

    def __len__(self) -> int:
        return SPACE.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(SPACE.size))]
        number = operator.index(index)
        if not -SPACE.size <= number < SPACE.size:
            raise IndexError(f"there is no architecture {number}")
        return SPACE.show(SPACE.from_index(number % SPACE.size))


def _epochs(hp: str | int, iepoch: int | None) -> int:
    """The number of epochs. Raises NoSuchEntry unless the last one is meant."""
    epochs = int(hp)
    if iepoch is not None and iepoch != epochs - 1:
        raise NoSuchEntry(f"a table holds the last epoch, {epochs - 1}, not epoch {iepoch}; leave out iepoch")
    return epochs


def _means(runs: list[_Run]) -> Iterator[list[float | None]]:
    """Per split the mean of each number over the trainings; None where one of them lacks it."""
    for splits in zip(*runs, strict=True):
        means = [sum(numbers) / len(numbers) for numbers in zip(*splits, strict=True)]
        yield [None if mean != mean else mean for mean in means]
