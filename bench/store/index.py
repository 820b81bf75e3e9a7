"""What `list` shows of each record, kept so that records that have not changed need not be read again.

The index is a file beside the records that can always be made again from them. It never outranks them: an entry counts
only for a file of the same size and time of change, and an index that is damaged, foreign or absent is done without.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.errors import BadRecord
from bench.store import seals
from bench.store.files import content_of, write_atomically
from bench.store.record import Record, Results, read_record

NAME = ".index.json"  # hidden: it is no result
FORMAT = 2  # raised when rows have other columns

Row = Mapping[str, Any]


def rows(results: Results, of: Callable[[Record], Row]) -> list[Row]:
    """`of` of every record that can be trusted, finished ones first, each by key; the others are named in `damaged`.

    of: plain JSON values that follow from the record alone.
    """
    paths = results.keys()
    known, stamps = _known(results.root), {key: _stamp(path) for key, path in paths.items()}
    found: dict[str, Row] = {}
    for key, path in sorted(paths.items(), key=lambda item: (item[1].parent.name != "runs", item[0])):
        entry = known.get(key)
        if entry is not None and entry[0] == stamps[key]:
            found[key] = entry[1]
            continue
        try:
            found[key] = of(read_record(path))
        except BadRecord as error:
            results.damaged[path] = str(error)
    entries = {key: [stamps[key], row] for key, row in found.items()}
    if entries != known:
        _write(results.root, entries)
    return list(found.values())


def _stamp(path: Path) -> list[Any]:
    """Where a file lies, how large it is and when it was changed: other content has another stamp."""
    try:
        state = os.stat(path)
    except OSError:
        return []
    return [path.parent.name, state.st_size, state.st_mtime_ns, state.st_ino]


def _known(root: Path) -> dict[str, list[Any]]:
    try:
        content, whole = seals.opened(json.loads(content_of(root / NAME)))
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    entries: dict[str, list[Any]] = content.get("rows", {})
    return entries if whole and content.get("format") == FORMAT else {}


def _write(root: Path, entries: Mapping[str, Any]) -> None:
    try:
        content = seals.sealed({"format": FORMAT, "rows": entries})
        write_atomically(root / NAME, json.dumps(content, separators=(",", ":")).encode())
    except BadRecord:  # a folder that is only read: the records are there all the same
        return
