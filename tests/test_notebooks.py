"""The notebooks of docs/notebooks: every cell runs in a reader's folder and displays what stands below it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.notebooks import FOLDER, PAGES, ROOT, Cell, cells, displayed, run, unscored

LESSONS = ROOT / "docs" / "lessons.md"
NAMES = [page.stem for page in PAGES]


def likeness(shown: str) -> list[int]:
    """What any processor displays alike: so many lines, of so many words."""
    return [len(line.split()) for line in shown.splitlines()]


def test_cells_are_found_with_what_they_display() -> None:
    shows, other = "```text\n1\n2\n```\n\n", "<!-- varies -->\n```text\n?\n```\n"
    page = f"text\n\n```python\nprint(1)\n2\n```\n\n{shows}```python\nx = 1\n```\n\n{other}"
    first, second = cells(page)
    assert first == Cell("print(1)\n2\n", "1\n2\n", False, (8, 10))
    assert page.splitlines(keepends=True)[slice(*first.lines or (0, 0))] == ["1\n", "2\n"]
    assert (second.shows, second.varies) == ("?\n", True)
    assert [displayed(one, {}) for one in (first, second)] == ["1\n2\n", ""]


def test_every_notebook_is_led_to() -> None:
    named = set(re.findall(r"\(notebooks/(.+?)\.md\)", LESSONS.read_text()))
    assert named == set(NAMES)
    assert len(named) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_displays_what_the_page_shows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m tests.notebooks` brings the pages up to date when results have changed."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    shown = 0
    for cell, now in run(FOLDER / f"{name}.md", tmp_path):
        assert likeness(now) == likeness(cell.shows), cell.code
        assert cell.varies or now == cell.shows, cell.code
        shown += bool(now)
    assert shown


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_jupyter(name: str, tmp_path: Path) -> None:
    """Read by Jupytext, run by a kernel of its own; a cell that fails raises."""
    jupytext, nbclient = pytest.importorskip("jupytext"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    page = FOLDER / f"{name}.md"
    notebook = jupytext.read(page)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code] == [cell.code.rstrip("\n") for cell in cells(page.read_text())]
    folder = unscored(tmp_path)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})  # these sources, wherever the package is installed
    outputs = [output for cell in code for output in cell.outputs]
    assert any(output.output_type == "stream" for output in outputs)
    pictures = ["image/png" for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == (name == "quick-start")
