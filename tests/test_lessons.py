"""The lessons of docs/lessons.md: every program runs from a reader's folder and prints what stands below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.images.files import data_folder
from bench.store.record import Results
from bench.truth.convert import convert
from tests.lessons import OFFICIAL, PAGE, lessons, printed

EXTRACT = data_folder() / "nb201.csv.gz"
LESSONS = {lesson["title"]: lesson for lesson in lessons(PAGE.read_text())}


def test_no_lesson_is_left_out() -> None:
    assert len(LESSONS) == PAGE.read_text().count("\n## ") == PAGE.read_text().count("```python") >= 5


@pytest.mark.slow
@pytest.mark.reproducibility
@pytest.mark.parametrize("title", LESSONS)
def test_a_lesson_prints_what_the_page_shows(title: str, tmp_path: Path, everything: Results) -> None:
    """`python -m tests.lessons TABLE` brings the page up to date when results have changed."""
    lesson, official = LESSONS[title], None
    if OFFICIAL in lesson["code"]:
        if not EXTRACT.exists():
            pytest.skip("needs data/nb201.csv.gz (set SUPERNET_BENCH_DATA)")
        official = tmp_path / "converted.parquet"
        convert(EXTRACT, official)
    assert printed(lesson["code"], official, tmp_path, everything.root) == lesson["prints"]
    assert lesson["prints"].strip()
