"""What all commands about results share: their options, and how they end."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, Died, counted
from bench.store.hints import DEFAULT, addressed
from bench.store.names import printable

if TYPE_CHECKING:
    from bench.store.record import Results

SHOWN = 20
"""Skipped files that are named one by one."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command."""

    results: Path = DEFAULT
    """Folder of records, scores, tables and figures."""
    json: bool = False
    """Machine-readable output on standard output."""
    debug: bool = False
    """Tracebacks instead of one-line errors."""


def said(text: str, root: Path = DEFAULT) -> None:
    """A line on standard error: it is shown as it is, whatever it holds, and its commands name the results folder."""
    print(printable(addressed(text, root)), file=sys.stderr)


def ended(results: Results, code: int) -> int:
    """Name the files that were skipped; the exit code is 1 then, if it was 0."""
    lines = list(results.damaged.values())
    for line in lines[:SHOWN]:
        said(f"skipped: {line}", results.root)
    if len(lines) > SHOWN:
        said(f"skipped: {counted(len(lines) - SHOWN, 'more file')}", results.root)
    return code or int(bool(lines))


def told(record: Any, made: bool, folder: Path) -> str:
    """One line about the outcome of a run, made now or found, or why there is none."""
    from bench.runs.progress import duration

    if isinstance(record, Died):
        return str(record)
    if isinstance(record, BenchError):
        return printable(addressed(f"not made: {record}", folder))
    said = f"{record.status} in {duration(record.cost['wall_s'])}" if made else f"{record.status} already"
    if record.architecture and made:
        said += f", chose {record.architecture}{_estimated(record)}"
    return printable(said + (f": {_last_line(record.message)}" if record.message else ""))


def _estimated(record: Any) -> str:
    """What the search itself thinks of its choice; the truth comes later, by `score`."""
    known = {candidate.genotype: candidate.estimate for candidate in record.candidates}
    estimate = known.get(record.genotype)
    return "" if estimate is None else f", by its own estimate {100 * estimate:.1f} %"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
