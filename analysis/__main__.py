"""`python -m analysis`: every table and figure that the results allow, and a line for each that they do not."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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


class Drawing(Protocol):
    """A module of `tables` or `figures` that draws."""

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
    drawn = [(name, drawing, drawing.draw(loaded.frame, results)) for name, drawing in drawings()]
    missing = [*loaded.missing, *(line for _, _, one in drawn for line in one.missing)]
    written = [path for _, _, one in drawn for path in one.paths]
    for path in [*written, page.write(results, loaded, drawn, missing)]:
        print(path)
    print()
    print_main(loaded.frame)
    for line in missing:
        print(f"missing: {line}", file=sys.stderr)
    return 0 if written else 2


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
