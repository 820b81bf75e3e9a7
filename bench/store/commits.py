"""`python -m bench.store.commits`: which commits the records of a results folder were made at, by the code's digest.

The list (`results/commits.csv`) outlives the history: a record stays tied to its sources where old commits are gone.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BadRecord, BenchError, counted
from bench.store.files import write_atomically
from bench.store.names import cell
from bench.store.record import Results
from bench.store.typed import options

NAME = "commits.csv"
HEADS = ("code", "commit", "records")


@dataclass(frozen=True)
class Wanted:
    """List the commits of all records."""

    results: Path = Path("results")
    """The folder with runs/; commits.csv is written into it."""


def made_by(results: Results) -> Counter[tuple[str, str]]:
    """How many records each pair of code digest and commit has; the commit is empty where a run was made outside a
    checkout. Raises BadRecord where a record cannot be trusted."""
    places = (record.place for record in results.records())
    return Counter((str(place["code"]), str(place.get("commit") or "")) for place in places)


def text(found: Mapping[tuple[str, str], int]) -> str:
    """The list as CSV, in order."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([HEADS, *((*map(cell, pair), count) for pair, count in sorted(found.items()))])
    return stream.getvalue()


def read(path: Path) -> dict[tuple[str, str], int]:
    """What `text` wrote. Raises BadRecord."""
    try:
        lines = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        if tuple(lines.fieldnames or ()) != HEADS:
            raise ValueError(f"its columns are not {', '.join(HEADS)}")
        return {(row["code"], row["commit"]): int(row["records"]) for row in lines}
    except (OSError, ValueError, TypeError) as error:
        raise BadRecord(f"{path} is no list of commits ({error}); `python -m bench.store.commits` makes it") from None


def main() -> int:
    """The command line; errors that a person can act on are one line and exit code 2."""
    try:
        results = Results(options(Wanted, "python -m bench.store.commits").results)
        found = made_by(results)
        write_atomically(results.root / NAME, text(found).encode())
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{results.root / NAME}: {counted(len(found), 'state')} of the code, {counted(found.total(), 'record')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
