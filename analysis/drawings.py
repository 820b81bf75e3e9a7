"""The modules that draw, found by their files, and their work spread over processes."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, cast

import matplotlib
import pandas as pd

import analysis.figures
import analysis.tables
from analysis.kept import Kept
from analysis.output import Drawn
from bench.errors import BadRecord
from bench.store.record import Results

SEARCHED = ("space", "dataset", "scale")
"""What the runs of a drawing share: nothing is drawn across these, so each is drawn for itself."""


class Drawing(Protocol):
    """A module of `tables` or `figures` that draws; one with `BY_SETTING = False` draws once, whatever was searched."""

    __name__: str

    def draw(self, frame: pd.DataFrame, results: Results) -> Drawn:
        """Write what the scores in `frame` allow below `results.root`."""
        ...


def drawings() -> Iterator[tuple[str, Drawing]]:
    """All modules with a `draw` and their names, tables first: a new file is found without another edit."""
    for package in (analysis.tables, analysis.figures):
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            if hasattr(module, "draw"):
                yield found.name, cast(Drawing, module)


def all_drawn(
    frame: pd.DataFrame, root: Path, workers: int = 1, told: Callable[[int, int, str], None] | None = None
) -> list[tuple[str, Drawing, Drawn]]:
    """What each module drew, with its name and itself; `workers` processes draw at a time. What was drawn earlier from
    the same is not drawn again. told: gets how many of how many are drawn, and the name of the next."""
    found = list(drawings())
    groups = [rows for _, rows in frame.groupby(list(SEARCHED), sort=True)]
    tasks = [
        (name, drawing.__name__, rows)
        for name, drawing in found
        for rows in (groups if getattr(drawing, "BY_SETTING", True) else [frame])
    ]
    kept = Kept(root)
    marks = [kept.mark(module, rows["key"]) for _, module, rows in tasks]
    there = {at: one for at, mark in enumerate(marks) if (one := kept.found(mark)) is not None}
    left = [at for at in range(len(tasks)) if at not in there]
    modules, frames = [tasks[at][1] for at in left], [tasks[at][2] for at in left]
    with ExitStack() as stack:
        pool = _pool(workers) if workers > 1 and len(left) > 1 else None
        if pool is None:
            results: Iterator[Drawn] = map(_drawn, modules, frames, repeat(root))
        else:
            results = stack.enter_context(pool).map(_drawn, modules, frames, repeat(root))
        for count, at in enumerate(left):
            if told is not None:
                told(count, len(left), tasks[at][0])
            there[at] = next(results)
            kept.keep(marks[at], there[at])
    kept.write()
    return [
        (name, drawing, _joined([there[at] for at, task in enumerate(tasks) if task[1] == drawing.__name__]))
        for name, drawing in found
    ]


def _joined(parts: Sequence[Drawn]) -> Drawn:
    """What a module drew of all settings."""
    return Drawn(
        tuple(path for one in parts for path in one.paths),
        tuple(dict.fromkeys(line for one in parts for line in one.missing)),
        "; ".join(filter(None, (one.fault for one in parts))),
    )


def _pool(workers: int) -> ProcessPoolExecutor | None:
    """Processes that draw, or None, with a warning, where the machine lets them share no memory."""
    try:
        return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    except OSError as error:
        warnings.warn(f"processes can share no memory here ({error.strerror}); one draws, not {workers}", stacklevel=3)
        return None


def _drawn(module: str, frame: pd.DataFrame, root: Path) -> Drawn:
    matplotlib.use("agg")  # whatever a notebook around this says
    try:
        return cast(Drawing, importlib.import_module(module)).draw(frame, Results(root))
    except BadRecord as error:  # what cannot be trusted costs this table or figure, not the others
        return Drawn((), fault=f"{module.rpartition('.')[2]} is not drawn: {error}")
