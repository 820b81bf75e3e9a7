"""`describe METHOD`: what a method is, what can be set in it, and what each of its variants changes."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.cli.outcome import Common
from bench.errors import BadSpec


@dataclass(frozen=True, kw_only=True)
class Describe(Common):
    """Tell what a method is: its paper, its settings, those of other spaces, and what each variant of its file
    changes."""

    method: str = field(default="", kw_only=False)
    """A printed name: `python -m bench list methods` shows them."""

    def __call__(self) -> int:
        import methods
        from bench.cli import listing

        if not self.method:
            raise BadSpec("describe takes a method; `python -m bench list methods` shows them")
        known = methods.offered()
        if self.method not in known:
            raise methods.unknown(self.method, known)
        own = known[self.method]
        siblings = {label: v for label, v in known.items() if v.file == own.file and label != self.method}
        settings = dict(listing.settings(own.method))
        about = {
            "method": self.method,
            "file": own.file,
            "settings": settings,
            "variants": {label: listing.changes(own.method, v.method) for label, v in siblings.items()},
            "elsewhere": {space: listing.changes(own.method, method) for space, method in own.elsewhere.items()},
        }
        if self.json:
            print(json.dumps(about, default=str))
            return 0
        print(f"{self.method}  ({own.file})", inspect.cleandoc(own.module.__doc__ or ""), sep="\n\n", end="\n\n")
        print("Settings (--set NAME=VALUE):" if settings else "It has no settings.")
        for name, value in settings.items():
            print(f"  {name} = {listing.as_typed(value)}")
        for space, method in own.elsewhere.items():
            print(f"\nOn {space}: {said(own.method, method)}")
        for label, variant in siblings.items():
            print(f"\n{label}: {said(own.method, variant.method)}")
        return 0


def said(usual: Any, other: Any) -> str:
    """What another method does otherwise, in one line: its parts of another kind, and its settings."""
    from bench.cli import listing

    here, there = dict(_parts(usual)), dict(_parts(other))
    if here[""] != there[""]:
        return f"another search, {there['']}"
    kinds = {name: kind for name, kind in there.items() if here.get(name, kind) != kind}
    changed = {name: value for name, value in listing.changes(usual, other).items() if name not in kinds}
    told = [f"{name} is {kind}, not {here[name]}" for name, kind in kinds.items()]
    return "; ".join([*told, *([listing.typed(changed)] if changed else [])]) or "the same settings"


def _parts(part: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The kind of a method and of every part in it, by dotted name; that of the method by none."""
    yield name, type(part).__name__ if dataclasses.is_dataclass(part) else "none"
    for one in dataclasses.fields(part) if dataclasses.is_dataclass(part) else ():
        value = getattr(part, one.name)
        if dataclasses.is_dataclass(value) or value is None:
            yield from _parts(value, f"{name}.{one.name}".lstrip("."))
