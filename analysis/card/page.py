"""A card as HTML: a page of its own, which needs nothing beside it and fits on one sheet of paper."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis.card import layout
from analysis.card.content import Card
from analysis.report import checklist, markup
from analysis.report.page import tied


def render(card: Card) -> str:
    """The text of the page."""
    axis = layout.axis_of(card)
    return (
        _environment()
        .get_template("card.html.j2")
        .render(
            card=card,
            layout=layout,
            axis=axis,
            heads=layout.HEADS,
            cells=layout.cells,
            tested=layout.tested(card),
            style=Markup((Path(__file__).parent / "templates" / "card.css").read_text(encoding="utf-8")),
            counts=checklist.counts(card.answers),
        )
    )


@lru_cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("analysis.card"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(tied=tied, interval=_interval, line=markup.line_html)
    return made


def _interval(text: str) -> Markup:
    """A number with its interval in small print."""
    value, bracket, rest = text.partition(" [")
    return Markup('{} <span class="ci">[{}</span>').format(value, rest) if bracket else Markup("{}").format(text)
