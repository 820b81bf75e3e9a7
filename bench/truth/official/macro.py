"""From the JSON file of NAS-Bench-Macro (`nas-bench-macro_cifar10.json`, xiusu/NAS-Bench-Macro) to the canonical table.

{"00000000": {"test_acc": [45.32, 45.33, 45.44], "mean_acc": …, "std": …, "params": 387882, "flops": 7713280}, …}

Of every architecture three trainings, told by their place in the list. Sizes must be those of the network. `mean_acc`
and `std` follow from the accuracies and are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from bench.errors import BadTable, counted
from bench.spaces.layout import RELEASED_MACRO
from bench.spaces.macro import SPACE
from bench.truth import counts, plausible
from bench.truth.column import Column
from bench.truth.table import Header, Table

NOTE = "test accuracy of the best epoch; there is no validation column"
EPOCHS = 50
TRAININGS = 3
COLUMNS = tuple(Column("accuracy", "cifar10", "ori-test", EPOCHS, str(place)) for place in range(TRAININGS))
SIZES = {"params": ("parameters", counts.parameters), "flops": ("multiply_adds", counts.multiply_adds)}
"""Their names here and ours, and how they are counted."""

AGAIN = "fetch it again"

Entries = Mapping[str, Any]


def convert_macro(path: Path) -> Table:
    """The table of the file. Raises BadTable with one line naming the file and what is wrong."""
    try:
        return _table(_read(path), path.name)
    except BadTable as error:
        raise BadTable(f"{path}: {error}") from None


def _read(path: Path) -> Entries:
    """What the file holds, by key. Raises BadTable where it is no JSON object of other objects."""
    try:
        found = json.loads(path.read_bytes(), object_pairs_hook=_once, parse_constant=_no_number)
    except OSError as error:
        raise BadTable(f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, numbers of thousands of digits
        raise BadTable(f"is cut off, damaged or no JSON ({error}); {AGAIN}") from None
    if not isinstance(found, dict):
        raise BadTable("is JSON, but no object from architectures to their numbers")
    return found


def _once(pairs: Iterable[tuple[str, Any]]) -> Entries:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise BadTable(f"{key!r} stands twice")
        found[key] = value
    return found


def _no_number(text: str) -> NoReturn:
    raise BadTable(f"holds {text}, which is no number of an architecture")


def _table(entries: Entries, name: str) -> Table:
    archs = [SPACE.show(genotype) for genotype in SPACE.population]
    _require_keys(entries, archs)
    accuracies = np.array([_accuracies(arch, entries[arch]) for arch in archs])  # [N, 3]
    header = Header(
        name="nas-bench-macro",
        version="1",
        space=SPACE.name,
        title=f"NAS-Bench-Macro: {NOTE}",
        source=f"imported from {name}; numbers of NAS-Bench-Macro (Su et al., CVPR 2021)",
        complete=True,
        settings={"accuracies": NOTE, "seeds": "places of trainings in the file, which does not tell their seeds"},
        notes={column.name: f"{NOTE}; training {column.seed} of the file" for column in COLUMNS},
    )
    columns = dict(zip(COLUMNS, accuracies.T, strict=True))
    table = Table(header, columns, {SIZES[theirs][0]: _sizes(theirs, entries, archs) for theirs in SIZES})
    for column, values in columns.items():
        plausible.accuracies(column, values, SPACE.population)
    return table


def _require_keys(entries: Entries, archs: Sequence[str]) -> None:
    """Raises BadTable unless the keys are the architectures, each with an object."""
    odd = sorted(set(entries) - set(archs))
    if odd:
        raise BadTable(
            f"has a key {odd[0][:40]!r}, which is no architecture of 8 digits 0 to 2; is it NAS-Bench-Macro?"
        )
    lacking = [arch for arch in archs if arch not in entries]
    if lacking:
        missing = f"{len(lacking):,} of {counted(len(archs), 'architecture')}"
        raise BadTable(f"lacks {missing}, e.g. {lacking[0]}; is the file whole?")
    for arch in archs:
        if not isinstance(entries[arch], dict):
            raise BadTable(f"architecture {arch} has no object of numbers")


def _accuracies(arch: str, entry: Entries) -> list[float]:
    """Of the three trainings, in percent."""
    found = entry.get("test_acc")
    if not isinstance(found, list) or len(found) != TRAININGS or not all(map(_number, found)):
        raise BadTable(f"test_acc of {arch} is {str(found)[:60]}; it takes {counted(TRAININGS, 'number')}")
    if max(found) <= 1:
        raise BadTable(f"test_acc of {arch} is {str(found)[:60]}: shares, not percent; multiply them by 100")
    return [float(value) for value in found]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sizes(named: str, entries: Entries, archs: Sequence[str]) -> list[int]:
    """Parameters or FLOPs of all. Raises BadTable unless they are those of the networks."""
    _, count = SIZES[named]
    own = [count(SPACE, genotype, RELEASED_MACRO) for genotype in SPACE.population]
    for arch, right in zip(archs, own, strict=True):
        found = entries[arch].get(named)
        if not _number(found) or found != right:
            raise BadTable(f"{named} of {arch} are {str(found)[:40]}, but its network has {right:,}")
    return own
