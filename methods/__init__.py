"""The searches, one file each, found by file name. Nothing is imported until a method is asked for.

A module offers `VARIANTS`: the names under which its configurations are run and printed, each with the configured
method. To add a method, add a file. A module without `VARIANTS` holds what methods are made of.
"""

from __future__ import annotations

import pkgutil
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.errors import BadMethod, UnknownName


@dataclass(frozen=True)
class Variant:
    """A configured method and the module that offers it."""

    method: Any
    module: ModuleType

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
        module = _imported(name)
        named = getattr(module, "VARIANTS", {})
        if not isinstance(named, Mapping):
            raise BadMethod(f"{_file(name)}: VARIANTS is no dictionary from printed names to methods")
        for label, method in named.items():
            here = Variant(method, module)
            if not (is_dataclass(method) and hasattr(method, "search") and not isinstance(method, type)):
                raise BadMethod(
                    f"{here.file}: {label!r} in VARIANTS is no method, a dataclass with `search`, but {method!r}"
                )
            if label in found:
                raise BadMethod(
                    f"{found[label].file} and {here.file} both offer a method {label!r}; rename one of them"
                )
            found[label] = here
    return found


def variants() -> dict[str, Any]:
    """All configured methods by printed name. Raises BadMethod (see `offered`)."""
    return {label: variant.method for label, variant in offered().items()}


def get(label: str) -> Any:
    """The configured method of that printed name. Raises UnknownName with the nearest one, BadMethod."""
    known = variants()
    if label not in known:
        raise UnknownName("method", label, known)
    return known[label]


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
