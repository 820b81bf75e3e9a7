"""Links in captions to where quantities of tables are defined."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = "docs/tables.md"
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def link(name: str, root: Path) -> str:
    """Where the quantities of a table are defined, as a Markdown link from `root/tables`; its text alone where the
    results lie elsewhere than in this project."""
    text = f"{PAGE}, {name}"
    if root.is_absolute() or ".." in root.parts:
        return text
    return f"[{text}]({'../' * (len(root.parts) + 1)}{PAGE}#{name})"


def plain(text: str) -> str:
    """Markdown with the text of its links alone."""
    return _LINK.sub(r"\1", text)
