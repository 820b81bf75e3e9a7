"""One look for all figures: colour, marker, dash and printed name per method label, and the page's type and lines.

Colours are those of Okabe and Ito ("Color universal design", 2008) without the yellow; markers and dashes differ
too, so that figures can be read in grey print.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#777777"

Dash = str | tuple[int, tuple[float, ...]]
SOLID: Dash = "solid"
DASHED: Dash = (0, (5.0, 2.0))
DOTTED: Dash = (0, (1.0, 1.5))
DASH_DOT: Dash = (0, (5.0, 1.5, 1.0, 1.5))

COLUMN_WIDTH = 3.5  # inches: one column of a two-column page
TEXT_WIDTH = 5.5  # inches: the text of a one-column page


@dataclass(frozen=True)
class Look:
    """How a method is drawn and named."""

    name: str
    colour: str
    marker: str
    dash: Dash


_WORDS = {
    "random": "Random",
    "largest": "Largest",
    "params": "Parameter count",
    "parameters": "Parameter count",
    "macs": "MAC count",
    "rsps": "RSPS",
    "darts": "DARTS",
    "2nd": "2nd order",
    "snas": "SNAS",
    "fewshot": "Few-Shot",
    "gmnas": "GM-NAS",
    "hepnas": "HEP-NAS",
    "fade": "FaDE",
}
_LOOKS: dict[str, tuple[str, str, Dash]] = {
    "random": (GREY, "o", DASHED),
    "largest": (GREY, "s", DASH_DOT),
    "params": (GREY, "^", DOTTED),
    "parameters": (GREY, "^", DOTTED),
    "macs": (GREY, "v", DOTTED),
    "rsps": (SKY, "s", SOLID),
    "darts": (VERMILLION, "o", SOLID),
    "darts-2nd": (ORANGE, "D", DASHED),
    "snas": (GREEN, "^", SOLID),
    "fewshot": (BLUE, "v", SOLID),
    "gmnas": (PURPLE, "P", SOLID),
    "hepnas": (BLACK, "X", SOLID),
    "fade": (GREEN, "*", DASHED),
}
_COLOURS = (BLUE, PURPLE, BLACK, GREEN, VERMILLION, ORANGE, SKY)
_MARKERS = ("v", "P", "X", "<", ">", "p", "h", "d")
_DASHES = (DASHED, DASH_DOT, DOTTED)
_CHOICES: tuple[tuple[Dash, ...], ...] = (_COLOURS, _MARKERS, _DASHES)
_BEST_OF = re.compile(r"best-of-(\d+)$")
_ORDER = ("random", "largest", "best-of", "params", "parameters", "macs", "rsps", "darts", "darts-2nd", "snas")


def look(label: str) -> Look:
    """The look of a label. One that is new here gets a look that hangs on its text alone, so it never changes."""
    name = printed(label)
    if _BEST_OF.search(label):
        return Look(name, GREY, "d", DOTTED)
    if label in _LOOKS:
        return Look(name, *_LOOKS[label])
    digest = hashlib.blake2b(label.encode(), digest_size=3).digest()
    colour, marker, dash = (kinds[byte % len(kinds)] for kinds, byte in zip(_CHOICES, digest, strict=True))
    return Look(name, str(colour), str(marker), dash)


def printed(label: str) -> str:
    """The name that figures and tables print: `fewshot-darts` is Few-Shot DARTS, an unknown word stays itself, and so
    do changed settings in brackets, as in `darts(epochs=10)`."""
    base, bracket, settings = label.partition("(")
    best = _BEST_OF.search(base)
    words = base[: best.start()] if best else base
    name = " ".join(_WORDS.get(word, word) for word in words.split("-") if word)
    if best:
        name = f"{name} best of {best[1]}".strip().capitalize()
    return f"{name} {bracket}{settings}".strip()


def order(label: str) -> tuple[int, int, str]:
    """A sort key: baselines, then single supernets, then all others by name."""
    base = label.partition("(")[0]
    best = _BEST_OF.search(base)
    kind = "best-of" if best else base
    place = _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
    return place, int(best[1]) if best else 0, label


@contextmanager
def page() -> Iterator[None]:
    """Matplotlib's own defaults and ours on top, whatever the user's settings are; they return afterwards."""
    import matplotlib.style

    with matplotlib.style.context(_PAGE, after_reset=True):
        yield


_PAGE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#444444",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0.0,
    "ytick.minor.size": 0.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "lines.solid_capstyle": "round",
    "figure.dpi": 300,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
}
