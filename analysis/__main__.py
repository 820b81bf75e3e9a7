"""`python -m analysis`: every table and figure that the results allow, the page that shows them all, and what the rest
waits for."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Protocol, cast

import pandas as pd
import tyro

import analysis.figures
import analysis.tables
from analysis.load import load
from analysis.output import Drawn
from analysis.report import page
from analysis.tables.main import print_main
from bench.errors import BenchError
from bench.record import Results

SHOWN = 5
"""Lines about missing runs that are printed unless all are asked for; records without a score come first."""


class Drawing(Protocol):
    """A module of `tables` or `figures` that draws."""

    __name__: str

    def draw(self, frame: pd.DataFrame, results: Results) -> Drawn:
        """Write what the scores in `frame` allow below `results.root`."""
        ...


@dataclass(frozen=True)
class Options:
    """Draw every table and figure that the results allow."""

    results: Path = Path("results")
    """The folder with runs/ and scores/; tables/ and figures/ are written into it."""
    partial: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Draw although some records have no score yet."""
    workers: int = 1
    """Processes that draw at a time."""
    missing: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a line for everything that is missing; by default for the first few, and the page has them all."""


def drawings() -> Iterator[tuple[str, Drawing]]:
    """All modules with a `draw` and their names, tables first: a new file is found without another edit."""
    for package in (analysis.tables, analysis.figures):
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            if hasattr(module, "draw"):
                yield found.name, cast(Drawing, module)


def draw_all(options: Options) -> int:
    """Draw, say what was written and what is missing. 0 if anything was drawn. Raises BenchError."""
    results = Results(options.results)
    loaded = load(results, options.partial)
    found = list(drawings())
    made = _all_drawn([drawing.__name__ for _, drawing in found], loaded.frame, results.root, options.workers)
    drawn = [(name, drawing, one) for (name, drawing), one in zip(found, made, strict=True)]
    missing = [*loaded.missing, *(line for _, _, one in drawn for line in one.missing)]
    written = [path for _, _, one in drawn for path in one.paths]
    report = page.write(results, loaded, drawn, missing)
    print_main(loaded.frame)
    shown = missing if options.missing else missing[:SHOWN]
    for line in shown:
        print(f"missing: {line}", file=sys.stderr)
    if len(shown) < len(missing):
        print(f"missing: {len(missing) - len(shown)} more, listed in {report} and by --missing", file=sys.stderr)
    files = Counter(path.parent for path in written)
    print(*(f"{folder}: {count} files" for folder, count in sorted(files.items())), report, sep="\n")
    return 0 if written else 2


def _all_drawn(modules: Sequence[str], frame: pd.DataFrame, root: Path, workers: int) -> list[Drawn]:
    """What each module draws, in so many processes."""
    if workers < 2:
        return [_drawn(module, frame, root) for module in modules]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_drawn, modules, repeat(frame), repeat(root)))


def _drawn(module: str, frame: pd.DataFrame, root: Path) -> Drawn:
    return cast(Drawing, importlib.import_module(module)).draw(frame, Results(root))


def main() -> int:
    """The command line; errors that a person can act on are one line and exit code 2."""
    options = tyro.cli(Options, prog="python -m analysis")
    try:
        return draw_all(options)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
