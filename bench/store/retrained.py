"""What a retraining leaves: one JSON record, `retrained/<key>.json`, written once and never edited. Free of torch."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from bench.errors import BadRecord
from bench.store import hints, seals, strict
from bench.store.files import content_of, write_atomically
from bench.store.record import MEASURED, Results, to_json
from bench.store.schema import Count, Genotype, Hex, Line, Name, Percent, Place, Seconds
from bench.store.spec import key_of

SCHEMA = 1
FOLDER = "retrained"
_FILE = re.compile(r"[0-9a-f]{16}\.json")


class _Identity(TypedDict):
    schema: int
    recipe: dict[str, Any]
    scale: dict[str, Any]
    space: Name
    genotype: Genotype
    dataset: Name
    seed: Count


class _Cost(TypedDict):
    forward_images: Count
    backward_images: Count
    wall_s: Seconds
    processes: Count


class _Shape(TypedDict):
    key: Hex
    schema: int
    identity: _Identity
    architecture: Line
    error: Percent
    cross_entropy: Seconds
    parameters: Count
    multiply_adds: Count
    test_images: Count
    curve: list[dict[str, float]]
    cost: _Cost
    place: Place
    searched: list[Hex]


@dataclass(frozen=True)
class Retrained:
    """One architecture, trained alone from one seed. error: of the test images behind the last epoch, in percent;
    cross_entropy: nats; parameters: without an auxiliary head; multiply_adds: of one image; curve: by epoch;
    searched: the keys of runs that chose it, as far as they were named."""

    key: str
    identity: Mapping[str, Any]
    architecture: str
    error: float
    cross_entropy: float
    parameters: int
    multiply_adds: int
    test_images: int
    curve: tuple[Mapping[str, float], ...]
    cost: Mapping[str, Any]
    place: Mapping[str, Any]
    searched: tuple[str, ...]
    schema: int = SCHEMA

    def essence(self) -> dict[str, Any]:
        """The record without seconds, place and who asked: equal for equal trainings."""
        content = to_json(self)
        for name in ("place", "searched"):
            del content[name]
        content["cost"] = {name: v for name, v in content["cost"].items() if name not in {*MEASURED, "processes"}}
        return content  # type: ignore[no-any-return]


def identity(
    recipe: Mapping[str, Any], scale: Mapping[str, Any], space: str, genotype: tuple[int, ...], dataset: str, seed: int
) -> dict[str, Any]:
    """What the key of a retraining is made of."""
    return {
        "schema": SCHEMA,
        "recipe": dict(recipe),
        "scale": dict(scale),
        "space": space,
        "genotype": list(genotype),
        "dataset": dataset,
        "seed": seed,
    }


def path_of(results: Results, key: str) -> Path:
    """Where a record lies."""
    return results.root / FOLDER / f"{key}.json"


def find(results: Results, key: str) -> Retrained | None:
    """The record of that key, checked, or None."""
    path = path_of(results, key)
    return read(path) if path.exists() else None


def save(results: Results, record: Retrained) -> Path:
    """Write a record. Raises BadRecord where another result of the same key stands."""
    path = path_of(results, record.key)
    if path.exists() and read(path).essence() != record.essence():
        raise BadRecord(f"{path} holds another result of the same key; {hints.aside(path)}")
    try:
        text = json.dumps(seals.sealed(to_json(record)), indent=1, allow_nan=False)
    except ValueError as error:
        raise BadRecord(f"the record of {record.key} holds a number that is not finite ({error})") from None
    write_atomically(path, (text + "\n").encode())
    return path


def read(path: Path) -> Retrained:
    """A record, checked against its seal, its own key and file name, and its kinds. Raises BadRecord."""
    remedy = hints.aside(path)
    try:
        loaded = strict.parsed(content_of(path))
        content, whole = seals.opened(loaded) if isinstance(loaded, dict) else ({}, False)
        if not whole or set(content) != {f.name for f in dataclasses.fields(Retrained)}:
            raise ValueError("it has no seal, or missing or unknown fields")
        strict.require(_Shape, content)
        if content["schema"] != SCHEMA:
            raise ValueError(f"it has schema {content['schema']}, this version reads {SCHEMA}")
        if key_of(content["identity"]) != content["key"] or path.stem != content["key"]:
            raise ValueError("the content disagrees with its key: it was edited or renamed")
    except OSError as error:
        raise BadRecord(f"cannot read {path}: {error.strerror}; {remedy}") from None
    except ValueError as error:
        raise BadRecord(f"{path} is no record of a retraining that can be trusted ({error}); {remedy}") from None
    return Retrained(**{**content, "curve": tuple(content["curve"]), "searched": tuple(content["searched"])})


def records(results: Results) -> Iterator[Retrained]:
    """All of them that can be trusted, by key; the others are named in `results.damaged`."""
    folder = results.root / FOLDER
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return results.each((path for path in paths if _FILE.fullmatch(path.name)), read)
