"""The documents as Markdown: their links, and what stands in fences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "methods/README.md")),
    ROOT / "results" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def named(page: Path) -> str:
    """A page as failures call it."""
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> list[Token]:
    """A page, parsed as GitHub and the site do."""
    text = re.sub(r"\A---\n.*?\n---\n", lambda head: "\n" * head[0].count("\n"), page.read_text("utf-8"), flags=re.S)
    return MarkdownIt("commonmark").enable("table").parse(text)


def inline(page: Path, kind: str) -> Iterator[Token]:
    """The links (`link_open`), pictures (`image`) or pieces of code (`code_inline`) in its sentences and tables."""
    for block in blocks(page):
        yield from (token for token in block.children or () if token.type == kind)


def targets(page: Path) -> list[str]:
    """Where its links lead to, and where its pictures lie."""
    links = [str(token.attrs["href"]) for token in inline(page, "link_open")]
    return links + [str(token.attrs["src"]) for token in inline(page, "image")]


@cache
def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them: a heading that comes again has a number."""
    found: dict[str, int] = {}
    tokens = blocks(page)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            words = "".join(piece.content for piece in tokens[place + 1].children or ())
            slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found[slug] = found.get(slug, -1) + 1
            if found[slug]:
                found[f"{slug}-{found[slug]}"] = 0
    return set(found)


def fault(page: Path, target: str) -> str:
    """Why a link of a page leads nowhere; empty where it leads somewhere, or to another site."""
    if re.match(r"(https?|mailto):", target):
        return ""
    path, _, anchor = unquote(target).partition("#")
    to = page if not path else (page.parent / path).resolve()
    if not to.exists():
        return f"{named(page)} leads to {target}, which is not there"
    if not to.is_relative_to(ROOT):
        return f"{named(page)} leads to {target}, outside of the repository"
    if anchor and (to.suffix != ".md" or anchor not in anchors(to)):
        return f"{named(page)} leads to {target}, and there is no such heading"
    return ""
