"""Which runs a study has, written down beside its results before the first of them: `plan.json`.

Where such a file lies, the study of its name runs exactly what it says, or not at all: a recipe that is changed, a seed
that is added after a look, or another scale is told in one line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from bench.errors import BadRecord, BadSpec, counted
from bench.store import seals, strict
from bench.store.files import content_of, write_atomically
from bench.store.schema import Hex, Line
from bench.store.spec import RunSpec

NAME = "plan.json"


class _Plan(TypedDict):
    study: Line
    runs: dict[Hex, Line]


def agree(folder: Path, study: str, specs: Sequence[RunSpec]) -> Path:
    """Write the plan, unless one that says the same is there. Raises BadSpec, BadRecord."""
    path = folder / NAME
    if path.exists():
        check(folder, study, specs, whole=True)
    else:
        plan = seals.sealed({"study": study, "runs": _told(specs)})
        write_atomically(path, (json.dumps(plan, indent=1) + "\n").encode())
    return path


def check(folder: Path, study: str, specs: Sequence[RunSpec], whole: bool) -> None:
    """Raises BadSpec where the folder has a plan of this study and a run is not in it or, where the `whole` study is
    asked for, a run of it is not asked for; BadRecord where the plan cannot be read."""
    path = folder / NAME
    if not path.exists():
        return
    named, planned = read(path)
    if named != study:
        return
    asked = _told(specs)
    more = [name for key, name in asked.items() if key not in planned]
    missing = [name for key, name in planned.items() if whole and key not in asked]
    if more or missing:
        said = [f"{counted(len(names), 'run')} {what}, {names[0]} first" for names, what in _named(more, missing)]
        raise BadSpec(f"{path} plans {study} otherwise: {'; '.join(said)}; run what is planned, or in another folder")


def read(path: Path) -> tuple[str, dict[str, str]]:
    """The study that a plan is of, and what its runs are called, by key. Raises BadRecord where it cannot be read, or
    its seal is broken."""
    try:
        loaded = strict.parsed(content_of(path))
        strict.require(_Plan, loaded)
        plan, _ = seals.opened(loaded)
        if plan.keys() != _Plan.__annotations__.keys():
            raise ValueError(f"it holds {', '.join(sorted(plan))}")
    except (OSError, ValueError) as error:
        raise BadRecord(f"cannot read the plan {path} ({error}); put back the file that was committed") from None
    return plan["study"], plan["runs"]


def _told(specs: Sequence[RunSpec]) -> dict[str, str]:
    """What a person calls each run, by key."""
    return {spec.key: f"{spec.label} seed {spec.seed}" for spec in specs}


def _named(more: list[str], missing: list[str]) -> list[tuple[list[str], str]]:
    both = ((more, "not planned (of such settings)"), (missing, "planned and not asked for"))
    return [(names, what) for names, what in both if names]
