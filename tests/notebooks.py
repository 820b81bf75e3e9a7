"""The notebooks of docs/notebooks and what they print: `python -m tests.notebooks` writes the latter anew.

A notebook is a page in Jupytext's Markdown: Python fences are its cells, and a `text` fence right behind one holds what
the cell displays. `<!-- varies -->` before it says that another processor displays other numbers.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "notebooks"
PAGES = sorted(FOLDER.glob("*.md"))
VARIES = "<!-- varies -->"


@dataclass(frozen=True)
class Cell:
    """A cell, what the page says that it displays, and whether another processor displays something else."""

    code: str
    shows: str
    varies: bool
    lines: tuple[int, int] | None  # of what it displays, in the page


def cells(text: str) -> list[Cell]:
    """Those of a page, in order."""
    blocks = [token for token in MarkdownIt().parse(text) if token.level == 0 and token.type in ("fence", "html_block")]
    found = []
    for place, block in enumerate(blocks):
        if block.info != "python":
            continue
        after = blocks[place + 1 :]
        varies = bool(after) and after[0].content.strip() == VARIES
        output = after[varies] if len(after) > varies and after[varies].info == "text" else None
        where = None if output is None or output.map is None else (output.map[0] + 1, output.map[1] - 1)
        found.append(Cell(block.content, "" if output is None else output.content, varies, where))
    return found


def displayed(cell: Cell, names: dict[str, Any]) -> str:
    """What a cell prints, and the value of its last expression, as Jupyter displays it."""
    tree, out = ast.parse(cell.code), io.StringIO()
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(out):
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            if value is not None:
                print(repr(value))
    return out.getvalue()


def unscored(folder: Path) -> Path:
    """Where notebooks are started, in a repository of its own that holds the records, and nothing made of them."""
    inside = folder / "docs" / "notebooks"
    inside.mkdir(parents=True)
    (folder / "results").mkdir()
    for name in ("runs", "estimates"):
        (folder / "results" / name).symlink_to(ROOT / "results" / name)
    return inside


def run(page: Path, folder: Path) -> Iterator[tuple[Cell, str]]:
    """Every cell with what it displays, run in such a repository in `folder`."""
    inside = unscored(folder)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(page.read_text()):
        with contextlib.chdir(inside):
            shown = displayed(cell, names)
        yield cell, shown


def main() -> None:
    """Run all notebooks and write what they display into the pages."""
    os.environ.setdefault("MPLBACKEND", "agg")
    for page in PAGES:
        lines = page.read_text().splitlines(keepends=True)
        with tempfile.TemporaryDirectory() as folder:
            made = list(run(page, Path(folder)))
        for cell, shown in reversed(made):
            if cell.lines is not None:
                lines[slice(*cell.lines)] = [shown]
            elif shown:
                sys.exit(f"{page}: a cell displays {shown!r}, but no text fence is behind it")
        page.write_text("".join(lines))


if __name__ == "__main__":
    main()
