"""A checkout of NASLib made importable: it is not on the package index, and was written for Python 3.7 to 3.9.

Nothing in the checkout is changed. What it imports and tabular search does not use (image tools, surrogate models) is
answered by empty stand-ins, where it is not installed; tried with commit 0b51bc18.
"""

from __future__ import annotations

import collections
import collections.abc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.errors import BadData

ENVIRONMENT = "SUPERNET_BENCH_NASLIB"
NEEDED = ("sklearn", "fvcore", "six", "yaml", "tqdm", "torch", "networkx", "matplotlib")
UNUSED = (
    *("nasbench_pytorch", "nasbench301", "pybnn", "xgboost", "tensorwatch", "torchvision", "skimage", "emcee", "pyro"),
    *("pytorch_msssim", "lightgbm", "ngboost", "grakel", "gdown", "transforms3d", "ConfigSpace", "seaborn"),
)
"""Modules that NASLib imports and tabular search never calls."""


def missing(checkout: Path | None = None) -> str | None:
    """One line on why NASLib cannot be used and what to do, or None. checkout: else $SUPERNET_BENCH_NASLIB."""
    folder = _folder(checkout)
    if folder is None and importlib.util.find_spec("naslib") is None:
        return f"NASLib is not there: set {ENVIRONMENT} to a checkout of github.com/automl/NASLib (docs/official.md)"
    if folder is not None and not (folder / "naslib" / "__init__.py").is_file():
        return f"{folder} is no checkout of NASLib: it has no naslib/__init__.py"
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    return f"NASLib needs {', '.join(lacking)}: install them beside it (docs/official.md)" if lacking else None


def load(checkout: Path | None = None) -> None:
    """Make `import naslib` work in this process. Raises BadData with the line of `missing`."""
    why = missing(checkout)
    if why:
        raise BadData(why)
    if "naslib.utils" in sys.modules:
        return
    folder = _folder(checkout)
    if folder is not None:
        sys.path.insert(0, str(folder))
    absent = {name for name in UNUSED if importlib.util.find_spec(name) is None}
    sys.meta_path.append(_Absent(absent))
    if not hasattr(collections, "Iterable"):
        collections.Iterable = collections.abc.Iterable  # type: ignore[attr-defined]  # gone since Python 3.10
    utils: Any = importlib.import_module("naslib.utils")
    # Its own sums a generator with NumPy, which NumPy 2.4 refuses; the optimisers take it when they are imported.
    utils.count_parameters_in_MB = _megas


def commit(checkout: Path | None = None) -> str | None:
    """The commit of the checkout, or None where that cannot be told."""
    folder = _folder(checkout)
    if folder is None or not (folder / ".git").exists():
        return None
    try:
        words = ["git", "-C", str(folder), "rev-parse", "HEAD"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _folder(checkout: Path | None) -> Path | None:
    named = os.environ.get(ENVIRONMENT)
    return checkout or (Path(named).expanduser() if named else None)


def _megas(model: Any) -> float:
    """Parameters of a model in millions."""
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6  # type: ignore[no-any-return]


class _Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the named modules, and all below them, as empty ones. Last in line: what is installed comes first."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.split(".")[0] not in self._names:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


class _Empty(ModuleType):
    """Has every name, as a class that does nothing; so it can be inherited from, and fails when it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
