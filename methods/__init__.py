"""The searches, one file each, found by file name. Nothing is imported until a method is asked for.

A module offers `VARIANTS`: the names under which its configurations are run and printed, each with the configured
method. Its settings are those of NAS-Bench-201; `SETTINGS` holds, by space and name, those that differ elsewhere. To
add a method, add a file. A module without `VARIANTS` holds what methods are made of.
"""

from __future__ import annotations

import pkgutil
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.errors import BadMethod, BadSpec, UnknownName
from bench.spaces import SPACES

STATED = "nb201"
"""The space whose settings stand in `VARIANTS`."""


@dataclass(frozen=True)
class Variant:
    """A configured method, the module that offers it, and the method as configured for other spaces, by space."""

    method: Any
    module: ModuleType
    elsewhere: Mapping[str, Any]

    def on(self, space: str) -> Any:
        """The method as configured for that space, or on the settings of `STATED` where it has none of its own."""
        return self.elsewhere.get(space, self.method)

    def has_settings_for(self, space: str) -> bool:
        """Whether its settings are those of that space; a method without settings has them for every one."""
        return space == STATED or space in self.elsewhere or not fields(self.method)

    @property
    def file(self) -> str:
        """`methods/darts.py`."""
        return _file(self.module.__name__.rpartition(".")[2])


def modules() -> list[str]:
    """The files of this folder, by name."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def offered() -> dict[str, Variant]:
    """Who offers what, by printed name. Imports every method, and torch with them.

    Raises BadMethod, with the file, where one cannot be imported, offers what is no method, or what another offers.
    """
    found: dict[str, Variant] = {}
    for name in modules():
        for label, here in _offered_by(name, _imported(name)):
            if label in found:
                raise BadMethod(
                    f"{found[label].file} and {here.file} both offer a method {label!r}; rename one of them"
                )
            found[label] = here
    return found


def variants() -> dict[str, Any]:
    """All configured methods by printed name. Raises BadMethod (see `offered`)."""
    return {label: variant.method for label, variant in offered().items()}


def get(label: str, space: str = STATED) -> Any:
    """The method of that printed name as configured for that space, or on the settings of `STATED` where it has none
    of its own. Raises UnknownName with the nearest one, BadMethod."""
    known = offered()
    if label not in known:
        raise UnknownName("method", label, known)
    return known[label].on(space)


def part(name: str) -> Any:
    """The class that an identity names so, of a method or of a part that methods are put together from: `darts.Darts`
    is `Darts` of `methods/darts.py`. Raises BadSpec where there is none, BadMethod where its file cannot be imported.
    """
    file, _, within = name.partition(".")
    found: Any = _imported(file) if file in modules() else None
    for word in within.split("."):
        found = getattr(found, word, None)
    if not isinstance(found, type) or not hasattr(found, "version"):
        raise BadSpec(f"there is no {name!r} among the methods")
    return found


def _offered_by(name: str, module: ModuleType) -> Iterator[tuple[str, Variant]]:
    named = _methods(name, "VARIANTS", getattr(module, "VARIANTS", {}))
    settings = _settings(name, getattr(module, "SETTINGS", {}), named)
    for label, method in named.items():
        yield label, Variant(method, module, {space: own[label] for space, own in settings.items() if label in own})


def _settings(name: str, settings: Any, named: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """What SETTINGS of the module holds, by space. Raises BadMethod where it fits neither the spaces nor VARIANTS."""
    if not isinstance(settings, Mapping):
        raise BadMethod(f"{_file(name)}: SETTINGS is no dictionary from spaces to printed names and methods")
    others = [space for space in SPACES if space != STATED]
    for space, configured in settings.items():
        place = f"SETTINGS[{space!r}]"
        if space not in others:
            raise BadMethod(f"{_file(name)}: {place} is for no space other than {STATED}: {', '.join(others)}")
        for label, method in _methods(name, place, configured).items():
            if type(method) is not type(named.get(label)):
                raise BadMethod(f"{_file(name)}: {label!r} in {place} is no {label!r} of VARIANTS with other settings")
    return settings


def _methods(name: str, place: str, named: Any) -> Mapping[str, Any]:
    """What stands in `place` of the module. Raises BadMethod where it is not a dictionary of methods."""
    if not isinstance(named, Mapping):
        raise BadMethod(f"{_file(name)}: {place} is no dictionary from printed names to methods")
    for label, method in named.items():
        if not (is_dataclass(method) and hasattr(method, "search") and not isinstance(method, type)):
            raise BadMethod(
                f"{_file(name)}: {label!r} in {place} is no method, a dataclass with `search`, but {method!r}"
            )
    return named


def _imported(name: str) -> ModuleType:
    try:
        return import_module(f"{__name__}.{name}")
    except Exception as error:
        raise BadMethod(
            f"{_place(name, error)}: {_said(error)}; mend the file, or take it out of {__name__}/"
        ) from error


def _place(name: str, error: Exception) -> str:
    """The file and line of this folder that an import failed at: the innermost, since methods import each other."""
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    ours = [(Path(file).stem, line) for file, line in places if str(Path(file).parent) in __path__ and file != __file__]
    file, line = ours[-1] if ours else (name, None)
    return _file(file) + (f", line {line}" if line else "")


def _said(error: Exception) -> str:
    """One line."""
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"


def _file(name: str) -> str:
    return f"{__name__}/{name}.py"
