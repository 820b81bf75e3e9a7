"""From rows of the official files to the canonical table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadTable
from bench.spaces.nb201 import SPACE
from bench.spaces.space import Genotype
from bench.truth import plausible
from bench.truth.column import MEAN, RUN, Column
from bench.truth.official import counts
from bench.truth.official.measurements import Row
from bench.truth.plausible import IMAGES
from bench.truth.table import Header, Table

LATENCY_SPLIT = "ori-test"
"""Latency is a network's, not a split's; the columns need one, and every data set has this one."""

_MEANINGS = {
    "train_seconds": "all epochs together, on the authors' machine",
    "eval_seconds": "all epochs together, one evaluation after each",
    "latency": "one batch of 256 images; the split is there for form's sake",
    "seeds": "of NASLib's files, which name none: 'run' or 'mean', inferred from the resolution of the accuracies",
}
_FAR = 10.0  # one convolution short, a network has a quarter of its weights at the least; its FLOPs are a hundred-fold
_BROKEN = 0.02  # of an image; float32 leaves 0.002, the released files 0.00001

_Name = tuple[str, str, str, int, str]
"""What makes a `Column`: looked up a hundred times per architecture, so the column itself is made once."""


class Assembler:
    """Takes rows in any order. Raises BadTable at a row that cannot be right."""

    def __init__(self) -> None:
        self._values: dict[_Name, NDArray[np.float32]] = {}
        self.disagreements = 0  # architectures whose official counts differ between trainings
        self.broken_images = 0  # accuracies of one training that are no whole number of images
        self._filled = np.zeros(SPACE.size, dtype=bool)
        self._counts = np.full((SPACE.size, 2), -1, dtype=np.int64)

    def add(self, row: Row) -> None:
        """Enter one architecture."""
        try:
            genotype = SPACE.parse(row["arch"])
            where = self._position(genotype, row["index"])
            for dataset, epochs, seed, split, accuracy, loss, seconds in row["runs"]:
                self._set(where, ("accuracy", dataset, split, epochs, seed), accuracy)
                images = IMAGES.get((dataset, split)) if seed != RUN else None
                self.broken_images += accuracy is not None and bool(images) and not _whole(accuracy * images / 100)
                self._set(where, ("cross_entropy", dataset, split, epochs, seed), loss)
                metric = "train_seconds" if split == "train" else "eval_seconds"
                self._set(where, (metric, dataset, split, epochs, seed), seconds)
            for dataset, epochs, seed, seconds in row["latency"]:
                self._set(where, ("latency", dataset, LATENCY_SPLIT, epochs, seed), seconds)
            self._count(where, genotype, row["counts"])
        except BadGenotype as error:
            raise BadTable(f"{error}; is it the topology space of NATS-Bench?") from None
        except BadTable as error:
            raise BadTable(f"architecture {row['arch']}: {error}") from None
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise BadTable(f"a row is not as it should be ({type(error).__name__}: {error})") from None

    @property
    def missing(self) -> list[int]:
        """Official indices of the architectures that no row was about."""
        return sorted(SPACE.to_index(SPACE.population.at(int(p))) for p in np.flatnonzero(~self._filled))

    def table(self, name: str, title: str, source: str, kind: str) -> Table:
        """The table of all rows. Raises BadTable."""
        columns = self._columns_named(kind)
        whole = bool((self._counts >= 0).all())
        constants = {"parameters": self._counts[:, 0], "multiply_adds": self._counts[:, 1]} if whole else {}
        header = Header(
            name=name,
            version="1",
            space=SPACE.name,
            title=title,
            source=source,
            complete=not any(np.isnan(values).any() for values in columns.values()),
            settings={
                "format": kind,
                "architectures": int(self._filled.sum()),
                "architectures_whose_counts_disagree": self.disagreements,
                "accuracies_that_are_no_whole_number_of_images": self.broken_images,
                "meanings": _MEANINGS,
            },
        )
        return Table(header, columns, constants)

    def _position(self, genotype: Genotype, index: int | None) -> int:
        if index is not None and SPACE.to_index(genotype) != index:
            raise BadTable(f"it has index {index}, but is number {SPACE.to_index(genotype)} of the released order")
        where = SPACE.population.row(genotype)
        if self._filled[where]:
            raise BadTable("it stands twice")
        self._filled[where] = True
        return where

    def _set(self, where: int, name: _Name, value: float | None) -> None:
        if value is None:
            return
        if name not in self._values:
            Column(*name)  # raises BadTable unless there can be such a column
            self._values[name] = np.full(SPACE.size, np.nan, dtype=np.float32)
        self._values[name][where] = value

    def _count(self, where: int, genotype: Genotype, entries: list[list[Any]]) -> None:
        """Keep what the trainings count; where they disagree, as those of some released architectures do, of which
        some are a convolution short, or the file holds their mean, keep what the network has. Raises BadTable where
        counts are not of this network's order."""
        right = plausible.size_of(genotype)
        known = [entry for entry in entries if None not in entry]
        found = [counts.for_table(parameters, flops, dataset) for dataset, _, parameters, flops in known]
        for pair, _ in found:
            for count, own in zip(pair, right, strict=True):
                if not own / _FAR <= count <= own * _FAR:
                    raise BadTable(
                        f"counts {count:,} where its network has {own:,}; are parameters and FLOPs mixed up?"
                    )
        if found:
            agree = len(set(found)) == 1 and found[0][1]
            self._counts[where] = found[0][0] if agree else right
            self.disagreements += not agree

    def _columns_named(self, kind: str) -> Mapping[Column, NDArray[np.float32]]:
        """The columns; those of NASLib's files, which name no seed, as one run or as a mean, by their resolution."""
        columns = {Column(*name): values for name, values in self._values.items()}
        if kind != "naslib":
            return columns
        of_one = all(
            _multiples(values, IMAGES[column.dataset, column.split])
            for column, values in columns.items()
            if column.metric == "accuracy" and column.split != "train"
        )
        return columns if of_one else {_as_mean(column): values for column, values in columns.items()}


def _whole(images: float) -> bool:
    return abs(images - round(images)) < _BROKEN


def _multiples(values: NDArray[np.float32], images: int) -> bool:
    """Whether all accuracies are whole numbers of images."""
    right = values[~np.isnan(values)].astype(np.float64) * images / 100
    return bool((np.abs(right - np.rint(right)) < _BROKEN).all())


def _as_mean(column: Column) -> Column:
    return Column(*column.quantity, MEAN if column.seed == RUN else column.seed)
