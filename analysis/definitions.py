"""What tables and figures show: defined once, in docs/tables.md and docs/figures.md, and told on the report's page."""

from __future__ import annotations

from collections.abc import Iterator

from analysis import caption
from analysis.drawings import Drawing, drawings
from analysis.tables import beside, pairing


def of(drawing: Drawing) -> str:
    """What a module of tables or figures defines, as its `DEFINITIONS`; nothing where it has none."""
    return str(getattr(drawing, "DEFINITIONS", ""))


def shared() -> Iterator[tuple[str, str]]:
    """What several tables print, by what it is about."""
    yield "Intervals of a mean", caption.INTERVALS
    yield "Differences", pairing.WORDS
    yield "Published numbers beside ours", beside.VERDICTS
    yield "Parameter count and multiply-adds", caption.SIZES


def tables() -> str:
    """Those of tables as sections of a page, what several print first."""
    several = "\n".join(f"- **{name}.** {text}" for name, text in shared())
    return f"In all tables:\n\n{several}\n\n{_sections('analysis.tables')}"


def figures() -> str:
    """Those of figures as sections of a page."""
    return _sections("analysis.figures")


def _sections(package: str) -> str:
    known = ((name, of(drawing)) for name, drawing in drawings() if drawing.__name__.startswith(f"{package}."))
    return "\n\n".join(f"### {name}\n\n{text}" for name, text in known if text)
