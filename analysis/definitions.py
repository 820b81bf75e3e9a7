"""What tables and figures show: defined once, in docs/tables.md and docs/figures.md, and told on the report's page."""

from __future__ import annotations

from collections.abc import Iterator

from analysis import caption
from analysis.drawings import Drawing, drawings
from analysis.tables import beside, pairing

GLOSSARY = {
    "supernet": "One network that holds every architecture of a space; all share its weights.",
    "search": "What trains a supernet and returns one architecture.",
    "estimate": "The accuracy of an architecture with the weights that it shares, on validation images.",
    "truth": "Accuracies of architectures trained alone. Checksum and coverage name the exact table; with less than "
    "the whole population, ranks and regrets are among the architectures that it holds.",
    "tau": "Kendall's tau-b of estimates with true test accuracies over the probe: 1 is the same order, 0 none.",
    "cross-entropy": "The same networks judged by their loss instead of their accuracy; fewer estimates tie.",
    "probe": "The fixed sample of architectures that every supernet estimates.",
    "noise ceiling": "The tau-b to expect between the truth and its like from as many other training seeds; "
    "differences near it mean little.",
    "parameter count, multiply-adds": "Sizes as estimates: they rank without any training.",
    "choice": "The architecture that the method itself picked, by its own estimates.",
    "oracle": "The best finalist by the truth: found by looking the answers up, so no result of the search.",
    "rank": "Of the true test accuracy of a choice among all known architectures; 1 is best.",
    "regret": "Points of test accuracy that a choice lies below the best architecture.",
    "images": "Passed through supernets, forward and backward: the cost that no machine changes.",
    "papers' epochs": "The protocol in which a search trains as long as its paper does, at the scale.",
    "equal images": "The protocol in which a search has the images of its one-shot base (`fair`).",
    "scale": "Width, depth, images and epochs of the papers, shrunk together; a result speaks for its scale alone.",
    "interval": caption.INTERVALS,
    "difference": pairing.WORDS,
    "published number": beside.VERDICTS,
    "size": caption.SIZES,
}
"""The words that every report uses, in the order in which a reader meets them."""


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
