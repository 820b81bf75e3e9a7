"""What was drawn earlier and still stands: drawing is done again only where what it is made from has changed.

A drawing is made from the program's own files, and from the records, scores, estimates and truths of its runs. Files of
results are never edited, so their names, sizes and times tell whether they are the same; what was drawn must still lie
where it was written. A list that cannot be read is no list: everything is drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import analysis
import bench
from analysis.output import Drawn, write_text

NAME = "drawn.json"
"""Of a results folder: what was drawn from what."""


class Kept:
    """The list of earlier drawings of a results folder, and the new one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.earlier = _read(root / NAME)
        self.now: dict[str, Any] = {}
        self._scores: dict[str, list[Path]] = defaultdict(list)
        for path in sorted((root / "scores").glob("*.json")):
            self._scores[path.name.partition(".")[0]].append(path)
        self._shared = [*sorted((root / "truths").glob("*")), *sorted((root / "embedded").glob("*"))]

    def mark(self, module: str, keys: Iterable[str]) -> str:
        """A digest of everything that a module draws the runs of these keys from."""
        digest = hashlib.blake2b(f"{module}\0{self.root.as_posix()}\0{sources()}".encode(), digest_size=16)
        for key in sorted(set(keys)):
            own = (self.root / "runs" / f"{key}.json", self.root / "failed" / f"{key}.json")
            for path in (*own, self.root / "estimates" / f"{key}.parquet", *self._scores[key]):
                digest.update(_state(path))
        for path in self._shared:
            digest.update(_state(path))
        return digest.hexdigest()

    def found(self, mark: str) -> Drawn | None:
        """What was drawn from the same; None where it was not, or lies there no longer."""
        entry = self.earlier.get(mark)
        if entry is None or any(_state(self.root / name).hex() != state for name, state in entry["paths"]):
            return None
        self.now[mark] = entry
        return Drawn(tuple(self.root / name for name, _ in entry["paths"]), tuple(entry["missing"]))

    def keep(self, mark: str, drawn: Drawn) -> None:
        """Note what was drawn; nothing of a drawing that failed."""
        if not drawn.fault:
            paths = [(path.relative_to(self.root).as_posix(), _state(path).hex()) for path in drawn.paths]
            self.now[mark] = {"paths": paths, "missing": list(drawn.missing)}

    def write(self) -> None:
        """Write the list of what stands now."""
        write_text(self.root / NAME, json.dumps(self.now, indent=0, sort_keys=True) + "\n")


@lru_cache
def sources() -> str:
    """A digest of the program's own files."""
    digest = hashlib.blake2b(digest_size=16)
    for package in (analysis, bench):
        folder = Path(str(package.__file__)).parent
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _state(path: Path) -> bytes:
    """Name, size and time of a file as bytes; the name alone of one that is not there."""
    try:
        state = path.stat()
    except OSError:
        return path.name.encode() + b"\0"
    return f"{path.name}\0{state.st_size}\0{state.st_mtime_ns}".encode()


def _read(path: Path) -> dict[str, Any]:
    """Marks with what was drawn, as far as the file holds them in their form."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {mark: entry for mark, entry in found.items() if _is_entry(entry)} if isinstance(found, dict) else {}


def _is_entry(entry: Any) -> bool:
    if not (
        isinstance(entry, dict) and isinstance(entry.get("paths"), list) and isinstance(entry.get("missing"), list)
    ):
        return False
    pairs = all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(p, str) for p in pair) for pair in entry["paths"]
    )
    inside = pairs and all(".." not in Path(name).parts and not Path(name).is_absolute() for name, _ in entry["paths"])
    return inside and all(isinstance(line, str) for line in entry["missing"])
