"""What numbers a table of ground truth takes: everything else is refused, with the first architecture concerned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import BadTable
from bench.space import Space
from bench.truth.column import MEAN, RUN, UNITS, Column

CONSTANTS = ("parameters", "multiply_adds")
"""Counts per architecture that no training changes."""


def floats(column: Column, values: ArrayLike, space: Space, complete: bool) -> NDArray[np.float32]:
    """A read-only copy `[N]` of a column of results. Raises BadTable where a number is out of range, where a column
    of accuracies holds shares, and where one is missing though the table is `complete`."""
    array = _sized(column.name, values, space).astype(np.float32)
    missing = np.isnan(array)
    array[missing] = np.nan  # one bit pattern, so that equal numbers have equal hashes
    percent = column.metric == "accuracy"
    wrong = np.flatnonzero(~missing & ~((array >= 0) & (array <= (100 if percent else np.finfo(np.float32).max))))
    if wrong.size:
        legal = "0..100" if percent else "0 or more"
        raise BadTable(
            f"{column.name} of {_arch(space, wrong[0])} is {array[wrong[0]]:g}; it takes {legal}"
            f" {UNITS[column.metric]} ({wrong.size} such values)"
        )
    if percent and not missing.all() and array[~missing].max() <= 1:
        raise BadTable(f"all values of {column.name} are at most 1: they are shares, not percent; multiply them by 100")
    if complete and missing.any():
        first = _arch(space, missing.argmax())
        raise BadTable(f"claims to be complete, but {missing.sum()} values of {column.name} are missing, e.g. {first}")
    array.flags.writeable = False
    return array


def counts(name: str, values: ArrayLike, space: Space) -> NDArray[np.int64]:
    """A read-only copy `[N]` of a column of counts. Raises BadTable unless all are whole and not negative."""
    if name not in CONSTANTS:
        raise BadTable(f"unknown count {name!r}; known: {', '.join(CONSTANTS)}")
    array = _sized(name, values, space)
    wrong = np.flatnonzero(~((array >= 0) & (array < 2**53) & (array == np.floor(array))))
    if wrong.size:
        raise BadTable(f"{name} of {_arch(space, wrong[0])} is {array[wrong[0]]}; it takes a whole number")
    found = array.astype(np.int64)
    found.flags.writeable = False
    return found


def seeds(columns: Collection[Column]) -> None:
    """A cell holds numbered seeds, or one mean, or one run: no other mixture can be averaged. Raises BadTable."""
    if not columns:
        raise BadTable("holds no column of results")
    held = Counter(column.cell for column in columns)
    for column in columns:
        if column.seed in (MEAN, RUN) and held[column.cell] > 1:
            raise BadTable(f"{column.name} stands beside other seeds of the same numbers; keep one or the other")


def _sized(name: str, values: ArrayLike, space: Space) -> NDArray[Any]:
    array = np.array(values)
    if array.shape != (space.size,) or array.dtype.kind not in "fiu":
        raise BadTable(
            f"column {name!r} holds {array.dtype} of shape {array.shape}; {space.name} takes {space.size} numbers"
        )
    return array


def _arch(space: Space, row: np.intp) -> str:
    return space.show(space.at(int(row)))
