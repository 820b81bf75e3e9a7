"""What one record of the official packages says, as plain rows: the last epoch of every training of an architecture.

Both packages keep an architecture's results in an `ArchResults` and a training in a `ResultsCount`; these are asked,
and what they cannot answer is missing: never filled in, never averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bench.errors import BadTable

Row = dict[str, Any]
"""One architecture, as JSON values: `index`; `arch`, the official string; `runs`, [data set, epochs, seed, split,
accuracy (percent), cross-entropy (nats), seconds of all epochs together], None where missing; `latency`, [data set,
epochs, seed, seconds]; `counts`, [data set, epochs, parameters, FLOPs] in millions, of every training."""


def row_of(index: int, results: Mapping[int, Any]) -> Row:
    """The row of an architecture. results: its `ArchResults` (of either package) by number of epochs.

    Raises BadTable where they disagree about the architecture, the number of epochs, the data set or the seed.
    """
    if not results:
        raise BadTable("holds no training")
    found: Row = {"index": index, "arch": None, "runs": [], "latency": [], "counts": []}
    for epochs, trained in results.items():
        if found["arch"] not in (None, trained.arch_str):
            raise BadTable(f"is of two architectures, {found['arch']} and {trained.arch_str}")
        found["arch"] = trained.arch_str
        for dataset in trained.get_dataset_names():
            for seed, run in trained.query(dataset).items():
                if run.get_total_epoch() != epochs:
                    raise BadTable(f"has {run.get_total_epoch()} epochs where {epochs} belong")
                if (run.name, int(run.seed)) != (dataset, int(seed)):
                    raise BadTable(f"has a training on {run.name}, seed {run.seed}, where {dataset}, {seed} belongs")
                where = [dataset, epochs, str(int(seed))]
                found["runs"] += _splits(where, run)
                latency = finite(run.get_latency())
                if latency is not None and latency > 0:  # the packages' mark of a missing one is -1
                    found["latency"].append([*where, latency])
                # Of each training by itself: the packages' own answer is a mean, also of trainings that disagree.
                found["counts"].append([dataset, epochs, finite(run.params), finite(run.flop)])
    return found


def _splits(where: list[Any], run: Any) -> list[list[Any]]:
    """One entry for the training images and each split that was evaluated at the last epoch."""
    found = [_entry(where, "train", run.get_train())]
    for split in run.get_eval_set():
        try:
            found.append(_entry(where, split, run.get_eval(split)))
        except (KeyError, ValueError):  # the package has no such number, so neither has the table
            continue
    return found


def _entry(where: list[Any], split: str, info: Mapping[str, Any]) -> list[Any]:
    return [*where, split, *(finite(info[name]) for name in ("accuracy", "loss", "all_time"))]


def finite(value: Any) -> float | None:
    """A finite float, or None: a training that diverged has no loss."""
    return float(value) if value is not None and math.isfinite(value) else None
