"""The list of methods, kept so that naming them need not import them, and torch with them.

The file lies in the user's cache folder and can always be made again. It counts only for the very sources that it was
made from: every file of `bench`, `methods` and of the packages that announce methods or spaces, by content, and what
they announce. Damaged, foreign or absent it is done without. Where a plug-in is broken nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import methods
from bench import plugins, spaces
from bench.errors import BadRecord
from bench.images.cache import cache_folder
from bench.store import seals, strict
from bench.store.files import content_of, write_atomically
from bench.store.labels import parsed
from bench.store.record import to_json
from bench.store.sources import code_digest, package_digest

Row = Mapping[str, Any]

NAME = "methods.json"

SETTINGS = ("settings", "elsewhere")
"""Of a row: what holds tuples, which JSON does not."""


def rows(make: Callable[[], list[Row]]) -> list[Row]:
    """What `make` gives, from the file where that is of these sources. Where methods are imported already, or there are
    spaces of others, it is made."""
    folder = cache_folder()
    if folder is None or _imported() or set(spaces.SPACES) != set(spaces.HOUSE):
        return make()
    path, sources = folder / NAME, _digest()
    kept = _read(path, sources)
    if kept is not None:
        return kept
    made = make()
    if methods.broken():
        return made
    with suppress(BadRecord):  # a cache that cannot be written saves no time, and that is all
        write_atomically(path, json.dumps(seals.sealed({"sources": sources, "rows": to_json(made)})).encode())
    return made


def faults() -> list[str]:
    """One line for each plug-in that `rows` left out; of rows that were kept there are none."""
    return methods.broken() if _imported() else []


def require(labels: Iterable[str], make: Callable[[], list[Row]]) -> None:
    """Raises UnknownName or BadPlugin, as `methods.get` does, where one of the labels names no method."""
    names = [str(row["method"]) for row in rows(make)]
    for label in labels:
        if (name := parsed(label)[0]) not in names:
            raise methods.unknown(name, names)


def _imported() -> bool:
    return any(name.startswith(f"{methods.__name__}.") for name in sys.modules)


def _digest() -> str:
    """Of all sources. Methods are read now, whatever was read of them before."""
    digest = hashlib.blake2b(f"{sys.version}\0{code_digest()}".encode(), digest_size=16)
    for path in sorted(file for folder in methods.__path__ for file in Path(folder).glob("*.py")):
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    for group in get_args(plugins.Group):
        for entry in plugins.entries(group):
            digest.update(repr(entry).encode() + package_digest(entry.package).encode() + b"\0")
    return digest.hexdigest()


def _read(path: Path, sources: str) -> list[Row] | None:
    try:
        content, whole = seals.opened(strict.parsed(content_of(path)))
        if not whole or content["sources"] != sources:
            return None
        return [{k: _as_made(v) if k in SETTINGS else v for k, v in row.items()} for row in content["rows"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _as_made(value: Any) -> Any:
    """Lists are tuples again."""
    if isinstance(value, dict):
        return {name: _as_made(one) for name, one in value.items()}
    return tuple(map(_as_made, value)) if isinstance(value, list) else value
