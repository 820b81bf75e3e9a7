"""Files of ours as somebody edits them: with the seal broken, taken off, or made anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from bench.store import seals

Seal = Literal["broken", "without", "anew"]
ACCOUNT = {
    "forward_images": 0,
    "backward_images": 0,
    "gmacs": 0.0,
    "supernets": 0,
    "parameters": 0,
    "wall_s": 0.0,
    "device_s": 0.0,
    "peak_bytes": 0,
}


def cost(**phases: Mapping[str, float]) -> dict[str, Any]:
    """The cost of a record whose phases have these numbers, and nothing else."""
    full = {name: {**ACCOUNT, **values} for name, values in phases.items()}
    return {**{name: sum(one[name] for one in full.values()) for name in ACCOUNT}, "phases": full}


def edit(path: Path, change: Callable[[Any], Any], seal: Seal = "broken", row: int = 0) -> None:
    """Change the content of a record, or of one row of a file of scores, in place."""
    content = json.loads(path.read_text())
    change(content["rows"][row] if "rows" in content else content)
    if seal != "broken":
        content.pop("seal", None)
    if seal == "anew":
        content = {**content, "seal": seals.of(content)}
    path.write_text(json.dumps(content, indent=1) + "\n")
