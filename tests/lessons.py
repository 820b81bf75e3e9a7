"""The programs of docs/lessons.md and what they print: `python -m tests.lessons TABLE` writes the latter anew.

TABLE is a converted official table, for the lesson that asks for one. The results must be scored (`make figures`).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "lessons.md"
OFFICIAL = "nb201.parquet"
_LESSON = re.compile(
    r"^## (?P<title>.+?)$.*?```python\n(?P<code>.*?)```\n\n```\n(?P<prints>.*?)```", re.DOTALL | re.MULTILINE
)


def lessons(text: str) -> Iterator[re.Match[str]]:
    """Every lesson, with groups `title`, `code` and `prints`."""
    return _LESSON.finditer(text)


def printed(code: str, official: Path | None, folder: Path, results: Path = ROOT / "results") -> str:
    """What the program prints, run in `folder`, where it finds `results` and, if there is one, the official table."""
    (folder / "results").symlink_to(results.absolute())
    if official is not None:
        (folder / OFFICIAL).symlink_to(official.absolute())
    out = io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(code, str(PAGE), "exec"), {"__name__": "lesson"})
    finally:
        os.chdir(before)
    return out.getvalue()


def main() -> None:
    """Run all lessons and write what they print into the page."""
    text = PAGE.read_text()
    for lesson in reversed(list(lessons(text))):
        with tempfile.TemporaryDirectory() as folder:
            now = printed(lesson["code"], Path(sys.argv[1]), Path(folder))
        text = text[: lesson.start("prints")] + now + text[lesson.end("prints") :]
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
