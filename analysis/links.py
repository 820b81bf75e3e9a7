"""Links in captions to where what tables and figures show is defined."""

from __future__ import annotations

import re
from pathlib import Path

TABLES, FIGURES = "docs/tables.md", "docs/figures.md"
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def link(page: str, name: str, root: Path) -> str:
    """The part of a page of this project, as a Markdown link from a folder in `root`; its text alone where the results
    lie elsewhere than in this project."""
    text = f"{page}, {name}"
    if root.is_absolute() or ".." in root.parts:
        return text
    return f"[{text}]({'../' * (len(root.parts) + 1)}{page}#{name})"


def without_links(text: str) -> str:
    """Markdown with the text of its links alone."""
    return _LINK.sub(r"\1", text)
