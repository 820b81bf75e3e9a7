"""What there is of memory and of disk, and whether what runs need fits into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from bench.errors import BadSpec

LARGEST = 1 << 60
"""Bytes: a limit of a control group that is larger is none."""

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def memory() -> int | None:
    """Bytes of main memory that this process could still take: what the machine has free and, where a control group
    limits it, what is left of that. None where the system does not say."""
    known = [size for size in (_free(), *_left()) if size is not None]
    return min(known, default=None)


def of_device(device: torch.device) -> int | None:
    """The same of a GPU; of main memory for the CPU."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else memory()


def disk(folder: Path) -> int | None:
    """Bytes that are free where a folder lies, or will lie. None where the system does not say."""
    there = next((above for above in (folder, *folder.absolute().parents) if above.exists()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None


def require_disk(folder: Path, needed: int, what: str) -> None:
    """Raises BadSpec where so many bytes do not fit on the disk of a folder. what: takes them."""
    there = disk(folder)
    if there is not None and needed > there:
        raise BadSpec(
            f"{what} up to {in_words(needed)} of disk, and {folder} has {in_words(there)} free: make room, or choose "
            "another folder with --results"
        )


def in_words(size: int) -> str:
    """`1.5 GiB`, `20 MiB`, `40 KiB`."""
    if size >= 2**30:
        return f"{size / 2**30:.1f} GiB"
    return f"{size / 2**20:.0f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def _free() -> int | None:
    lines = _text(Path("/proc/meminfo")).splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left() -> Iterator[int | None]:
    """Of every control group that this process is in: its limit, less what is in use and could not be given back."""
    for line in _text(OWN_GROUPS).splitlines():
        number, kinds, name = [*line.split(":", 2), "", ""][:3]
        if number == "0":  # version 2: one hierarchy of all kinds
            yield from _limited(GROUPS, name, "memory.max", "memory.current", "inactive_file")
        elif "memory" in kinds.split(","):
            files = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            yield from _limited(GROUPS / "memory", name, *files)


def _limited(root: Path, name: str, limit: str, usage: str, spare: str) -> Iterator[int | None]:
    """Of a group and those above it; in a container the root is the group itself."""
    own = root / name.strip("/")
    for folder in (own, *own.parents):
        if not folder.is_relative_to(root):
            return
        most, used = _text(folder / limit).strip(), _text(folder / usage).strip()
        if most.isdigit() and used.isdigit() and int(most) < LARGEST:
            yield max(0, int(most) - int(used) + _counted(folder / "memory.stat", spare))


def _counted(path: Path, name: str) -> int:
    lines = (line.split() for line in _text(path).splitlines())
    return next((int(words[1]) for words in lines if words[:1] == [name]), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
