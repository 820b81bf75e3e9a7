"""The searches, one file each, found by file name. Nothing is imported until a method is asked for.

A module offers `VARIANTS`: the names under which its configurations are run and printed, each with the configured
method. To add a method, add a file.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from bench.errors import UnknownName

SHARED = frozenset({"oneshot", "partition", "parts", "tree", "matching", "budget", "hyper", "embedding"})
"""Modules that methods are made of, and are no methods."""


def modules() -> list[str]:
    """The method files, by name."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in SHARED)


def variants() -> dict[str, Any]:
    """All configured methods by printed name. Imports every method, and torch with them."""
    found: dict[str, Any] = {}
    for name in modules():
        found.update(import_module(f"{__name__}.{name}").VARIANTS)
    return found


def get(label: str) -> Any:
    """The configured method of that printed name. Raises UnknownName with the nearest one."""
    known = variants()
    if label not in known:
        raise UnknownName("method", label, known)
    return known[label]
