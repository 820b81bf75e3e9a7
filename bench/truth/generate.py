"""The ground truth of the embedded benchmarks: the architectures of a space trained alone on `patches`.

`python -m bench.truth.generate --workers 2` starts, continues and finishes the first pass; it can be killed at any
moment and started again. Later passes add seeds: `--series b`, then `--series c`. `--verify 10` trains finished
classes again and compares; `--merge` writes the table. All are of NAS-Bench-201 unless `--space` names another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench import spaces
from bench.errors import BadData, BadSpec, UnknownName
from bench.store.typed import options
from bench.truth import FIRST_SPACE, TABLES
from bench.truth.merge import merge
from bench.truth.passes import FIRST, Embedded, Pass, made
from bench.truth.plan import Plan, class_order, load_images, series
from bench.truth.shards import Series
from bench.truth.verify import verify
from bench.truth.workers import exit_code, run


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Train the classes of a space alone on the image set `patches`."""

    space: str = FIRST_SPACE
    """A space with an embedded table."""
    workers: int = 1
    """Processes, one thread each."""
    series: str = FIRST
    """Which pass: a (all classes), b (more seeds for the better half), c (the same for the other half)."""
    limit: int | None = None
    """Only the first so many classes, rounded up to whole shards."""
    out: Path | None = None
    """Folder of the series; by default where those of the program lie."""
    verify: int = 0
    """Train so many finished classes again, drawn at random, and compare."""
    merge: bool = False
    """Write the table of all finished shards of all series."""
    table: Path | None = None
    """Where --merge writes; by default where the program looks for it."""


def shards_of(name: str, folder: Path, passes: Mapping[str, Pass]) -> Series:
    """The series of a pass. Raises UnknownName, and BadData where it needs the first pass and that is unfinished."""
    if name not in passes:
        raise UnknownName("series", name, passes)
    plan, half = passes[name].plan, passes[name].half
    order = class_order(spaces.get(plan.space))
    if half:
        valid = _first_valid(shards_of(FIRST, folder, passes))
        middle = float(np.median(list(valid.values())))
        order = [position for position in order if (valid[position] >= middle) == (half == "upper")]
    return series(plan, folder / name, load_images(plan).digest, order)


def _first_valid(first: Series) -> dict[int, float]:
    """Validation accuracy by position, percent, mean over the seeds of the first pass."""
    if len(first.finished()) < len(first.blocks):
        raise BadData(f"{first.folder} is not finished, and this series takes its half of the classes from it")
    rows = pa.concat_tables(first.read(block) for block in first.finished())
    means = rows.group_by("position").aggregate([("valid_accuracy", "mean")])
    return dict(zip(*(means[name].to_pylist() for name in ("position", "valid_accuracy_mean")), strict=True))


def generate(shards: Series, plan: Plan, limit: int | None, workers: int) -> int:
    """Train what is left. Returns the exit code."""
    blocks = range(len(shards.blocks))[: None if limit is None else -(-limit // plan.block)]
    if run(plan, shards, blocks, workers):
        return 0
    print("not finished; run the same command again to continue", file=sys.stderr)
    return 1


def write_table(embedded: Embedded, folder: Path, path: Path) -> None:
    """Merge all series that have begun into one table file."""
    begun = [name for name in embedded.passes if (folder / name).is_dir()]
    shards = [shards_of(name, folder, embedded.passes) for name in begun]
    table = merge(embedded.plan, shards, embedded.name, embedded.title)
    table.save(path, replace=True)
    print(f"wrote {path}: {'complete' if table.header.complete else 'not complete'}, {len(table.columns)} columns")


def main(arguments: Arguments) -> int:
    """Run the command. Returns the exit code."""
    if arguments.workers < 1:
        raise BadSpec(f"{arguments.workers} workers can do nothing; give --workers 1 or more")
    if arguments.verify < 0 or (arguments.limit is not None and arguments.limit < 1):
        raise BadSpec("--verify and --limit take a number of classes")
    embedded = made(spaces.get(arguments.space).name)
    folder = arguments.out or embedded.shards
    if arguments.merge:
        write_table(embedded, folder, arguments.table or TABLES[arguments.space])
        return 0
    shards = shards_of(arguments.series, folder, embedded.passes)
    plan = embedded.passes[arguments.series].plan
    if arguments.verify:
        verdict = verify(plan, shards, arguments.verify, np.random.default_rng(), arguments.workers)
        print(verdict)
        return 0 if verdict.good else 1
    return generate(shards, plan, arguments.limit, arguments.workers)


if __name__ == "__main__":
    sys.exit(exit_code(lambda: main(options(Arguments, "python -m bench.truth.generate"))))
