"""How long the options of blocks take on a device, as a file: a setting of ProxylessNAS, and in `speeds/` of a results
folder what figures place architectures by. It holds no accuracy. Free of torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from bench.errors import BadRecord, BadSpec
from bench.spaces.space import Genotype
from bench.store import hints, strict
from bench.store.files import content_of, write_atomically
from bench.store.record import Results
from bench.store.schema import Line, Name, Seconds

FOLDER = "speeds"


class _About(TypedDict):
    space: Name
    device: Name
    said: Line


class _Shape(TypedDict):
    about: _About
    blocks: list[list[Seconds]]
    target: Annotated[float, Meta(gt=0)]
    rest: Seconds


@dataclass(frozen=True)
class Speeds:
    """A sum over blocks, in milliseconds. blocks: `[E, O]`; rest: of what is no block; target: what a search aims at;
    said: what was measured, in a line."""

    space: str
    device: str
    blocks: NDArray[np.float64]
    rest: float
    target: float
    said: str

    def of(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        """`[n]` milliseconds."""
        rows = np.array(genotypes, dtype=int).reshape(len(genotypes), len(self.blocks))
        found: NDArray[np.float64] = self.blocks[np.arange(rows.shape[1]), rows].sum(1) + self.rest
        return found


def write(speeds: Speeds, path: Path) -> None:
    """Write a file that is not there yet. Raises BadSpec, BadRecord."""
    if path.exists():
        raise BadSpec(f"{path} exists already; move it away or choose another name")
    told: dict[str, Any] = {
        "about": {"space": speeds.space, "device": speeds.device, "said": speeds.said},
        "blocks": speeds.blocks.round(6).tolist(),
        "target": speeds.target,
        "rest": round(speeds.rest, 6),
    }
    write_atomically(path, (json.dumps(told, indent=1, allow_nan=False) + "\n").encode())


def read(path: Path) -> Speeds:
    """What such a file holds. Raises BadRecord in one line."""
    try:
        told = strict.parsed(content_of(path))
        strict.require(_Shape, told)
        blocks = told["blocks"]
        if not blocks or len({len(row) for row in blocks}) != 1:
            raise ValueError("its blocks have different numbers of options")
    except OSError as error:
        raise BadRecord(f"cannot read {path}: {error.strerror}; {hints.aside(path)}") from None
    except ValueError as error:
        raise BadRecord(f"{path} tells no speeds of blocks ({error}); {hints.aside(path)}") from None
    about = told["about"]
    return Speeds(about["space"], about["device"], np.array(blocks), told["rest"], told["target"], about["said"])


def those_of(results: Results, space: str) -> list[Speeds]:
    """Those that lie in a results folder, of a space, by device; what cannot be trusted is named in `damaged`."""
    folder = results.root / FOLDER
    found = results.each(sorted(folder.glob("*.json")) if folder.is_dir() else [], read)
    return sorted((one for one in found if one.space == space), key=lambda one: one.device)
