"""What `list` and `show` print: a table on a terminal, aligned text in a pipe, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from bench.errors import BadRecord
from bench.record import Record, Results, read_scores, to_json
from bench.spec import SCALES

Row = Mapping[str, Any]
What = Literal["runs", "methods", "studies", "datasets", "scales", "spaces"]


def rows(what: What, results: Path) -> list[Row]:
    """The rows of one list."""
    if what == "runs":
        from bench.run import code_digest

        return [_run_row(r, code_digest()) for r in _all(Results(results))]
    if what == "methods":
        import methods

        return [{"method": k, "settings": str(v)} for k, v in methods.variants().items()]
    if what == "studies":
        from bench.study import STUDIES

        return [
            {
                "study": s.name,
                "about": s.about,
                "runs": len(s.methods) * len(s.seeds),
                "dataset": s.dataset,
                "scale": s.scale,
            }
            for s in STUDIES.values()
        ]
    if what == "datasets":
        from bench import images

        return [{"dataset": n, "here": images.available(n, None) or "yes"} for n in images.NAMES]
    if what == "scales":
        return [vars(s) for s in SCALES.values()]
    from bench.spaces import SPACES

    return [
        {"space": s.name, "architectures": s.size, "edges": len(s.edges), "operations": ", ".join(s.ops)}
        for s in SPACES.values()
    ]


def _all(results: Results) -> list[Record]:
    return [*results.records(), *results.failures()]


def _run_row(record: Record, digest: str) -> Row:
    identity = record.identity
    return {
        "key": record.key,
        "method": record.label,
        "dataset": identity["dataset"],
        "scale": identity["scale"]["name"],
        "seed": identity["seed"],
        "status": record.status,
        "seconds": round(record.cost["wall_s"], 1),
        "architecture": record.architecture or "",
        "code": "this" if record.place["code"] == digest else "older",
    }


def show(table: Sequence[Row], as_json: bool) -> None:
    """Print rows that share their columns."""
    if as_json:
        print(json.dumps(to_json(list(table))))
        return
    if not table:
        print("nothing here yet")
        return
    names = list(table[0])
    if not sys.stdout.isatty():
        texts = [names, *([str(row[n]) for n in names] for row in table)]
        widths = [max(len(t[i]) for t in texts) for i in range(len(names))]
        for text in texts:
            print("  ".join(t.ljust(w) for t, w in zip(text, widths, strict=True)).rstrip())
        return
    printed = Table(*names)
    for row in table:
        printed.add_row(*(str(row[n]) for n in names))
    Console().print(printed)


def find(results: Results, beginning: str) -> Record:
    """The record whose key starts so. Raises BadRecord."""
    known = {r.key: r for r in _all(results)}
    if not beginning:
        raise BadRecord(
            f"give the key of one of {len(known)} runs, or its beginning; `python -m bench list` shows them"
        )
    found = [r for key, r in known.items() if key.startswith(beginning)]
    if len(found) > 1:
        raise BadRecord(f"{beginning!r} begins {len(found)} keys: {', '.join(r.key for r in found)}; give more digits")
    if not found:
        raise BadRecord(f"none of {len(known)} runs begins with {beginning!r}; `python -m bench list` shows them")
    return found[0]


def show_run(beginning: str, folder: Path, as_json: bool) -> None:
    """Print one run and its scores."""
    results = Results(folder)
    record = find(results, beginning)
    paths = sorted((folder / "scores").glob(f"{record.key}.*.json"))
    scores = [row for path in paths for row in read_scores(path)]
    if as_json:
        print(json.dumps({"record": to_json(record), "scores": to_json(scores)}))
        return
    cost = {k: v for k, v in record.cost.items() if k != "phases"}
    show(
        [{"field": k, "value": v} for k, v in _flat({**_run_row(record, record.place["code"]), **record.identity})],
        False,
    )
    print()
    show([{"phase": "total", **cost}, *({"phase": n, **p} for n, p in record.cost["phases"].items())], False)
    if record.message:
        print(f"\n{record.message}")
    if scores:
        names = (
            "truth",
            "target",
            "valid",
            "test",
            "regret_test",
            "rank",
            "ranked",
            "tau",
            "tau_top10",
            "ceiling",
            "coverage",
        )
        print()
        show([{n: {**row.panel, **vars(row)}[n] for n in names} for row in scores], False)


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, item in value.items():
        found += _flat(item, f"{prefix}{name}.") if isinstance(item, Mapping) else [(prefix + name, item)]
    return found
