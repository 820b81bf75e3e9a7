"""What quantities of tables mean: written once, in docs/tables.md, and told on the report's page."""

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


def markdown() -> str:
    """All of them as sections of a page."""
    several = "\n".join(f"- **{name}.** {text}" for name, text in shared())
    each = (f"### {name}\n\n{text}" for name, drawing in drawings() if (text := of(drawing)))
    return "\n\n".join(["In all tables:", several, *each])
