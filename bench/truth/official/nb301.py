"""From the data of NAS-Bench-301 (`results_*.json`, its Dataset v1.0) to a list of architectures and accuracies.

{"optimized_hyperparamater_config": {"NetworkSelectorDatasetInfo:darts:edge_normal_0": "sep_conv_3x3", …},
 "budget": 100, "info": [{"val_accuracy": 94.1, "epochs": 98, "model_parameters": 920000, …}], "test_accuracy": 93.9, …}

The misspelling is theirs (automl/nasbench301 61c670ed, surrogate_models/utils.py). The list is what `bench score
--truth` fits a surrogate on. The fitted models of NAS-Bench-301 are not read: they are pickles, of libraries whose
versions are gone.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
from msgspec import Meta

from bench.errors import BadGenotype, BadTable, counted
from bench.spaces.darts import DartsSpace
from bench.spaces.space import Genotype
from bench.store import strict
from bench.store.files import write_atomically

PATTERN = "results_*.json"
MODELS = ("surrogate_model.model", "model_config.json")
"""What a folder of fitted models holds."""
WHAT = "NetworkSelectorDatasetInfo:darts:"
SIZES = ("init_channels", "layers")
"""Settings of the network that all trainings of a list share."""
LARGEST = 1 << 22
"""Bytes of a result; they have some 5,000."""

Percent = Annotated[float, Meta(ge=0, le=100)]
Count = Annotated[int, Meta(ge=1)]


class Info(TypedDict):
    """What the training logged at its end."""

    val_accuracy: Percent
    epochs: NotRequired[Count]
    model_parameters: NotRequired[Count]


class Result(TypedDict):
    """One training. Other fields are let through."""

    optimized_hyperparamater_config: dict[str, Any]
    info: Annotated[list[Info], Meta(min_length=1)]
    test_accuracy: Percent


@dataclass(frozen=True)
class Training:
    """An architecture trained once: percent, and the sizes that its network had."""

    genotype: Genotype
    valid: float
    test: float
    sizes: tuple[tuple[str, Any], ...]


def is_nb301(source: Path) -> bool:
    """Whether a folder holds results, or fitted models, of NAS-Bench-301."""
    return source.is_dir() and any(next(source.rglob(name), None) is not None for name in (PATTERN, *MODELS))


def convert_nb301(source: Path, out: Path, space: DartsSpace) -> str:
    """Write the list of all results below a folder as CSV: `architecture`, `test_accuracy` and `validation` in percent,
    means over the `trainings` of an architecture. Gives a line about it. Raises BadTable in one line."""
    paths = sorted(source.rglob(PATTERN))
    if not paths:
        raise BadTable(
            f"{source} holds fitted models of NAS-Bench-301 and no results; models are pickles and are not opened: "
            f"give the folder of its data ({PATTERN}), a surrogate is fitted on it"
        )
    found: dict[Genotype, list[Training]] = defaultdict(list)
    for training in _trainings(paths, space):
        found[training.genotype].append(training)
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(("architecture", "test_accuracy", "validation", "trainings"))
    for genotype, own in sorted(found.items()):
        test, valid = (float(np.mean([getattr(one, name) for one in own])) for name in ("test", "valid"))
        writer.writerow((space.show(genotype), f"{test:.4f}", f"{valid:.4f}", len(own)))
    write_atomically(out, rows.getvalue().encode())
    sizes = ", ".join(f"{name} {value}" for name, value in next(iter(found.values()))[0].sizes)
    return f"{counted(len(paths), 'training')} of {counted(len(found), 'architecture')} ({sizes})"


def _trainings(paths: Sequence[Path], space: DartsSpace) -> Iterator[Training]:
    """All of them. Raises BadTable where one cannot be read, or is of a network of other sizes than the first."""
    first: tuple[Path, Training] | None = None
    for path in paths:
        try:
            one = _training(path, space)
        except (OSError, ValueError, BadGenotype) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise BadTable(f"{path}: {' '.join(str(said).split())[:300]}") from None
        first = first or (path, one)
        if one.sizes != first[1].sizes:
            told = (", ".join(f"{name} {value}" for name, value in each.sizes) for each in (one, first[1]))
            raise BadTable(
                f"{path} is of a network of {', but that of '.join((next(told), f'{first[0]} of {next(told)}'))}; "
                "accuracies of unlike networks make no list: give a folder of one"
            )
        yield one


def _training(path: Path, space: DartsSpace) -> Training:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MB, which no result has")
    value = strict.parsed(path.read_bytes())
    strict.require(Result, value)
    config = value["optimized_hyperparamater_config"]
    genotype = space.parse(json.dumps({key: config[key] for key in config if key.startswith(WHAT)}, default=str))
    sizes = tuple((name, config.get(f"{WHAT}{name}", "unknown")) for name in SIZES)
    return Training(genotype, value["info"][-1]["val_accuracy"], value["test_accuracy"], sizes)
