"""The chapters of a report, in their order: a module of tables or figures names its own as `CHAPTER`."""

from __future__ import annotations

from typing import Any

APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
CHAPTERS: dict[str, tuple[str, str]] = {
    "ranking": ("Ranking", "How estimates order architectures, as a whole and among the best."),
    "choice": ("Choice", "What each search returns, beside a random architecture and the largest."),
    "protocols": (
        f"Papers{APOSTROPHE} epochs or equal images",
        "What a search gains by training more.",
    ),
    "oracle": ("Choice or oracle", "The choice, and the best finalist by the truth."),
    "claims": ("Claims of the papers", "Each claim as a paired comparison with a verdict."),
    "parts": ("What each part adds", "Cuts, restarts, distillation, and ranks of FaDE."),
    "cost": ("Cost", "Images, multiply-adds and seconds, by phase and on the way."),
    "more": ("The truth itself", "What the tables of accuracies say of their own."),
}
LAST = "more"


def chapter_of(module: Any) -> str:
    """The chapter that a module names; the last one where it names none, or one that is not there."""
    named = getattr(module, "CHAPTER", LAST)
    return named if named in CHAPTERS else LAST
