"""The documents: links lead somewhere, and every page is led to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pages
from tests.pages import PAGES, ROOT, anchors, fault, named, targets


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    assert [why for target in targets(page) if (why := fault(page, target))] == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# Two words: `and`, more\n\n## Again\n\n## Again\n")
    page.write_text(
        "[a](other.md) [b](other.md#two-words-and-more) [c](other.md#again-1) [d](https://example.org)\n\n"
        "[v](gone.md) [w](other.md#gone) [x](#gone) [y](../outside.md) ![z](gone.png)\n"
    )
    (tmp_path.parent / "outside.md").write_text("")
    assert anchors(other) == {"two-words-and-more", "again", "again-1"}
    assert targets(page)[:2] == ["other.md", "other.md#two-words-and-more"]
    assert [target for target in targets(page) if fault(page, target)] == [
        *("gone.md", "other.md#gone", "#gone", "../outside.md", "gone.png")
    ]


def test_every_page_is_led_to_from_the_first() -> None:
    found, todo = set[Path](), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in found and page.suffix == ".md" and page.exists():
            found.add(page)
            todo += [
                (page.parent / target.partition("#")[0]).resolve() for target in targets(page) if ":" not in target
            ]
    assert [named(page) for page in PAGES if page not in found] == []
