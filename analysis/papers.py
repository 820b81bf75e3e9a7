"""Which paper a method is of, what it is there, and the colour of the paper: what tables of searches are grouped by."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from analysis.style import FAIR, parts, printed

_FAMILIES: dict[str, tuple[str, str]] = {
    "RSPS": ("#8A6100", "#D9A93B"),
    "SNAS": ("#007A52", "#4FC79A"),
    "DARTS": ("#C0390B", "#F2875E"),
    "Few-Shot NAS": ("#0B57A8", "#7DB5F2"),
    "GM-NAS": ("#9B2D78", "#E08CC4"),
    "HEP-NAS": ("#1B1B1B", "#E8E8E8"),
    "FaDE": ("#0E7490", "#5CC3DC"),
    "No sharing": ("#5F6670", "#AEB6C0"),
}
"""Ink on white paper and on a dark screen; contrast to the ground is 5 or more."""
GREYS = _FAMILIES["No sharing"]
NEUTRAL = GREYS[0]
_SPARE = (
    ("#7A4FB0", "#BB9BEA"),
    ("#A3261B", "#F19A92"),
    ("#3F6B12", "#A5CC6A"),
    ("#8A3B62", "#E59AC0"),
    ("#2F5D8A", "#8DBDEB"),
    ("#6B5B2A", "#CDBB7E"),
)
"""Of papers that are new here."""
_SEARCHES: dict[str, tuple[str, str]] = {
    "rsps": ("RSPS", "one supernet"),
    "rsps-longer": ("RSPS", "the same, longer"),
    "rsps-continued": ("RSPS", "continued"),
    "rsps-per-cell": ("RSPS", "a path per cell"),
    "snas": ("SNAS", "one supernet"),
    "snas-longer": ("SNAS", "the same, longer"),
    "gumbel": ("SNAS", "Gumbel mixture, alpha at rest"),
    "then-whole": ("SNAS", "Gumbel mixture, continued"),
    "darts": ("DARTS", "first order"),
    "darts-2nd": ("DARTS", "second order"),
    "darts-2nd-longer": ("DARTS", "second order, longer"),
    "fewshot-rsps": ("Few-Shot NAS", "on RSPS"),
    "fewshot-snas": ("Few-Shot NAS", "on SNAS"),
    "fewshot": ("Few-Shot NAS", "on DARTS, second order"),
    "then-few-shot": ("Few-Shot NAS", "on a Gumbel mixture"),
    "then-random": ("Few-Shot NAS", "on a Gumbel mixture, random cut"),
    "gm-rsps": ("GM-NAS", "on RSPS"),
    "gm-snas": ("GM-NAS", "on SNAS"),
    "gm-darts": ("GM-NAS", "on DARTS, second order"),
    "then-gm": ("GM-NAS", "on a Gumbel mixture"),
    "then-random-groups": ("GM-NAS", "on a Gumbel mixture, random groups"),
    "then-gm-afresh": ("GM-NAS", "on a Gumbel mixture, afresh"),
    "gm-proxyless": ("GM-NAS", "on ProxylessNAS"),
    "hep": ("HEP-NAS", "on DARTS, first order"),
    "fade": ("FaDE", "cells ranked by fading"),
    "bayes": ("FaDE", "Bayesian optimisation instead"),
}
_PLAIN = ("", "one supernet", "cells ranked by fading")
"""What goes without saying behind the name of a paper."""
_BEST_OF = re.compile(r"random-best-of-(\d+)$")


@dataclass(frozen=True)
class Search:
    """A method as a row of a table of searches: its paper, what it is there, the ink of the paper and its place."""

    paper: str
    words: str
    ink: str
    dark: str
    place: tuple[int, int, str]

    @property
    def name(self) -> str:
        """Both in one: `Few-Shot NAS on SNAS`, `DARTS, second order`, `RSPS` alone."""
        if self.words in _PLAIN:
            return self.paper
        if self.paper == "No sharing":
            return self.words[:1].upper() + self.words[1:]
        if self.words.startswith(("on ", "(")):
            return f"{self.paper} {self.words}"
        words = self.words.removeprefix("the same, ").replace("longer", "trained longer")
        return f"{self.paper} {words}" if words == "trained longer" else f"{self.paper}, {words}"


def search(label: str) -> Search:
    """The row of a label. A method that is new here is a paper of its own, in a colour that hangs on its name alone."""
    base, changes = parts(label)
    changed = ", ".join(change for change in changes if change != FAIR)
    found = _BEST_OF.match(base)
    paper, words = _SEARCHES.get(base, (printed(base), ""))
    if found:
        paper, words = "No sharing", f"best of {found[1]} trained alone"
    if changed:
        words = f"({changed})" if words in _PLAIN else f"{words} ({changed})".strip()
    ink, dark = _FAMILIES.get(paper) or _SPARE[hashlib.blake2b(paper.encode()).digest()[0] % len(_SPARE)]
    papers, searches = list(_FAMILIES), list(_SEARCHES)
    first = papers.index(paper) if paper in papers else len(papers)
    return Search(paper, words, ink, dark, (first, searches.index(base) if base in searches else len(searches), label))
