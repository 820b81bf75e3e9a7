"""The records behind the scores, read once however many figures ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.load import Setting, settings, targets_of
from bench.store.record import Record, Results, read_record


def record_of(results: Results, key: str) -> Record:
    """The record of a finished run. Raises BadRecord where it cannot be trusted."""
    return _read(results.run_path(key))


def runs(rows: pd.DataFrame, results: Results) -> Iterator[tuple[pd.Series, Record]]:
    """The rows of scores with their records, by seed."""
    for _, row in rows.sort_values("seed", kind="stable").iterrows():
        yield row, record_of(results, str(row["key"]))


def searches(frame: pd.DataFrame) -> Iterator[tuple[Setting, pd.DataFrame]]:
    """The rows of each space, image set and scale, one per run whatever it was scored by: for figures that show the
    search alone. The setting names no truth."""
    for (space, dataset, scale), rows in frame.groupby(["space", "dataset", "scale"], sort=True):
        yield Setting(str(space), str(dataset), str(scale), truth=""), rows.drop_duplicates("key")


def searched(frame: pd.DataFrame) -> Iterator[tuple[Setting, pd.DataFrame]]:
    """The rows of each setting at the data set that was searched: for figures of estimates, which are accuracies on
    its images. Where no truth of it is known, at the first by name."""
    for setting, rows in settings(frame, by_target=False):
        yield targets_of(setting, rows)[0]


def rounds(record: Record) -> list[Mapping[str, Any]]:
    """What a search that trains cells together keeps of its rounds: cells (genotypes), weights `[d, k]`, ranks `[k]`
    and the validation accuracy of the best-ranked one. Empty for other searches."""
    return list(record.details.get("rounds", ()))


def leaves(record: Record) -> int | None:
    """Among how many supernets the space is divided at the end: 1 without cuts; None where children were dropped, so
    that the supernets at hand do not cover it."""
    tree = record.details.get("tree")
    if tree is None:
        return 1
    parents = {node["parent"] for node in tree}
    return None if not all(n["kept"] for n in tree) else sum(node["name"] not in parents for node in tree)


def curve(row: pd.Series, quantity: str) -> list[tuple[float, float]]:
    """(images, `test` or `regret_test`) of a run wherever its proposal has a truth, the final choice last; nothing for
    a run whose choice has none."""
    end = float(row["forward_images"] + row["backward_images"])
    points = [(float(p["forward_images"] + p["backward_images"]), p[quantity]) for p in row["curve"]]
    known = {images: float(value) for images, value in points if value is not None}
    return sorted({**known, end: float(row[quantity])}.items()) if row[quantity] == row[quantity] else []


def config(value: Any, *path: str) -> Any:
    """The value of a field of a method's identity, `config` between name and field left out; None without it."""
    for name in path:
        value = value.get("config", value) if isinstance(value, Mapping) else None
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _read(path: Path) -> Record:
    state = path.stat()
    return _cached(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2048)
def _cached(path: Path, changed_ns: int, size: int) -> Record:
    return read_record(path)
