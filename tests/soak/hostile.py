"""Files that mean harm, or were spoilt by more than a bit: no traceback, no escape code, nothing written outside."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.cli.commands import main
from bench.store.record import Results

TEXTS = (
    "../../victim",
    "\x1b]0;owned\x07",
    "=cmd|' /C calc'!A0",
    "![x](http://x/y.png)",
    "<script>",
    "\ud800",
    "a" * 10_000,
)
VALUES: tuple[Any, ...] = (None, True, -1, 10**40, 1e308, [], {}, "", [[]], {"a": {}}, *TEXTS)


def spoilt(text: str, rng: random.Random) -> str:
    """The text of a JSON file with one value, key or piece of it changed for the worse."""
    content = json.loads(text)
    kind = rng.randrange(5)
    if kind == 0:
        return text[: rng.randrange(len(text))]
    if kind == 1:
        at = rng.randrange(len(text))
        return text[:at] + rng.choice(("[" * 5_000, "NaN", "\x00", '"a":1,"a":2,', "}")) + text[at:]
    places = list(_places(content))
    holder, key = rng.choice(places)
    if kind == 2 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)
    else:
        holder[key] = rng.choice(VALUES)
    if rng.random() < 0.5 and isinstance(content, dict):
        content.pop("seal", None)
    return json.dumps(content)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def measured(made: Path, folder: Path, count: int, seed: int) -> dict[str, int]:
    """`made`: a results folder with scores. Per spoilt file, `list` and `score` are run."""
    rng = random.Random(seed)
    found = {"files": 0, "refused": 0, "tracebacks": 0, "escape codes": 0, "written outside": 0, "others lost": 0}
    cage = folder / "cage"
    shutil.rmtree(cage, ignore_errors=True)
    shutil.copytree(made, cage / "deep" / "results")
    work = cage / "deep" / "results"
    names = [path for kind in ("runs", "scores") for path in sorted((work / kind).glob("*.json"))]
    records = len(list((work / "runs").glob("*.json")))
    outside = _outside(cage, work)
    for _ in range(count):
        path = rng.choice(names)
        good = path.read_text(encoding="utf-8")
        path.write_text(spoilt(good, rng), encoding="utf-8", errors="surrogatepass")
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                codes = [main(words) for words in (["list", "--results", str(work)], ["score", "--results", str(work)])]
            except Exception:
                found["tracebacks"] += 1
                codes = []
        found["files"] += 1
        found["refused"] += 1 in codes
        found["escape codes"] += "\x1b" in out.getvalue() or "\x07" in out.getvalue()
        found["others lost"] += len(list(Results(work).records())) < records - 1
        found["written outside"] += _outside(cage, work) != outside
        path.write_text(good, encoding="utf-8")
    return found


def _outside(cage: Path, work: Path) -> list[str]:
    return sorted(str(path) for path in cage.rglob("*") if work not in path.parents)
