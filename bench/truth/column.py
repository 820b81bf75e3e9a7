"""What one column of a table of ground truth is: metric, dataset, split, epochs and seed, all of them always named.

Most wrong numbers taken from NAS-Bench-201 come from the neighbouring cell: 12 for 200 epochs, test for validation,
one seed for the mean. So nothing here has a default, and a question for a column that is not there is answered with
those that are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from bench.errors import BadTable

LATENCIES = ("latency_zcu102", "latency_vck190")
THROUGHPUTS = tuple(f"throughput_{device}" for device in ("a100", "3090", "tpuv2", "tpuv3", "zcu102", "vck190"))
"""Of the devices of Accel-NASBench."""

UNITS = {
    "accuracy": "percent",
    "accuracy_top5": "percent",
    "cross_entropy": "nats",
    "train_seconds": "seconds",
    "eval_seconds": "seconds",
    "latency": "seconds",
    **dict.fromkeys(LATENCIES, "seconds"),
    **dict.fromkeys(THROUGHPUTS, "images per second"),
}
"""The metrics and their units. Accuracy is top-1 where its name does not say otherwise."""

SPLITS = {
    "cifar10-valid": ("train", "x-valid", "ori-test"),  # trained on 25,000 images, the other 25,000 are x-valid
    "cifar10": ("train", "ori-test"),  # trained on all 50,000, so nothing is left to validate on
    "cifar100": ("train", "x-valid", "x-test", "ori-test"),  # x-valid and x-test are the halves of ori-test
    "ImageNet16-120": ("train", "x-valid", "x-test", "ori-test"),
    "ImageNet": ("train", "val"),  # whose 50,000 validation images nothing was chosen by
    "patches": ("train", "valid", "test"),  # `bench.images.patches`
}
"""The official NAS-Bench-201 keys of what a network was trained on, and of the images it was scored on; and ours."""

OWN = "own-"
"""Before the name of any other data set, which has the splits of ours."""

Quantity = tuple[str, str, str, int]
"""Metric, dataset, split, epochs: what the seeds of one number share."""

MEAN, RUN = "mean", "run"
"""Seeds that are no number: a mean over an unknown number of trainings; one training whose seed is not known."""


@dataclass(frozen=True, order=True)
class Column:
    """The identity of one column. Raises BadTable unless every part is one of the names above."""

    metric: str
    dataset: str
    split: str
    epochs: int  # of the whole training, whose learning rate ends at zero: 12 is not the twelfth of 200
    seed: str  # "777" for one training, MEAN or RUN

    def __post_init__(self) -> None:
        _one_of("metric", self.metric, UNITS)
        if not (type(self.dataset) is str and self.dataset.startswith(OWN)):
            _one_of("dataset", self.dataset, SPLITS)
        elif "|" in self.dataset:
            raise BadTable(f"dataset is {self.dataset!r}; its name may have no |")
        _one_of(f"split of {self.dataset}", self.split, SPLITS.get(self.dataset, SPLITS["patches"]))
        if type(self.epochs) is not int or self.epochs < 1:
            raise BadTable(f"epochs is {self.epochs!r}; it takes a whole number, 1 or more")
        if self.seed not in (MEAN, RUN) and not re.fullmatch(r"0|[1-9][0-9]*", str(self.seed)):
            raise BadTable(f"seed is {self.seed!r}; it takes digits, {MEAN!r} or {RUN!r}")

    @property
    def quantity(self) -> Quantity:
        """All but the seed."""
        return self.metric, self.dataset, self.split, self.epochs

    @property
    def name(self) -> str:
        """How the column is stored, e.g. `accuracy|cifar10|ori-test|200|777`."""
        return "|".join(map(str, (*self.quantity, self.seed)))

    @classmethod
    def parse(cls, name: str) -> Column:
        """The inverse of `name`. Raises BadTable."""
        parts = name.split("|")
        if len(parts) != 5 or not parts[3].isdecimal():
            raise BadTable(f"column {name!r} is not named metric|dataset|split|epochs|seed")
        metric, dataset, split, epochs, seed = parts
        found = cls(metric, dataset, split, int(epochs), seed)
        if found.name != name:
            raise BadTable(f"column {name!r} should be named {found.name!r}")
        return found


def _one_of(kind: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise BadTable(f"unknown {kind} {name!r}; {_nearest(name, known)}")


def _nearest(name: object, known: Iterable[object]) -> str:
    """What there is, the name that was probably meant first."""
    folded = {str(k).casefold(): k for k in known}
    near = get_close_matches(str(name).casefold(), folded, n=len(folded), cutoff=0.7)
    names = [folded[n] for n in near] + [k for n, k in folded.items() if n not in near]
    return f"there is {', '.join(map(repr, names))}"


def explain(columns: Collection[Column], quantity: Quantity, seeds: str) -> str:
    """Why a table of these columns cannot answer, with what it has at the first part that does not fit."""
    metric, dataset, split, _ = quantity
    if dataset == "cifar10" and "valid" in split and any(c.dataset == "cifar10-valid" for c in columns):
        there = sorted({c.epochs for c in columns if c.quantity[:3] == (metric, "cifar10-valid", "x-valid")})
        instead = f"which this table has at {', '.join(map(str, there))} epochs" if there else "of another table"
        return (
            f"cifar10 was trained on all 50,000 training images and has no validation {metric};"
            f" use dataset 'cifar10-valid', split 'x-valid', {instead}"
        )
    left = list(columns)
    under = ""
    for at, (part, wanted) in enumerate(zip(("metric", "dataset", "split", "epochs"), quantity, strict=True)):
        have = sorted({column.quantity[at] for column in left}, key=str)
        left = [column for column in left if column.quantity[at] == wanted]
        if not left:
            return f"there is no {part} {wanted!r}{under}; {_nearest(wanted, have)}"
        under += f"{',' if under else ' with'} {part} {wanted!r}"
    return f"there are no seeds {seeds!r}{under}; {_nearest(seeds, sorted({c.seed for c in left} | {MEAN}))}"
