"""Our table against the official packages on the same made-up data: loading, one query, all architectures."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nas_201_api
import nas_201_api.api_utils
import nats_bench
import numpy as np
import torch

from bench.adapters.nats import create
from bench.spaces.nb201 import SPACE
from bench.truth.column import Column
from bench.truth.official import measurements
from bench.truth.official.assembling import Assembler
from bench.truth.table import Header, Table
from tests import official_files as made
from tests.perf.interleaved import Timing, timed

FEW = 20  # architectures with full curves: what a query costs does not depend on their number


def load(folder: Path) -> dict[str, Timing]:
    """CPU ms to load all 15,625 architectures: theirs holds the last epochs alone, ours has all that an import gives.

    The packages' real files hold whole curves, so that this speaks for them.
    """
    pth, nats, ours = folder / "last.pth", folder / "last.pickle.pbz2", folder / "table.parquet"
    infos = {index: _last_epochs(index) for index in range(SPACE.size)}
    content = {"meta_archs": made.archs(), "evaluated_indexes": list(range(SPACE.size))}
    torch.save({**content, "arch2infos": infos}, pth)
    renamed = {index: {"12": states["less"], "200": states["full"]} for index, states in infos.items()}
    nats_bench.pickle_save({**content, "arch2infos": renamed}, str(folder / "last.pickle"))
    del infos, renamed
    _full_table().save(ours)
    print(f"  files: .pth {_mb(pth)}, .pickle.pbz2 {_mb(nats)}, table {_mb(ours)}", flush=True)
    forms: dict[str, Callable[[], object]] = {
        "table": lambda: Table.load(ours),
        "nas_201_api": lambda: nas_201_api.NASBench201API(str(pth), verbose=False),
        "nats_bench": lambda: nats_bench.create(str(nats), "tss", fast_mode=False, verbose=False),
    }
    return {name: _once(name, form, 15 if name == "table" else 1) for name, form in forms.items()}


def query(folder: Path) -> tuple[dict[str, Timing], dict[str, Timing]]:
    """CPU ms of one test accuracy and of one cost, of architectures with full curves, in turn."""
    theirs = {index: made.results(index, nats_bench)[0] for index in range(FEW)}
    old = {index: made.results(index, nas_201_api.api_utils)[0] for index in range(FEW)}
    nats = nats_bench.create(str(made.nats_folder(folder / "simple", theirs)), "tss", fast_mode=True, verbose=False)
    infos = {i: {"less": one[12].state_dict(), "full": one[200].state_dict()} for i, one in old.items()}
    content = {"meta_archs": made.archs(), "evaluated_indexes": list(range(FEW)), "arch2infos": infos}
    nb201 = nas_201_api.NASBench201API(content, verbose=False)
    assembler = Assembler()
    for index in range(FEW):
        assembler.add(measurements.row_of(index, theirs[index]))
    table = assembler.table("made-up", "Made up", "the benchmark", "nats-folder")
    standin, genotypes = create(table), [SPACE.from_index(index) for index in range(FEW)]
    turn = _Turn()
    asked: dict[str, Any] = {"hp": "200", "is_random": False}
    where: dict[str, Any] = {"dataset": "cifar100", "split": "x-test", "epochs": 200, "seeds": "mean"}
    info = {
        "nas_201_api": lambda: nb201.get_more_info(turn(), "cifar100", **asked)["test-accuracy"],
        "nats_bench": lambda: nats.get_more_info(turn(), "cifar100", **asked)["test-accuracy"],
        "stand-in": lambda: standin.get_more_info(turn(), "cifar100", **asked)["test-accuracy"],
        "table": lambda: table.query(genotypes[turn()], **where).value,
    }
    cost = {
        "nas_201_api": lambda: nb201.get_latency(turn(), "cifar100", hp="200"),
        "nats_bench": lambda: nats.get_latency(turn(), "cifar100", hp="200"),
        "stand-in": lambda: standin.get_latency(turn(), "cifar100", hp="200"),
        "table": lambda: table.query(genotypes[turn()], **where | {"split": "ori-test"}, metric="latency").value,
    }
    for index in range(FEW):  # nats_bench opens a file at the first touch
        nats.get_more_info(index, "cifar100", hp="200")
    return timed(info, 5, 40), timed(cost, 3, 20)


def bulk(folder: Path) -> dict[str, Timing]:
    """CPU ms of the mean test accuracy of all architectures, once the files of `load` are there."""
    api = nas_201_api.NASBench201API(str(folder / "last.pth"), verbose=False)
    path = folder / "table.parquet"
    infos = api.arch2infos_dict

    def theirs() -> list[float]:
        return [infos[i]["200"].get_metrics("cifar100", "x-test")["accuracy"] for i in range(SPACE.size)]

    table = Table.load(path)

    def first() -> object:  # without what the table keeps once it was asked
        table._series.clear()
        return table.column(dataset="cifar100", split="x-test", epochs=200, seeds="mean")

    def again() -> object:
        return table.column(dataset="cifar100", split="x-test", epochs=200, seeds="mean")

    return timed({"nas_201_api": theirs, "table, first time": first, "table, again": again}, 3, 1)


class _Turn:
    """The next of the few architectures at every call."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> int:
        self._last = (self._last + 1) % FEW
        return self._last


def _last_epochs(index: int) -> dict[str, Any]:
    """An architecture of NAS-Bench-201 whose curves hold the last epoch alone."""
    rng, arch, states = random.Random(index), SPACE.show(SPACE.from_index(index)), {}
    for name, epochs in (("less", 12), ("full", 200)):
        trained = nas_201_api.api_utils.ArchResults(index, arch)
        for dataset, splits in made.SPLITS.items():
            for seed in made.SEEDS[epochs].get(dataset, made.ALL[epochs]):
                last = {epochs - 1: rng.uniform(10, 90)}
                run = nas_201_api.api_utils.ResultsCount(
                    dataset, None, last, last, 0.1, 15.0, {"arch_str": arch}, seed, epochs, [rng.random()]
                )
                run.update_train_info(last, None, last, None)
                for split in splits:
                    run.update_OLD_eval(split, {epochs - 1: rng.uniform(10, 90)}, {epochs - 1: rng.random()})
                trained.update(dataset, seed, run)
        states[name] = trained.state_dict()
    return states


def _full_table() -> Table:
    """As many columns as an import of the released files gives."""
    rng, columns = np.random.default_rng(0), {}
    for epochs in (12, 200):
        for dataset, splits in made.SPLITS.items():
            for seed in made.SEEDS[epochs].get(dataset, made.ALL[epochs]):
                columns[Column("latency", dataset, "ori-test", epochs, str(seed))] = rng.random(SPACE.size) / 50
                for split in ("train", *splits):
                    seconds = "train_seconds" if split == "train" else "eval_seconds"
                    accuracies = rng.integers(1000, 9500, SPACE.size) / 100
                    columns[Column("accuracy", dataset, split, epochs, str(seed))] = accuracies
                    columns[Column("cross_entropy", dataset, split, epochs, str(seed))] = rng.random(SPACE.size) * 3
                    columns[Column(seconds, dataset, split, epochs, str(seed))] = rng.random(SPACE.size) * 300
    counts = {name: rng.integers(0, 10**8, SPACE.size) for name in ("parameters", "multiply_adds")}
    return Table(Header("made-up", "1", "nb201", "Made up", "the benchmark", True), columns, counts)


def _once(name: str, form: Callable[[], object], rounds: int) -> Timing:
    """CPU ms; what takes a quarter of a minute is timed once."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        form()
        times.append((time.process_time() - start) * 1000)
    return Timing(name, tuple(times))


def _mb(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _show(title: str, timings: Mapping[str, Timing], base: str) -> None:
    print(title)
    for timing in timings.values():
        ratio = timings[base].median / timing.median
        print(f"  {timing.name:<18}{timing.median:>14.4f} CPU ms  {ratio:>10.1f} times faster than {base}", flush=True)


def main() -> None:
    """Print all comparisons. Takes about two minutes and 4 GB of memory."""
    with tempfile.TemporaryDirectory(prefix="supernet-bench-") as name:
        folder = Path(name)
        _show("load 15,625 architectures", load(folder), "nas_201_api")
        _show("test accuracy of all 15,625", bulk(folder), "nas_201_api")
        info, cost = query(folder)
        _show("one test accuracy, mean over seeds (theirs: get_more_info)", info, "nats_bench")
        _show("one latency", cost, "nats_bench")


if __name__ == "__main__":
    main()
