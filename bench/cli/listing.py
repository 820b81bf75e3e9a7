"""What `list` and `show` print: a table on a terminal, aligned text in a pipe, or JSON."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.cli.outcome import ended
from bench.store import index
from bench.store.names import printable
from bench.store.record import Record, Results, to_json
from bench.store.sources import code_digest, package_digest
from bench.store.spec import SCALES

Line = Mapping[str, Any]
What = Literal["runs", "methods", "studies", "datasets", "scales", "spaces"]

_SHOWN = (
    *("truth", "target", "valid", "test", "regret_test", "rank", "ranked"),
    *("tau", "tau_top10", "ceiling", "coverage"),
)
"""What `show` prints of a score."""
_DECIMALS = {
    **dict.fromkeys(("valid", "test", "regret_test"), 2),  # percent, of some thousand images
    **dict.fromkeys(("tau", "tau_top10", "ceiling", "coverage"), 4),  # shares
    **dict.fromkeys(("gmacs", "wall_s", "device_s"), 2),
    "seconds": 1,
}


COSTS = ("forward_images", "backward_images", "supernets", "gmacs", "device_s", "peak_bytes")
"""Totals of a run that `list` knows as columns."""

RUN_COLUMNS = (
    *("key", "method", "space", "dataset", "scale", "seed", "status", "seconds", "architecture", "code", "seal"),
    *(*COSTS, "device", "started", "plug_ins"),
)
"""What `list` says of a run, all of it."""

MANY = 1_000
"""Rows beyond which a table on a terminal is plain too: one that is drawn takes a second for each thousand."""


def rows(what: What, results: Results) -> list[Line]:
    """The rows of one list, as JSON has them. Raises BadRecord where runs are asked for and there is no such folder."""
    if what == "runs":
        results.check_there()
        return [_aged(row) for row in index.rows(results, _indexed)]
    if what == "methods":
        from bench.cli import known

        return known.rows(methods_offered)
    if what == "studies":
        from bench.runs.study import STUDIES

        return [
            {
                "study": s.name,
                "about": s.about,
                "runs": len(s.labels) * len(s.seeds),
                "dataset": s.dataset,
                "scale": s.sized,
            }
            for s in STUDIES.values()
        ]
    if what == "datasets":
        from bench import images

        ours = [{"dataset": n, "here": images.available(n, None) or "yes"} for n in images.NAMES]
        about = (
            "your own: a folder with a folder of pictures for every class",
            "your own: arrays of images and labels",
        )
        more = "; PATH@32 brings them to 32x32 pixels (docs/own-data.md)"
        return [*ours, *({"dataset": n, "here": one + more} for n, one in zip(images.OWN, about, strict=True))]
    if what == "scales":
        return [vars(s) for s in SCALES.values()]
    from bench import spaces

    return [
        {
            "space": s.name,
            "architectures": s.size,
            "truth is of": s.population.about,
            "cells": ", ".join(cell.name for cell in s.cells),
            "edges": len(s.edges),
            "operations": ", ".join(s.ops),
        }
        for s in spaces.offered().values()
    ]


def faults(what: What) -> list[str]:
    """One line for each plug-in that a list leaves out, because it is broken."""
    if what == "spaces":
        from bench import plugins, spaces

        return [*plugins.unreadable(), *spaces.broken()]
    if what == "methods":
        from bench.cli import known

        return known.faults()
    return []


def methods_offered() -> list[Line]:
    """A row for every method. Imports them all. Raises BadMethod."""
    import methods
    from bench import spaces

    return [
        {
            "method": label,
            "file": v.file,
            "settings for": [space for space in spaces.names() if v.has_settings_for(space)],
            "about": _first_sentence(v.module),
            "settings": dict(settings(v.method)),
            "elsewhere": {space: changes(v.method, method) for space, method in v.elsewhere.items()},
        }
        for label, v in methods.offered().items()
    ]


def readable(row: Line, everything: bool) -> Line:
    """A row as a person reads it."""
    if "probe" in row:
        return {**row, "probe": row["probe"] or "all"}
    if "settings" not in row:
        return row
    shown = {name: value for name, value in row.items() if name not in ("settings", "elsewhere")}
    shown["settings for"] = ", ".join(row["settings for"])
    elsewhere = (f"; on {space}: {typed(changes)}" for space, changes in row["elsewhere"].items())
    return {**shown, "settings": typed(row["settings"]) + "".join(elsewhere)} if everything else shown


def settings(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What can be set in a method, by dotted name, with its value; a part without fields by the name of its kind."""
    for field in dataclasses.fields(part):
        name, value = f"{path}{field.name}", getattr(part, field.name)
        if not dataclasses.is_dataclass(value):
            yield name, value
        elif dataclasses.fields(value):
            yield from settings(value, f"{name}.")
        else:
            yield name, type(value).__name__


def changes(usual: Any, other: Any) -> dict[str, Any]:
    """What can be set in `other` and is not as in `usual`."""
    known = dict(settings(usual))
    return {name: value for name, value in settings(other) if name not in known or known[name] != value}


def typed(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={as_typed(value)}" for name, value in settings.items())


def as_typed(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, tuple):
        return ",".join(map(as_typed, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _first_sentence(module: ModuleType) -> str:
    text = " ".join((module.__doc__ or "").split())
    return re.split(r"(?<=\.) ", text, maxsplit=1)[0]


def _aged(row: Line) -> Line:
    """`code`: whether the sources are those of today, of plug-ins too; `plug_ins`: what these are called."""
    there = row["plug_ins"]
    now = all(one["code"] == package_digest(name) for name, one in there.items())
    age = "this" if row["code"] == code_digest() and now else "older"
    return {**row, "code": age, "plug_ins": ", ".join(f"{name} {one['version']}" for name, one in there.items())}


def _run_row(record: Record) -> Line:
    identity = record.identity
    return {
        "key": record.key,
        "method": record.label,
        "space": identity["space"],
        "dataset": identity["dataset"],
        "scale": identity["scale"]["name"],
        "seed": identity["seed"],
        "status": record.status,
        "seconds": round(record.cost["wall_s"], 1),
        "architecture": record.architecture or "",
        "code": record.place["code"],
        "seal": "yes" if record.sealed else "without",
    }


def _indexed(record: Record) -> Line:
    """The row of a run with all of `RUN_COLUMNS`, as the index keeps it."""
    return {
        **_run_row(record),
        **{name: record.cost[name] for name in COSTS},
        "device": record.place.get("device_name") or record.place.get("device", ""),
        "started": record.place.get("started", ""),
        "plug_ins": record.place.get("plug_ins", {}),
    }


def show(table: Sequence[Line]) -> None:
    """Print rows, one at least, that share their columns."""
    names = list(table[0])
    if not sys.stdout.isatty() or len(table) > MANY:
        texts = [names, *([printable(str(row[n])) for n in names] for row in table)]
        widths = [max(len(t[i]) for t in texts) for i in range(len(names))]
        for text in texts:
            print("  ".join(t.ljust(w) for t, w in zip(text, widths, strict=True)).rstrip())
        return
    printed = Table(*names)
    for row in table:
        printed.add_row(*(Text(printable(str(row[n]))) for n in names))
    Console().print(printed)


def show_run(beginning: str, folder: Path, as_json: bool) -> int:
    """Print one run and its scores. The exit code is 1 where files were skipped."""
    results = Results(folder)
    record = results.named(beginning)
    scores = list(results.scores_of(record.key))
    if as_json:
        print(json.dumps({"record": to_json(record), "scores": to_json(scores)}))
        return ended(results, 0)
    place = record.place["code"]
    about = {"label": record.label, **_run_row(record), **record.identity, "code": place}
    about |= {"plug_ins": record.place["plug_ins"]} if "plug_ins" in record.place else {}
    show([{"field": name, "value": value} for name, value in _flat(about)])
    phases = {"total": {k: v for k, v in record.cost.items() if k != "phases"}, **record.cost["phases"]}
    print()
    show([{"phase": name, **rounded(cost)} for name, cost in phases.items()])
    if record.message:
        print("\n" + "\n".join(map(printable, record.message.splitlines())))
    if scores:
        print()
        show([rounded({name: {**row.panel, **vars(row)}[name] for name in _SHOWN}) for row in scores])
    return ended(results, 0)


def rounded(row: Line) -> Line:
    """The row with as many decimals as mean something; --json has them all."""
    return {name: _number(name, value) for name, value in row.items()}


def _number(name: str, value: Any) -> Any:
    if name in _DECIMALS and isinstance(value, (int, float)):
        return f"{value:.{_DECIMALS[name]}f}"
    return f"{value:.4g}" if isinstance(value, float) else value


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, item in value.items():
        found += _flat(item, f"{prefix}{name}.") if isinstance(item, Mapping) else [(prefix + name, item)]
    return found
