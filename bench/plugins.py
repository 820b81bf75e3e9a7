"""Methods and spaces of packages outside the program, announced by entry points (docs/plug-ins.md).

What is announced is read from what the packages say of themselves when they are installed: names and modules. Nothing
is imported until a plug-in is asked for or listed. One that is broken costs itself: it is refused in one line.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
import traceback
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

from bench.errors import BadPlugin

Group = Literal["supernet_bench.methods", "supernet_bench.spaces"]
"""The groups of entry points. An entry of methods names a module like those of `methods/`, one of spaces a `Space`."""

OURS = frozenset({"bench", "methods", "analysis"})
"""Packages of the program."""

_VALUE = metadata.EntryPoint.pattern
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True, order=True)
class Entry:
    """One announcement: `name = value` in a group, by an installed distribution of some version."""

    group: str
    name: str
    value: str
    distribution: str
    version: str

    @property
    def package(self) -> str:
        """The package that is imported, by its first name: `my_package` of `my_package.even`."""
        return re.split(r"[.:\s\[]", self.value.strip(), maxsplit=1)[0]

    def __str__(self) -> str:
        return f"plug-in {self.name} = {self.value} ({self.distribution} {self.version})"

    def refused(self, why: str) -> BadPlugin:
        """The error that says why it is not taken, and what to do."""
        return BadPlugin(f"{self}: {why}; mend it, or uninstall {self.distribution}")

    def load(self) -> Any:
        """What the entry points to, imported now. Raises BadPlugin where it points to nothing, or cannot be imported.

        A plug-in that ends the process as it is imported (SystemExit) is refused like one that raises.
        """
        if not (_NAME.fullmatch(self.name) and _VALUE.match(self.value)):
            raise self.refused("it is no entry point, which is NAME = MODULE or NAME = MODULE:OBJECT")
        if self.package in OURS:
            raise self.refused("it points into the program itself")
        point = metadata.EntryPoint(self.name, self.value, self.group)
        try:
            return point.load()
        except (Exception, SystemExit) as error:
            why = _nothing(point, error) or f"{self._place(error)}{_said(error)}"
            raise self.refused(why) from error

    def _place(self, error: BaseException) -> str:
        """File and line of the package that an import failed at, the innermost."""
        frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError):
            frames.append((error.filename or "", error.lineno))
        roots = [place.parent for place in _places(self.package)]
        for file, line in reversed(frames):
            for root in roots:
                if Path(file).is_relative_to(root / self.package) or Path(file) == root / f"{self.package}.py":
                    return f"{Path(file).relative_to(root).as_posix()}, line {line}: "
        return ""


def _nothing(point: metadata.EntryPoint, error: BaseException) -> str:
    """What an entry points to in vain; empty where the fault is another."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{point.module}.".startswith(f"{error.name}."):
        return f"it points to nothing: there is no module {error.name}"
    module = sys.modules.get(point.module)
    if isinstance(error, AttributeError) and module is not None and point.attr:
        found: Any = module
        for word in point.attr.split("."):
            if not hasattr(found, word):
                return f"it points to nothing: {point.module} has no {point.attr}"
            found = getattr(found, word)
    return ""


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"


def entries(group: Group) -> tuple[Entry, ...]:
    """What is announced in a group, in order. Imports nothing."""
    return tuple(entry for entry in _announced(tuple(sys.path))[0] if entry.group == group)


def unreadable() -> list[str]:
    """One line for each installed distribution whose entry points cannot be read."""
    return list(_announced(tuple(sys.path))[1])


@lru_cache(maxsize=4)
def _announced(path: tuple[str, ...]) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """All entries in our groups on a search path, and what could not be read."""
    try:
        found = [point for group in get_args(Group) for point in metadata.entry_points(group=group)]
        faults: list[str] = []
    except (ValueError, TypeError, OSError, UnicodeError):  # one file that is none, among those of all packages
        found, faults = _one_by_one()
    return tuple(sorted(_entry(point) for point in found)), tuple(faults)


def _entry(point: metadata.EntryPoint) -> Entry:
    return Entry(point.group, point.name, point.value, *_about(point.dist))


def _about(dist: metadata.Distribution | None) -> tuple[str, str]:
    """Name and version of a distribution, as far as it says them."""
    unknown = "a package without a name", "unknown"
    try:
        return unknown if dist is None else (str(dist.metadata["Name"]), str(dist.metadata["Version"]))
    except (TypeError, KeyError, OSError):  # its METADATA is not there
        return unknown


def _one_by_one() -> tuple[list[metadata.EntryPoint], list[str]]:
    found: dict[str, list[metadata.EntryPoint]] = {}
    faults = []
    for dist in metadata.distributions():
        name, _ = _about(dist)
        try:
            points = [point for point in dist.entry_points if point.group in get_args(Group)]
        except (ValueError, TypeError, OSError, UnicodeError):
            faults.append(f"the entry points of {name} cannot be read; mend its entry_points.txt, or uninstall {name}")
            continue
        found.setdefault(name, points)
    return [point for points in found.values() for point in points], faults


def packages() -> dict[str, Entry]:
    """The packages that announce something, by the name that they are imported by, with one entry of each."""
    return {entry.package: entry for group in get_args(Group) for entry in entries(group)}


def _places(package: str) -> list[Path]:
    """The folders of a package, or the file of a module. Imports nothing."""
    try:
        spec = importlib.util.find_spec(package)
    except (ValueError, ImportError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.has_location and spec.origin else []


def sources(package: str) -> list[tuple[str, Path]]:
    """The source files of a package, with their paths in it, in order. Imports nothing."""
    found = []
    for place in _places(package):
        files = place.rglob("*.py") if place.is_dir() else [place]
        found += [(file.relative_to(place.parent).as_posix(), file) for file in files]
    return sorted(found)


def packages_of(part: Any) -> set[str]:
    """The packages from outside that a dataclass, as a method or a space, is made of: those of its class, of the
    classes that this stands on, and of every part."""
    found = {kind.__module__.partition(".")[0] for kind in type(part).__mro__}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if dataclasses.is_dataclass(inner):
                found |= packages_of(inner)
    return found & set(packages())
