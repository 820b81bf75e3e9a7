"""Packages as they lie when they are installed, for tests: files, and the folder that announces them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "plug-ins.md"
_FILE = re.compile(r"^`(?P<path>[\w./-]+)`\n\n```\w*\n(?P<text>.*?)```", re.DOTALL | re.MULTILINE)
_COMMANDS = re.compile(r"^Install it.*?```sh\n(?P<text>.*?)```", re.DOTALL | re.MULTILINE)


def of_the_page() -> dict[str, str]:
    """The files of docs/plug-ins.md, by path."""
    return {found["path"]: found["text"] for found in _FILE.finditer(PAGE.read_text())}


def commands_of_the_page() -> list[list[str]]:
    """Its commands behind `pip install`, as words."""
    found = _COMMANDS.search(PAGE.read_text())
    assert found is not None
    lines = [line.partition("#")[0].split() for line in found["text"].splitlines()]
    return [words[2:] for words in lines if words[:2] == ["python", "-m"]]


def installed(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files of a project into a folder of the search path, and what pip would write from its pyproject.toml."""
    project = tomllib.loads(files["pyproject.toml"])["project"]
    for name, text in files.items():
        if name != "pyproject.toml":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    announced(folder, project["name"], project["entry-points"], project["version"])
    return folder


def announced(folder: Path, name: str, entries: Mapping[str, Mapping[str, str]] | str, version: str = "0.1") -> None:
    """The dist-info folder of a distribution; entries by group, or the text of the file."""
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if not isinstance(entries, str):
        sections = (
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in of.items()) for group, of in entries.items()
        )
        entries = "\n".join(sections)
    (about / "entry_points.txt").write_text(entries)
