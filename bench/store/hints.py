"""Commands in messages: what a message tells to do can be typed as it stands, for the results that it speaks of."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

DEFAULT = Path("results")
"""The folder that commands take where none is named."""

_COMMAND = re.compile(
    r"`(python -m (?:bench (?:run|estimate|score|retrain|list|show|diff|rerun|verify|seal)|analysis)\b[^`]*)`"
)


def command(words: str, root: Path = DEFAULT) -> str:
    """One of our commands for a results folder, in backticks, as it is typed."""
    return f"`python -m bench {words}{_where(root)}`"


def aside(*paths: Path) -> str:
    """What to do about a file, or several, that cannot be trusted."""
    words = " ".join(shlex.quote(str(path)) for path in paths)
    it = "it aside with what belongs to it" if len(paths) == 1 else "them aside with what belongs to them"
    return f"`python -m bench aside {words}` sets {it}"


def addressed(text: str, root: Path) -> str:
    """The text with every command of ours in backticks naming that results folder."""
    return _COMMAND.sub(lambda found: f"`{found[1]}{'' if '--results' in found[1] else _where(root)}`", text)


def _where(root: Path) -> str:
    return "" if root == DEFAULT else f" --results {shlex.quote(str(root))}"
