"""What evolution found over the estimates of a run: `evolved/<key>.<truth>.<target>.json`. Free of torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from bench.errors import BadRecord
from bench.store import hints, names, seals, strict
from bench.store.files import content_of, write_atomically
from bench.store.record import Results, to_json
from bench.store.schema import Count, Hex, Line, Name, Percent

SCHEMA = 1
FOLDER = "evolved"


class _Shape(TypedDict):
    key: Hex
    truth: Name
    target: Name
    truth_checksum: Line
    estimates: Line
    search: dict[str, Any]
    repeats: Annotated[int, Meta(ge=1)]
    architectures: Count
    share: Annotated[float, Meta(gt=0, le=1)]
    samples: list[Annotated[int, Meta(ge=1)]]
    by_estimates: list[Percent]
    by_truth: list[Percent]
    at_random: list[Percent]
    schema: int


@dataclass(frozen=True)
class Evolved:
    """Of one run by one truth. estimates: the digest of those that it is by; search: the evolution with its settings;
    architectures: of which it bred, and which share of the space they are; samples: numbers of architectures that were
    scored. Then, for each of these, percent of true test accuracy: of the architecture with the best estimate so far;
    of the best so far, where evolution knows the truth; of the best of as many random architectures, by the truth.
    by_estimates, by_truth: means of `repeats` evolutions."""

    key: str
    truth: str
    target: str
    truth_checksum: str
    estimates: str
    search: Mapping[str, Any]
    repeats: int
    architectures: int
    share: float
    samples: tuple[int, ...]
    by_estimates: tuple[float, ...]
    by_truth: tuple[float, ...]
    at_random: tuple[float, ...]
    schema: int = SCHEMA


def path_of(results: Results, key: str, truth: str, target: str) -> Path:
    """Where it lies."""
    return names.within(results.root / FOLDER, key, truth, target, "json", fault=BadRecord)


def save(results: Results, found: Evolved) -> Path:
    """Write it, in the place of one by an older truth."""
    path = path_of(results, found.key, found.truth, found.target)
    write_atomically(path, (json.dumps(seals.sealed(to_json(found)), indent=1, allow_nan=False) + "\n").encode())
    return path


def read(path: Path) -> Evolved:
    """What a file holds, checked against its seal, its name and its kinds. Raises BadRecord."""
    remedy = f"{hints.aside(path)}, `python -m bench evolve` makes it again then"
    try:
        loaded = strict.parsed(content_of(path))
        content, whole = seals.opened(loaded) if isinstance(loaded, dict) else ({}, False)
        if not whole or set(content) != {field.name for field in dataclasses.fields(Evolved)}:
            raise ValueError("it has no seal, or missing or unknown fields")
        strict.require(_Shape, content)
        if content["schema"] != SCHEMA:
            raise ValueError(f"it has schema {content['schema']}, this version reads {SCHEMA}")
        lists = {name: tuple(value) for name, value in content.items() if isinstance(value, list)}
        if len({len(value) for value in lists.values()}) != 1 or sorted(set(lists["samples"])) != [*lists["samples"]]:
            raise ValueError("its curves are of other lengths, or its numbers of samples do not rise")
        if path.name != f"{content['key']}.{content['truth']}.{content['target']}.json":
            raise ValueError("its name is another than its content says")
    except OSError as error:
        raise BadRecord(f"cannot read {path}: {error.strerror}; {remedy}") from None
    except ValueError as error:
        raise BadRecord(f"{path} tells no evolution that can be trusted ({error}); {remedy}") from None
    return Evolved(**{**content, **lists})
