"""Files set aside: out of the program's way with what belongs to them, and never deleted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.errors import BadRecord
from bench.store.record import Results

FOLDERS = (
    "runs",
    "estimates",
    "scores",
    "truths",
    "truth",
    "failed",
    "checkpoints",
    "shared",
    "retrained",
    "blocks",
    "evolved",
    "speeds",
)
"""Of a results folder: those whose files can be set aside."""


_OF_A_RUN = re.compile(r"runs/([0-9a-f]{16})\.json|estimates/([0-9a-f]{16})\.parquet")


def root_of(path: Path) -> Path | None:
    """The results folder that a file lies in, by the name of a folder above it; None where it lies in none."""
    folder = next((above for above in path.absolute().parents if above.name in FOLDERS), None)
    return None if folder is None else folder.parent


def run_of(path: Path) -> str:
    """The key of the run that is worth nothing without the file; empty where there is none, as for a copy."""
    found = _OF_A_RUN.fullmatch(f"{path.parent.name}/{path.name}")
    return found[1] or found[2] if found else ""


def belonging(results: Results, path: Path) -> Iterator[Path]:
    """The file, and what is worth nothing without it: of a record or its estimates all of that run."""
    yield path
    key = run_of(path)
    if not key:
        return
    of_run = (
        results.run_path(key),
        results.estimates_path(key),
        results.partial_path(key),
        results.supernets_path(key),
    )
    scores = sorted((results.root / "scores").glob(f"{key}.*.json"))
    yield from (other for other in (*of_run, results.checkpoints_path(key), *scores) if other.name != path.name)


def set_aside(results: Results, path: Path) -> list[Path]:
    """Move the file and what belongs to it to a folder of its own below `aside/`, and say where to.

    Raises BadRecord where there is no such file, or where it cannot be moved, and Busy where the run is being made.
    """
    every = list(belonging(results, path))
    if not any(map(os.path.lexists, every)):
        raise BadRecord(f"there is no file {path}; it may have been set aside already")
    target = _folder(results.root)
    moved = []
    try:
        for one in every:
            if os.path.lexists(one):
                place = target / one.absolute().relative_to(results.root.absolute())
                place.parent.mkdir(parents=True, exist_ok=True)
                one.rename(place)
                moved.append(place)
    except OSError as error:
        raise BadRecord(f"cannot move {path} to {target}: {error.strerror or error}; move it by hand") from None
    return moved


def _folder(root: Path) -> Path:
    """A folder that is not there yet, named by this moment."""
    stem = f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}"
    names = (root / "aside" / (stem if not again else f"{stem}-{again}") for again in range(10_000))
    return next(folder for folder in names if not folder.exists())
