"""`python -m tests.soak.faults`: the table of docs/reliability.md that says which test closes what was seen."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.store.files import write_atomically

HERE = Path(__file__).parent
TESTS = HERE.parent
PAGE = TESTS.parent / "docs" / "reliability.md"
MARK, END = "<!-- generated: faults -->", "<!-- end faults -->"


@dataclass(frozen=True)
class Fault:
    """What was seen, and the tests that close it, as `file::test`."""

    seen: str
    tests: tuple[str, ...]


def faults() -> list[Fault]:
    """All of them, as faults.toml has them."""
    listed = tomllib.loads((HERE / "faults.toml").read_text(encoding="utf-8"))["fault"]
    return [Fault(one["seen"], tuple(one["tests"])) for one in listed]


def tests_in(file: Path) -> set[str]:
    """The names of the tests of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def table() -> str:
    """In Markdown; a test of the file before it is named without the file."""
    lines = ["| seen | test |", "|---|---|"]
    for fault in faults():
        told, last = [], ""
        for one in fault.tests:
            file, _, name = one.partition("::")
            told.append(f"`{'…' if file == last else file}::{name}`")
            last = file
        lines.append(f"| {fault.seen} | {', '.join(told)} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with the table of today. Raises ValueError where it has no place for it."""
    before, mark, rest = text.partition(MARK)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"{PAGE} has no place between {MARK} and {END}")
    return f"{before}{MARK}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    write_atomically(PAGE, page(PAGE.read_text(encoding="utf-8")).encode())
