"""Runs that last a moment: a scale, methods with less to do, images in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import methods
from bench import images
from bench.errors import BenchError
from bench.images import ImageSet
from bench.runs.run import Settings, execute
from bench.store.record import Record
from bench.store.spec import RunSpec, Scale, with_settings

SCALE = Scale("contract", 2, 1, 16, 16, 0.004, 12, 16)
"""Every phase lasts one step."""

SCARCE = dataclasses.replace(SCALE, name="scarce", valid_images=8)
"""Fewer validation images than a batch."""

LESS = {
    "batch": "16",
    "candidates": "3",
    "rounds": "2",
    "networks": "4",
    "cells": "3",
    "population": "3",
    "generations": "2",
    "share": "2",
    "images": "16",
}
"""Numbers that are set to less wherever a method has them, at any depth."""


class Broken(BenchError):
    """A check that a method or a space does not pass."""


class Refused(BenchError):
    """A search that cannot be done on a space, and says so in one line before anything is trained."""


def require(holds: bool, otherwise: str) -> None:
    """Raises Broken unless it holds."""
    if not holds:
        raise Broken(otherwise)


def smaller(method: Any) -> Any:
    """The method with less to do."""
    method = with_settings(method, dict(_less(method, "")))
    if getattr(method, "first", 0) > getattr(method, "networks", 0):
        return dataclasses.replace(method, first=method.networks)
    return method


def _less(part: Any, path: str) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            yield from _less(value, f"{path}{field.name}.")
        elif field.name in LESS and isinstance(value, int) and value > int(LESS[field.name]):
            yield f"{path}{field.name}", LESS[field.name]


def spec(label: str, space: str, seed: int = 0, scale: Scale = SCALE) -> RunSpec:
    """A method with less to do, on the oriented patches."""
    return RunSpec(label, smaller(methods.get(label, space)), space, "patches", seed, scale)


@lru_cache
def patches() -> ImageSet:
    """The image set that comes with the program, loaded once."""
    return images.load("patches")


def run(of: RunSpec, folder: Path) -> Record:
    """The record of a run on one CPU thread; whatever a search raises is raised."""
    return execute(of, Settings(folder, device="cpu"), debug=True, loaded=patches())
