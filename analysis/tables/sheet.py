"""A whole table file: its grids, its caption and its numbers, written as Markdown, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis import caption, findings, links
from analysis.load import Setting
from analysis.output import csv_text, write_text
from analysis.tables.grid import Grid, latex, latex_escaped, markdown

PAGE = 22
"""Rows of a grid on one page of LaTeX; a longer one goes on in another table."""


@dataclass(frozen=True)
class Sheet:
    """What one table file says: grids, a caption with its notes. `data` is the same as numbers, one row per cell."""

    name: str
    setting: Setting
    grids: tuple[Grid, ...]
    words: str
    data: pd.DataFrame

    def write(self, root: Path) -> tuple[Path, ...]:
        """Write it below `root/tables`."""
        stem = root / "tables" / f"{self.name}-{self.setting.slug}"
        text = "\n".join([*map(markdown, self.grids), self.words, ""])
        return (
            write_text(Path(f"{stem}.md"), text),  # not with_suffix: the stem may hold dots
            write_text(Path(f"{stem}.tex"), self.latex(root)),
            write_text(Path(f"{stem}.csv"), csv_text(self.data)),
        )

    def latex(self, root: Path) -> str:
        """One floating table per grid, or page of it; the first bears the whole caption."""
        label = f"tab:{self.name}-{self.setting.slug}"
        lines = [f"% {caption.command(root)}", r"% needs \usepackage{booktabs,graphicx}"]
        for at, grid in enumerate(part for whole in self.grids for part in pages(whole)):
            words = (
                latex_escaped(links.without_links(caption.unfolded(self.words)[0].strip()))
                if not at
                else rf"{latex_escaped(grid.title)}; words as in Table~\ref{{{label}}}."
            )
            lines += [
                r"\begin{table*}",
                r"\centering\scriptsize\setlength{\tabcolsep}{4pt}",
                latex(grid) + rf"\caption{{\footnotesize {words}}}",
                rf"\label{{{label}{f'-{at}' if at else ''}}}",
                r"\end{table*}",
            ]
        return "\n".join([*lines, ""])


def describe(
    name: str,
    read: str,
    setting: Setting,
    rows: pd.DataFrame,
    root: Path,
    texts: Iterable[str] = (),
    methods: Sequence[str] = (),
) -> str:
    """A caption: what is found, how the table is read, what it holds for. In its notes: the setting in full, seeds,
    what is missing, what is special about these rows, where quantities are defined, and the command. methods: those
    that it is about, all by default."""
    said = (caption.setting_of(setting, rows), caption.seeds(rows), caption.progress(setting, rows, methods), *texts)
    ends = (f"Definitions: {links.link(links.TABLES, name, root)}.", f"Made by: {caption.command(root)}.")
    told = " ".join(filter(None, (findings.found(name, setting, rows), read, caption.brief(setting, rows))))
    return caption.folded(told, " ".join(filter(None, (*said, *ends))))


def pages(grid: Grid) -> list[Grid]:
    """The grid in parts of no more than `PAGE` rows."""
    starts = range(0, max(1, len(grid.rows)), PAGE)
    return [
        replace(grid, title=f"{grid.title}, continued" if start else grid.title, rows=grid.rows[start : start + PAGE])
        for start in starts
    ]
