"""Names and text that come from outside: from a file, a table, a label or a list of sources.

A name becomes part of a path, of a table or of a page. So it has a safe alphabet, and whatever has not is refused where
it comes in. Text that is only shown may be anything: it is made harmless where it goes out.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from bench.errors import BadSpec, BenchError

LONGEST = 100  # characters of a name; a file name of several must stay below 255 bytes
NAME = r"[A-Za-z0-9](?:[A-Za-z0-9 ._+-]*[A-Za-z0-9_+-])?"
"""What a name is that may be part of a file name (`checked` also wants it short and without two dots in a row)."""

LABEL = r"[A-Za-z0-9][A-Za-z0-9 ._+,=():/-]{0,199}"
"""What a label is: it begins with a letter or digit, and holds nothing that Markdown, HTML, LaTeX, a terminal or a
spreadsheet takes for more than text."""

_NAME = re.compile(NAME)
_LABEL = re.compile(LABEL)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def checked(name: str, what: str, fault: type[BenchError] = BadSpec) -> str:
    """The name, once it is safe as part of a file name. what: whose name it is, for the message.

    Raises `fault` for a name of other characters than ASCII letters, digits, space and `._+-`, for one that begins or
    ends with a dot or space, holds two dots in a row, or is too long.
    """
    if len(name) > LONGEST or ".." in name or not _NAME.fullmatch(name):
        raise fault(
            f"the name of {what} is {printable(repr(name[:60]))}; it may have {LONGEST} letters, digits, and . _ + - "
            "between them"
        )
    return name


def labelled(label: str, fault: type[BenchError] = BadSpec) -> str:
    """The label, once it is plain text everywhere (`LABEL`). Raises `fault`."""
    if not _LABEL.fullmatch(label):
        raise fault(
            f"the label {printable(repr(label[:60]))} may begin with a letter or digit and have letters, digits, "
            "spaces and ._+,=():/- behind it, 200 in all"
        )
    return label


def within(folder: Path, *parts: str, fault: type[BenchError] = BadSpec) -> Path:
    """The path of a file in a folder: `parts` are joined by dots, and each is `checked`."""
    for part in parts:
        checked(part, f"a file in {folder}", fault)
    return folder / ".".join(parts)


def slug(*parts: str) -> str:
    """Names as one part of a file name: what is no letter, digit, dot or underline becomes a dash."""
    return "-".join(re.sub(r"\.{2,}", ".", re.sub(r"[^\w.]+", "-", part)).strip(".") for part in parts if part)[:180]


def printable(text: str) -> str:
    """The text as one line that a terminal shows and does not obey: control characters as their escapes."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def plain_terminal() -> None:
    """From now on, what standard output or error cannot show in its encoding is shown as its escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def cell(text: str) -> str:
    """The text as a cell of a CSV file that no spreadsheet computes: an apostrophe stands before a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
