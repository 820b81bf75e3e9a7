"""supernet-bench from Python: `bench.run(...)` makes a run, `bench.load(key)` finds one, `bench.Results(...).frame()`
reads scores. docs/notebooks/quick-start.md shows them at work.

Nothing is imported until one of these is asked for: by name, at run time, so that no module of the package depends on
all of it. `__init__.pyi` has their types.
"""

from importlib import import_module

_OFFERED = {
    "run": "bench.runs.api",
    "load": "bench.runs.api",
    "Searched": "bench.runs.api",
    "Supernets": "bench.runs.api",
    "Results": "bench.store.record",
}

__all__ = ["Results", "Searched", "Supernets", "load", "run"]


def __getattr__(name: str) -> object:
    if name not in _OFFERED:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_OFFERED[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
