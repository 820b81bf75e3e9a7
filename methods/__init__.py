"""The searches, one file each, found by file name. Nothing is imported until a method is asked for.

Packages outside the program announce modules of the same form by entry points (`bench.plugins`, docs/plug-ins.md).

A module offers `VARIANTS`: the names under which its configurations are run and printed, each with the configured
method. Its settings are those of NAS-Bench-201; `SETTINGS` holds, by space and name, those that differ elsewhere. To
add a method, add a file. A module without `VARIANTS` holds what methods are made of.
"""

from __future__ import annotations

import pkgutil
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from bench import plugins, spaces
from bench.errors import BadMethod, BadPlugin, BadSpec, BenchError, UnknownName
from bench.plugins import Entry

GROUP: plugins.Group = "supernet_bench.methods"
STATED = "nb201"
"""The space whose settings stand in `VARIANTS`."""


@dataclass(frozen=True)
class Variant:
    """A configured method, the module that offers it, and the method as configured for other spaces, by space."""

    method: Any
    module: ModuleType
    elsewhere: Mapping[str, Any]
    entry: Entry | None = None  # by which it came from outside

    def on(self, space: str) -> Any:
        """The method as configured for that space, or on the settings of `STATED` where it has none of its own."""
        return self.elsewhere.get(space, self.method)

    def has_settings_for(self, space: str) -> bool:
        """Whether its settings are those of that space; a method without settings has them for every one."""
        return space == STATED or space in self.elsewhere or not fields(self.method)

    @property
    def file(self) -> str:
        """`methods/darts.py`; of one from outside its module, `my_package.even`."""
        return _file(self.module.__name__.rpartition(".")[2]) if self.entry is None else self.module.__name__


def modules() -> list[str]:
    """The files of this folder, by name."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def house() -> dict[str, Variant]:
    """Who offers what in this folder, by printed name. Imports every method, and torch with them.

    Raises BadMethod, with the file, where one cannot be imported, offers what is no method, or what another offers.
    """
    found: dict[str, Variant] = {}
    for name in modules():
        for label, here in _offered_by(_file(name), _imported(name)):
            if label in found:
                raise BadMethod(
                    f"{found[label].file} and {here.file} both offer a method {label!r}; rename one of them"
                )
            found[label] = here
    return found


def offered() -> dict[str, Variant]:
    """The same with those from outside that can be had; `broken` names the others. Raises BadMethod, of this folder."""
    return {**house(), **_outside().found}


def broken() -> list[str]:
    """One line for each plug-in that offers no methods as it should; they are imported."""
    return [*plugins.unreadable(), *_outside().faults]


def variants() -> dict[str, Any]:
    """All configured methods by printed name. Raises BadMethod (see `house`)."""
    return {label: variant.method for label, variant in offered().items()}


def get(label: str, space: str = STATED) -> Any:
    """The method of that printed name as configured for that space, or on the settings of `STATED` where it has none
    of its own. Plug-ins are imported where it is none of this folder. Raises as `unknown` says, and BadMethod."""
    own = house()
    variant = own.get(label) or offered().get(label)
    if variant is None:
        raise unknown(label, offered())
    return variant.on(space)


def unknown(label: str, known: Iterable[str]) -> BenchError:
    """Why a label stands for no method: UnknownName with the nearest one; BadPlugin where a plug-in that may have it is
    broken."""
    nearest = UnknownName("method", label, known)
    if not plugins.entries(GROUP):
        return nearest  # and no method is imported to say so
    outside = _outside()
    if label in outside.by_name:
        return BadPlugin(outside.by_name[label])
    return BadPlugin(f"{nearest}; or is it of a broken {outside.faults[0]}") if outside.faults else nearest


@dataclass(frozen=True)
class _Outside:
    """What plug-ins offer, by printed name; and a line for each that is broken, by the name of its entry too."""

    found: Mapping[str, Variant]
    faults: Sequence[str]
    by_name: Mapping[str, str]


def _outside() -> _Outside:
    return _read(plugins.entries(GROUP), tuple(spaces.names()))


@lru_cache(maxsize=4)
def _read(entries: tuple[Entry, ...], known_spaces: tuple[str, ...]) -> _Outside:
    """Read once: an import that fails would be tried, and fail, again."""
    taken, offers, faults = house(), dict[str, list[Variant]](), dict[Entry, str]()
    for entry in entries:
        try:
            for label, variant in _plugged(entry):
                if label in taken:
                    raise entry.refused(f"{taken[label].file} has a method {label!r} already; rename yours")
                offers.setdefault(label, []).append(variant)
        except BadPlugin as error:
            faults[entry] = str(error)
    broken_before = set(faults)  # what is broken takes no name
    for label, every in offers.items():
        several = [variant for variant in every if variant.entry not in broken_before]
        for variant in several if len(several) > 1 else ():
            other = next(one.entry for one in several if one.entry != variant.entry)
            if variant.entry is not None:
                why = f"{other} has a method {label!r} too, so neither is taken"
                faults.setdefault(variant.entry, str(variant.entry.refused(why)))
    found = {label: one for label, several in offers.items() for one in several if one.entry not in faults}
    return _Outside(found, list(faults.values()), {entry.name: line for entry, line in faults.items()})


def _plugged(entry: Entry) -> list[tuple[str, Variant]]:
    """What a plug-in offers. Raises BadPlugin."""
    if entry.package in modules():
        raise entry.refused(f"a package {entry.package!r} would give its methods the names of {_file(entry.package)}")
    module = entry.load()
    if not isinstance(module, ModuleType) or not hasattr(module, "VARIANTS"):
        raise entry.refused(f"{entry.value} is no module with VARIANTS")
    try:
        found = list(_offered_by(entry.value, module))
    except BadMethod as error:
        raise entry.refused(str(error)) from None
    if not found:
        raise entry.refused(f"VARIANTS of {entry.value} is empty")
    return [(label, replace(variant, entry=entry)) for label, variant in found]


def part(name: str) -> Any:
    """The class that an identity names so, of a method or of a part that methods are put together from: `darts.Darts`
    is `Darts` of `methods/darts.py`, `my_package.even.Even` one of a plug-in. Raises BadSpec where there is none,
    BadMethod or BadPlugin where its file cannot be imported."""
    file, _, within = name.partition(".")
    found: Any = None
    if file in modules():
        found = _imported(file)
        for word in within.split("."):
            found = getattr(found, word, None)
    elif file in plugins.packages():  # and nothing else: what a record names is not imported for that alone
        try:
            found = pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            found = None
        except (Exception, SystemExit) as error:
            raise plugins.packages()[file].refused(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
    if not isinstance(found, type) or not hasattr(found, "version"):
        raise BadSpec(f"there is no {name!r} among the methods")
    return found


def _offered_by(file: str, module: ModuleType) -> Iterator[tuple[str, Variant]]:
    named = _methods(file, "VARIANTS", getattr(module, "VARIANTS", {}))
    settings = _settings(file, getattr(module, "SETTINGS", {}), named)
    for label, method in named.items():
        yield label, Variant(method, module, {space: own[label] for space, own in settings.items() if label in own})


def _settings(file: str, settings: Any, named: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """What SETTINGS of the module holds, by space. Raises BadMethod where it fits neither the spaces nor VARIANTS."""
    if not isinstance(settings, Mapping):
        raise BadMethod(f"{file}: SETTINGS is no dictionary from spaces to printed names and methods")
    others = [space for space in spaces.names() if space != STATED]
    for space, configured in settings.items():
        place = f"SETTINGS[{space!r}]"
        if space not in others:
            raise BadMethod(f"{file}: {place} is for no space other than {STATED}: {', '.join(others)}")
        for label, method in _methods(file, place, configured).items():
            if type(method) is not type(named.get(label)):
                raise BadMethod(f"{file}: {label!r} in {place} is no {label!r} of VARIANTS with other settings")
    return settings


def _methods(file: str, place: str, named: Any) -> Mapping[str, Any]:
    """What stands in `place` of the module. Raises BadMethod where it is not a dictionary of methods."""
    if not isinstance(named, Mapping):
        raise BadMethod(f"{file}: {place} is no dictionary from printed names to methods")
    for label, method in named.items():
        if not (is_dataclass(method) and hasattr(method, "search") and not isinstance(method, type)):
            raise BadMethod(f"{file}: {label!r} in {place} is no method, a dataclass with `search`, but {method!r}")
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
