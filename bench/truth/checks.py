"""What numbers a table of ground truth takes: everything else is refused, with the first architecture concerned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BadTable
from bench.spaces.space import Population
from bench.truth.column import MEAN, RUN, UNITS, Column

CONSTANTS = ("parameters", "multiply_adds")
"""Counts per architecture that no training changes."""

_LARGEST = float(np.finfo(np.float32).max)


def floats(column: Column, values: ArrayLike, population: Population, complete: bool) -> NDArray[np.float32]:
    """A read-only copy `[N]` of a column of results. Raises BadTable where a number is out of range, where a column
    of accuracies holds shares, and where one is missing though the table is `complete`."""
    array = _sized(column.name, values, population).astype(np.float32)
    percent = UNITS[column.metric] == "percent"
    most = 100.0 if percent else _LARGEST
    low, high = float(np.fmin.reduce(array)), float(np.fmax.reduce(array))  # NaN where all are missing
    if low < 0 or high > most:
        wrong = np.flatnonzero((array < 0) | (array > most))
        legal = "0..100" if percent else "0 or more"
        raise BadTable(
            f"{column.name} of {_arch(population, wrong[0])} is {array[wrong[0]]:g}; it takes {legal}"
            f" {UNITS[column.metric]} ({wrong.size} such values)"
        )
    if percent and high <= 1:
        raise BadTable(f"all values of {column.name} are at most 1: they are shares, not percent; multiply them by 100")
    missing = np.isnan(array)
    if missing.any():
        array[missing] = np.nan  # one bit pattern, so that equal numbers have equal hashes
        if complete:
            first, count = _arch(population, missing.argmax()), missing.sum()
            raise BadTable(f"claims to be complete, but {count} values of {column.name} are missing, e.g. {first}")
    array.flags.writeable = False
    return array


def counts(name: str, values: ArrayLike, population: Population) -> NDArray[np.int64]:
    """A read-only copy `[N]` of a column of counts. Raises BadTable unless all are whole and not negative."""
    if name not in CONSTANTS:
        raise BadTable(f"unknown count {name!r}; known: {', '.join(CONSTANTS)}")
    array = _sized(name, values, population)
    wrong = np.flatnonzero(~((array >= 0) & (array < 2**53) & (array == np.floor(array))))
    if wrong.size:
        raise BadTable(f"{name} of {_arch(population, wrong[0])} is {array[wrong[0]]}; it takes a whole number")
    found = array.astype(np.int64)
    found.flags.writeable = False
    return found


def seeds(columns: Collection[Column]) -> None:
    """A quantity has numbered seeds, or one mean, or one run: no other mixture can be averaged. Raises BadTable."""
    if not columns:
        raise BadTable("holds no column of results")
    held = Counter(column.quantity for column in columns)
    for column in columns:
        if column.seed in (MEAN, RUN) and held[column.quantity] > 1:
            raise BadTable(f"{column.name} stands beside other seeds of the same numbers; keep one or the other")


def _sized(name: str, values: ArrayLike, population: Population) -> NDArray[Any]:
    array = np.asarray(values)
    if array.shape != (len(population),) or array.dtype.kind not in "fiu":
        raise BadTable(
            f"column {name!r} holds {array.dtype} of shape {array.shape}; "
            f"{population.space.name} takes {len(population)} numbers"
        )
    return array


def _arch(population: Population, row: np.intp) -> str:
    return population.space.show(population.at(int(row)))
