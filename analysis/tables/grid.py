"""A printed table as plain text cells, and its Markdown, LaTeX and terminal forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

UNKNOWN = "\N{EN DASH}"

_LATEX = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "%_&#${}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        **{mark: f"{{{mark}}}" for mark in "[]*"},  # else they would mean something right after a row's end
        "\N{EN DASH}": r"\textendash{}",
        "\N{MINUS SIGN}": "$-$",
        "\N{PLUS-MINUS SIGN}": r"$\pm$",
        "\N{ALMOST EQUAL TO}": r"$\approx$",
        "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
        "\N{DAGGER}": r"\dag{}",
    }
)


@dataclass(frozen=True)
class Cell:
    """What a cell says, the interval that may stand behind or below it, and notes: what a paper says, a verdict."""

    value: str
    interval: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.value} {self.interval}".rstrip()
        return f"{said} ({'; '.join(self.notes)})" if self.notes else said


@dataclass(frozen=True)
class Grid:
    """One printed table. The first column holds names and is set left, the others right."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def latex_escaped(text: str) -> str:
    """The text as LaTeX prints it: every character with a meaning of its own is disarmed."""
    return text.translate(_LATEX).replace("--", "-{}-")  # else two hyphens would print as a dash


def markdown(grid: Grid) -> str:
    """A heading and a pipe table, columns padded so that the source can be read too."""
    lines = [[head.replace("|", "\\|") for head in grid.heads]]
    lines += [[str(cell).replace("|", "\\|") for cell in row] for row in grid.rows]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [
        [_padded(text, width, at) for at, (text, width) in enumerate(zip(line, widths, strict=True))] for line in lines
    ]
    body = [f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]]]
    return "\n".join([f"**{grid.title}**", "", *body, ""])


def latex(grid: Grid) -> str:
    """A `tabular` with the rules of booktabs under its title, no wider than the text; intervals stand below their
    means."""
    heads = " & ".join(_stacked(_halves(latex_escaped(head)), r"\relax") for head in grid.heads)
    stacked = any(cell.interval or cell.notes for row in grid.rows for cell in row)
    end = r" \\ \addlinespace[3pt]" if stacked else r" \\"
    rows = [" & ".join(_latex_cell(cell) for cell in row) + end for row in grid.rows]
    return "\n".join(
        [
            rf"\textbf{{{latex_escaped(grid.title)}}}\\[2pt]",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{\relax",
            rf"\begin{{tabular}}{{@{{}}l{'r' * (len(grid.heads) - 1)}@{{}}}}",
            r"\toprule",
            rf"{heads} \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            "",
        ]
    )


def show(grid: Grid, file: IO[str] | None = None) -> None:
    """Print to the terminal, or as plain aligned text where the output is none."""
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=240, color_system=None)
    table = _rich(grid, grid.title, whole=True, plain=not console.is_terminal)
    needed = Measurement.get(console, console.options.update(width=10_000), table).maximum
    if needed > console.width:
        title = f"{grid.title} (means; intervals need a terminal of {needed} columns)"
        table = _rich(grid, title, whole=False, plain=False)
    console.print(table)
    console.print()


def _rich(grid: Grid, title: str, whole: bool, plain: bool) -> Table:
    look = box.SIMPLE_HEAD if not plain else None
    table = Table(title=Text(title, style="bold"), title_justify="left", box=look, pad_edge=False)
    for at, head in enumerate(grid.heads):
        table.add_column(Text(head), justify="right" if at else "left")
    for row in grid.rows:
        table.add_row(*(Text(str(cell) if whole else cell.value) for cell in row))
    return table


def _padded(text: str, width: int, at: int) -> str:
    return text.rjust(width) if at else text.ljust(width)


def _latex_cell(cell: Cell) -> str:
    value = latex_escaped(cell.value)
    below = [latex_escaped(text) for text in (cell.interval, *cell.notes) if text]
    if not below:
        return value
    stack = _stacked([value, *below], r"\tiny")
    return rf"$\vcenter{{\hbox{{{stack}}}}}$"  # level with cells of one line


def _stacked(lines: list[str], size: str) -> str:
    first, *others = lines
    below = "".join(rf"\\{{{size} {line}}}" for line in others)
    return rf"\shortstack[r]{{{first}{below}}}" if others else first


def _halves(head: str) -> list[str]:
    """A long head in two lines, cut at the space nearest its middle."""
    spaces = [at for at, mark in enumerate(head) if mark == " "]
    if len(head) <= 12 or not spaces:
        return [head]
    cut = min(spaces, key=lambda at: abs(at - len(head) / 2))
    return [head[:cut], head[cut + 1 :]]
