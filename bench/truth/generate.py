"""The ground truth of the embedded benchmarks: the architectures of a space trained alone on `patches`.

`python -m bench.truth.generate --workers 2` starts, continues and finishes the first pass; it can be killed at any
moment and started again. A later pass adds seeds where the table is weak: `--series b`. `--verify 10` trains finished
classes again and compares; `--merge` writes the table, `--merge --version 2` the one with the seeds of later passes, as
far as they are there. All are of NAS-Bench-201 unless `--space` names another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench import spaces
from bench.errors import BadData, BadSpec, UnknownName
from bench.store.typed import options
from bench.truth import FIRST_SPACE, TABLES
from bench.truth.merge import merge
from bench.truth.passes import DISAGREE, FIRST, TOP, Embedded, Pass, made
from bench.truth.plan import Plan, class_order, load_images, series, trained_instead
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
    """Which pass: a (all classes), b, c (more seeds where those of a disagree, and for the upper tenth)."""
    limit: int | None = None
    """Only the first so many classes, rounded up to whole shards."""
    out: Path | None = None
    """Folder of the series; by default where those of the program lie."""
    verify: int = 0
    """Train so many finished classes again, drawn at random, and compare."""
    merge: bool = False
    """Write the table of all finished shards."""
    version: int = 1
    """Which version of it: 1 of series a; 2 with series b; 3 with c too."""
    table: Path | None = None
    """Where --merge writes; by default where the program looks for it."""


def shards_of(name: str, folder: Path, passes: Mapping[str, Pass]) -> Series:
    """The series of a pass. Raises UnknownName, and BadData where it needs the first pass and that is unfinished."""
    if name not in passes:
        raise UnknownName("series", name, passes)
    one = passes[name]
    space = spaces.get(one.plan.space)
    order = class_order(space)
    if one.classes != "all":
        wanted = chosen(_first_valid(shards_of(FIRST, folder, passes)), one.classes, trained_instead(space))
        order = [position for position in order if position in wanted]
    return series(one.plan, folder / name, load_images(one.plan).digest, order)


def chosen(
    valid: Mapping[int, NDArray[np.float64]], which: Literal["upper", "lower", "weak"], instead: NDArray[np.int64]
) -> set[int]:
    """The classes of a later pass. valid: `[seeds]` validation accuracy by trained row, percent, NaN where a seed
    diverged; instead: `[N]` the trained row of every architecture, by which the upper tenth is counted."""
    means = {row: float(values.mean()) for row, values in valid.items()}
    if which != "weak":
        middle = float(np.median(list(means.values())))
        return {row for row, mean in means.items() if (mean >= middle) == (which == "upper")}
    top = float(np.nanquantile([means[int(row)] for row in instead], 1 - TOP))
    agree = {row for row, values in valid.items() if float(values.std(ddof=1)) <= DISAGREE}  # NaN does not
    return {row for row, mean in means.items() if mean >= top or row not in agree}


def _first_valid(first: Series) -> dict[int, NDArray[np.float64]]:
    """Validation accuracies by position, percent, of the seeds of the first pass."""
    if len(first.finished()) < len(first.blocks):
        raise BadData(f"{first.folder} is not finished, and this series takes its classes from it")
    rows = pa.concat_tables(first.read(block) for block in first.finished())
    position, valid = (rows[name].to_numpy() for name in ("position", "valid_accuracy"))
    each = len(first.seeds)  # rows of one position lie together: see `Series.read`
    return dict(zip(position[::each].tolist(), valid.astype(np.float64).reshape(-1, each), strict=True))


def generate(shards: Series, plan: Plan, limit: int | None, workers: int) -> int:
    """Train what is left. Returns the exit code."""
    blocks = range(len(shards.blocks))[: None if limit is None else -(-limit // plan.block)]
    if run(plan, shards, blocks, workers):
        return 0
    print("not finished; run the same command again to continue", file=sys.stderr)
    return 1


def write_table(embedded: Embedded, folder: Path, path: Path, version: int = 1) -> None:
    """Merge the series of a version into one table file. Raises BadSpec where there is no such version, BadData where
    a series of it has nothing."""
    if not 1 <= version <= len(embedded.versions):
        raise BadSpec(f"{embedded.name} has versions 1 to {len(embedded.versions)}, not {version}")
    shards = [shards_of(name, folder, embedded.passes) for name in embedded.versions[version - 1]]
    for name, one in zip(embedded.versions[version - 1], shards, strict=True):
        if not one.finished():
            raise BadData(
                f"no shard of series {name} is finished; run `python -m bench.truth.generate --series {name}`"
            )
    table = merge(embedded.plan, shards, embedded.named(version), embedded.title, version)
    table.save(path, replace=True)
    done = [f"{one.folder.name} {len(one.finished())} of {len(one.blocks)}" for one in shards]
    whole = "complete" if table.header.complete else "not complete"
    print(f"wrote {path}: {whole}, {len(table.columns)} columns, shards of series {', '.join(done)}")


def main(arguments: Arguments) -> int:
    """Run the command. Returns the exit code."""
    if arguments.workers < 1:
        raise BadSpec(f"{arguments.workers} workers can do nothing; give --workers 1 or more")
    if arguments.verify < 0 or (arguments.limit is not None and arguments.limit < 1):
        raise BadSpec("--verify and --limit take a number of classes")
    embedded = made(spaces.get(arguments.space).name)
    folder = arguments.out or embedded.shards
    if arguments.merge:
        first = TABLES[arguments.space]
        usual = first if arguments.version == 1 else first.with_stem(f"{first.stem}-v{arguments.version}")
        write_table(embedded, folder, arguments.table or usual, arguments.version)
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
