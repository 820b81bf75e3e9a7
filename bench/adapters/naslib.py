"""NASLib's searches on our tables, as further baselines.

NASLib reads a benchmark through `dataset_api["nb201_data"][architecture][data set][curve][epoch]`; `dataset_api` gives
it that, made from a table when it is asked for. Two traps of NASLib are closed here:

- its TEST_ACCURACY is its VAL_ACCURACY (both are `eval_acc1es`), and its cifar10 is cifar10-valid. So only validation
  accuracies are handed over, and the test accuracy of what a search found is looked up by `bench score`, as for every
  other record;
- its operations and edges stand in another order than the benchmark's: `NB201.from_naslib` turns them round.

These searches ask the table for the validation accuracy of networks trained alone. That is another problem than
weight sharing has; their records say so by the scale `table`, which no panel mixes with others.
"""

from __future__ import annotations

import copy
import math
import platform
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bench.adapters import checkout
from bench.errors import NoSuchEntry, UnknownName
from bench.spaces.nb201 import SPACE
from bench.spaces.space import Genotype
from bench.store.record import Candidate, Record
from bench.store.spec import SCHEMA, Scale, key_of, plain
from bench.truth.column import MEAN, SPLITS
from bench.truth.official import counts
from bench.truth.table import Table

OPTIMISERS = ("RandomSearch", "RegularizedEvolution", "LocalSearch")
VERSION = 1

KEYS = {"cifar10": "cifar10-valid", "cifar100": "cifar100", "imagenet16-120": "ImageNet16-120"}
"""Our names of the data sets: those that NASLib looks up."""
_NASLIB_NAMES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "ImageNet16-120"}

SCALE = Scale("table", 16, 5, 25_000, 25_000, 1.0, 0, 0)
"""That of the networks in the table: nothing is trained in the search."""

_MODULES = ("naslib.optimizers", "naslib.search_spaces", "naslib.defaults.trainer", "fvcore.common.config")
_SETTINGS = {"sample_size": 10, "population_size": 30, "num_init": 10, "fidelity": -1, "checkpoint_freq": 10**9}
"""What NASLib runs its black-box searches with (naslib/runners/nas/discrete_config.yaml); no checkpoint is written."""

STEPS, EPOCHS = 100, 200
"""The settings that a label leaves unsaid."""


def dataset_api(table: Table, epochs: int = 200) -> dict[str, Mapping[str, Any]]:
    """What NASLib's searches take as `dataset_api`. epochs: of the trainings that they may ask for."""
    return {"nb201_data": _Architectures(table, epochs)}


@dataclass(frozen=True)
class Search:
    """One search of NASLib. Its fields are the identity of its record."""

    optimiser: str  # one of OPTIMISERS
    dataset: str  # cifar10, cifar100 or imagenet16-120
    seed: int
    steps: int = STEPS  # architectures that are asked for
    epochs: int = EPOCHS  # of the trainings whose validation accuracy is given

    @property
    def label(self) -> str:
        """The printed name, with the settings that are not the usual ones in brackets."""
        changed = [f"{name}={value}" for name, value, usual in self._settings if value != usual]
        return f"NASLib {self.optimiser}" + (f"({', '.join(changed)})" if changed else "")

    @property
    def _settings(self) -> tuple[tuple[str, int, int], ...]:
        return ("epochs", self.epochs, EPOCHS), ("steps", self.steps, STEPS)

    def run(self, table: Table, folder: Path | None = None) -> Record:
        """The record of the search. folder: of the checkout. All global random state is as before afterwards.

        Raises BadData where NASLib cannot be used, and NoSuchEntry where the table lacks a number that it asks for.
        """
        for kind, name, known in (("optimiser", self.optimiser, OPTIMISERS), ("data set", self.dataset, KEYS)):
            if name not in known:
                raise UnknownName(kind, name, known)
        api = dataset_api(table, self.epochs)
        with _random_state(), tempfile.TemporaryDirectory(prefix="supernet-bench-") as scratch:
            checkout.load(folder)
            for module in _MODULES:
                import_module(module)  # before the clock runs
            started, clock, used = datetime.now(UTC), time.monotonic(), time.process_time()
            found = self._search(api, scratch, clock)
            spent = {"wall_s": time.monotonic() - clock, "device_s": time.process_time() - used}
        architectures = api["nb201_data"]
        assert isinstance(architectures, _Architectures)
        return self._record(found, architectures, table, started, spent, checkout.commit(folder))

    def key(self, table: Table) -> str:
        """The key of the search's record."""
        return key_of(self.identity(table))

    def identity(self, table: Table) -> dict[str, Any]:
        """All that the record's key is made of."""
        asked = {"table": table.header.name, "table_content": table.checksum}
        config = {"steps": self.steps, "epochs": self.epochs, **_SETTINGS, **asked}
        return {
            "schema": SCHEMA,
            "method": {"name": f"naslib.{self.optimiser}", "version": VERSION, "config": config},
            "space": SPACE.name,
            "dataset": self.dataset,
            "seed": self.seed,
            "scale": plain(SCALE),
        }

    def _search(self, api: Mapping[str, Any], scratch: str, clock: float) -> list[tuple[float, Genotype]]:
        """The incumbent after every step, with the seconds since the start."""
        optimisers, spaces, trainers, configs = (import_module(name) for name in _MODULES)
        random.seed(self.seed)  # the trainer seeds NumPy's and torch's
        Path(scratch, "search").mkdir()  # NASLib saves its last state there
        config = configs.CfgNode(
            {
                "dataset": _NASLIB_NAMES[self.dataset],
                "save": scratch,
                "save_arch_weights": False,
                "search": {"epochs": self.steps, "seed": self.seed, **_SETTINGS},
            }
        )
        space = _light(spaces.NasBench201SearchSpace)()
        space.instantiate_model = False  # else every sample builds a network
        optimiser = getattr(optimisers, self.optimiser)(config)
        optimiser.adapt_search_space(space, dataset_api=api)
        trace: list[tuple[float, Genotype]] = []

        def note(_step: int) -> None:
            incumbent = SPACE.from_naslib(optimiser.get_final_architecture().get_op_indices())
            trace.append((time.monotonic() - clock, incumbent))

        trainers.Trainer(optimiser, config, lightweight_output=True).search(after_epoch=note)
        return trace

    def _record(
        self,
        trace: list[tuple[float, Genotype]],
        asked: _Architectures,
        table: Table,
        started: datetime,
        spent: Mapping[str, float],
        commit: str | None,
    ) -> Record:
        from bench.runs.run import processor, provenance

        chosen = trace[-1][1]
        estimate = asked.valid(chosen, KEYS[self.dataset]) / 100
        none = {"forward_images": 0, "backward_images": 0, "gmacs": 0.0, "supernets": 0, "parameters": 0}
        cost = {**none, **spent, "peak_bytes": 0}
        return Record(
            key=self.key(table),
            label=self.label,
            identity=self.identity(table),
            status="done",
            message="",
            genotype=chosen,
            architecture=SPACE.show(chosen),
            candidates=(Candidate(chosen, estimate),),
            trace=tuple(
                {"forward_images": 0, "backward_images": 0, "wall_s": at, "queries": step, "genotype": list(genotype)}
                for step, (at, genotype) in enumerate(trace, start=1)
            ),
            details={
                "architectures_asked_for": len(asked.asked),
                "their_training_seconds": asked.training_seconds(KEYS[self.dataset]),
                "note": "asks the table for validation accuracies of networks trained alone",
            },
            cost={**cost, "phases": {"search": cost}},
            estimates=None,
            place={
                **provenance(),
                "naslib": commit,
                "python": platform.python_version(),
                "torch": "none",
                "numpy": np.__version__,
                "device": "cpu",
                "device_name": processor(),
                "threads": 1,
                "images": f"none: table {table.header.name}",
                "images_digest": table.checksum,
                "split": "validation accuracies of the table",
                "started": started.isoformat(timespec="seconds"),
            },
        )


class _Architectures(Mapping[str, Any]):
    """All architectures, each made when it is asked for."""

    def __init__(self, table: Table, epochs: int) -> None:
        self.asked: set[str] = set()
        table.check_of(SPACE.population)
        self._table, self._epochs = table, epochs

    def __getitem__(self, arch: str) -> Mapping[str, Any]:
        self.asked.add(arch)
        return _DataSets(self, SPACE.parse(arch))

    def __iter__(self) -> Iterator[str]:
        return (SPACE.show(genotype) for genotype in SPACE.population)

    def __len__(self) -> int:
        return SPACE.size

    def valid(self, genotype: Genotype, key: str) -> float:
        """Validation accuracy in percent, mean over the seeds there are. Raises NoSuchEntry."""
        return self._table.query(genotype, dataset=key, split="x-valid", epochs=self._epochs, seeds=MEAN).value

    def training_seconds(self, key: str) -> float | None:
        """What training all that was asked for takes; None where the table does not say it of each."""
        seconds = [self._or_nan(SPACE.parse(arch), key, "train", "train_seconds") for arch in sorted(self.asked)]
        total = math.fsum(seconds)
        return None if math.isnan(total) else total

    def curves(self, genotype: Genotype, key: str) -> dict[str, Any]:
        """What NASLib knows of an architecture on a data set; of curves only the end, and NaN for what it prints but
        does not search by."""
        loss = self._or_nan(genotype, key, "x-valid", "cross_entropy")
        return {
            "eval_acc1es": _End(self.valid(genotype, key), self._epochs),
            "eval_losses": _End(loss, self._epochs),
            "train_acc1es": _End(self._or_nan(genotype, key, "train", "accuracy"), self._epochs),
            "train_losses": _End(self._or_nan(genotype, key, "train", "cross_entropy"), self._epochs),
            "cost_info": self._costs(genotype, key),
        }

    def _costs(self, genotype: Genotype, key: str) -> dict[str, float]:
        found = {
            "train_time": self._or_nan(genotype, key, "train", "train_seconds"),
            "latency": self._or_nan(genotype, key, "ori-test", "latency"),
        }
        try:
            row = SPACE.population.row(genotype)
            sizes = (int(self._table.constant("parameters")[row]), int(self._table.constant("multiply_adds")[row]))
        except NoSuchEntry:
            return found
        params, flops = counts.official(*sizes, key)
        return {**found, "params": params, "flops": flops}

    def _or_nan(self, genotype: Genotype, key: str, split: str, metric: str) -> float:
        try:
            return self._table.query(
                genotype, dataset=key, split=split, epochs=self._epochs, seeds=MEAN, metric=metric
            ).value
        except NoSuchEntry:
            return float("nan")


class _DataSets(Mapping[str, Any]):
    """The data sets of one architecture."""

    def __init__(self, architectures: _Architectures, genotype: Genotype) -> None:
        self._architectures, self._genotype = architectures, genotype

    def __getitem__(self, key: str) -> dict[str, Any]:
        if key not in KEYS.values():
            raise NoSuchEntry(f"there are no curves of {key!r} for NASLib; there are {', '.join(KEYS.values())}")
        return self._architectures.curves(self._genotype, key)

    def __iter__(self) -> Iterator[str]:
        return (key for key in SPLITS if key in KEYS.values())

    def __len__(self) -> int:
        return len(KEYS)


class _End(Sequence[float]):
    """A curve of which the table holds the end alone."""

    def __init__(self, value: float, epochs: int) -> None:
        self._value, self._epochs = value, epochs

    def __len__(self) -> int:
        return self._epochs

    def __getitem__(self, epoch: Any) -> Any:
        if epoch not in (-1, self._epochs - 1):
            raise NoSuchEntry(f"a table holds the last epoch of a training, not epoch {epoch}")
        return self._value


def _light(space: type[Any]) -> type[Any]:
    """NASLib's search space with clones that share the supernet, which tabular search never touches: copying it takes
    a fifth of a second for every architecture that is drawn. No random number is drawn in either way."""

    class Light(space):  # type: ignore[misc]
        def clone(self) -> Any:
            return copy.copy(self)

    return Light


@contextmanager
def _random_state() -> Iterator[None]:
    """NASLib draws from the three global generators, and seeds them: afterwards they are as if nothing had happened."""
    import torch

    python, numpy_, torch_ = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_)
        torch.set_rng_state(torch_)
