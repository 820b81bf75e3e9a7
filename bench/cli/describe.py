"""`describe METHOD`: what a method is, what can be set in it, and what each of its variants changes."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, field

from bench.cli.outcome import Common
from bench.errors import BadSpec, UnknownName


@dataclass(frozen=True, kw_only=True)
class Describe(Common):
    """Tell what a method is: its paper, its settings, and what each variant of the same file changes."""

    method: str = field(default="", kw_only=False)
    """A printed name: `python -m bench list methods` shows them."""

    def __call__(self) -> int:
        import methods
        from bench.cli import listing

        if not self.method:
            raise BadSpec("describe takes a method; `python -m bench list methods` shows them")
        known = methods.offered()
        if self.method not in known:
            raise UnknownName("method", self.method, known)
        own = known[self.method]
        siblings = {label: v for label, v in known.items() if v.file == own.file and label != self.method}
        changes = {label: listing.changes(own.method, v.method) for label, v in siblings.items()}
        settings = dict(listing.settings(own.method))
        if self.json:
            about = {"method": self.method, "file": own.file, "settings": settings, "variants": changes}
            print(json.dumps(about, default=str))
            return 0
        print(f"{self.method}  ({own.file})", inspect.cleandoc(own.module.__doc__ or ""), sep="\n\n", end="\n\n")
        print("Settings (--set NAME=VALUE):")
        for name, value in settings.items():
            print(f"  {name} = {listing.as_typed(value)}")
        for label, changed in changes.items():
            said = listing.typed(changed) if changed else "another method of the same file"
            print(f"\n{label}: {said}")
        return 0
