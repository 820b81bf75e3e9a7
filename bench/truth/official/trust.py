"""Whether a file may be opened at all, and whether there is memory enough for it."""

from __future__ import annotations

import os
from collections.abc import Callable

from bench.errors import BadData, BadTable
from bench.images.sources import known_file
from bench.truth.official.formats import MEMORY, Source

GIGA = 1e9


def require(source: Source, trusted: bool, say: Callable[[str], None]) -> None:
    """Raises BadTable unless the file is the released one by its hash, or the user vouches for it."""
    known = None if source.path.is_dir() else known_file(source.path.name)
    if known is not None and known.identified:
        try:
            known.check(source.path)
        except BadData as error:
            if not trusted:
                raise BadTable(f"{error}, or pass --trust if you know where it came from") from None
            say(f"{source.path} is not the released file of that name; it is opened on your word")
        return
    if not trusted:
        raise BadTable(
            f"{source.path} holds pickles, which can run code when opened, and no full hash of it is published; "
            "pass --trust if you know where it came from"
        )


def require_memory(source: Source, say: Callable[[str], None]) -> None:
    """Says how much memory a file will need that is read as a whole. Raises BadTable where there is less."""
    if source.kind not in MEMORY:
        return
    needed = MEMORY[source.kind] * source.path.stat().st_size
    free = _available()
    there = "" if free is None else f", {free / GIGA:.1f} GB are free"
    line = f"{source.path.name} is read as a whole: about {needed / GIGA:.1f} GB of memory will be needed{there}"
    if free is not None and needed > free:
        raise BadTable(f"{line}; import the NATS-Bench folder or archive instead, which is read in parts")
    say(line)


def _available() -> int | None:
    """Bytes of memory that can be had without swapping, where the system says so."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return None
