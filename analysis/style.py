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

from bench.runs.study import SWITCHES
from bench.store.bases import BASES

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#777777"

Dash = str | tuple[int, tuple[float, ...]]
SOLID: Dash = "solid"
DASHED: Dash = (0, (5.0, 2.0))
DOTTED: Dash = (0, (1.0, 1.5))
LONG_DASHED: Dash = (0, (9.0, 3.0))
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
    open: bool = False  # markers are outlines: the fair protocol


_NAMES = {
    "random": "Random",
    "largest": "Largest",
    "parameters": "Parameter count",
    "multiply-adds": "Multiply-adds",
    "synflow": "SynFlow",
    "nwot": "NWOT",
    "jacov": "Jacobian covariance",
    "additive": "Additive model",
    "rsps": "RSPS",
    "rsps-longer": "RSPS, longer",
    "rsps-continued": "RSPS, continued",
    "gumbel": "Gumbel mixture",
    "then-whole": "Gumbel, continued",
    "then-few-shot": "Gumbel, then Few-Shot",
    "then-gm": "Gumbel, then GM-NAS",
    "then-random-groups": "Gumbel, then random groups",
    "then-random": "Gumbel, then random cut",
    "then-gm-afresh": "Gumbel, then GM-NAS afresh",
    "rsps-per-cell": "RSPS, path per cell",
    "fairnas": "FairNAS",
    "spos": "SPOS",
    "proxyless": "ProxylessNAS",
    "proxyless-all": "ProxylessNAS, all gates",
    "shrink": "Progressive shrinking",
    "fewshot-proxyless": "Few-Shot, ProxylessNAS",
    "gm-proxyless": "GM-NAS, ProxylessNAS",
    "gm-proxyless-random": "GM-NAS, ProxylessNAS, random cut",
    "gm-shrink": "GM-NAS, progressive shrinking",
    "darts": "DARTS",
    "darts-2nd": "DARTS 2nd order",
    "darts-2nd-longer": "DARTS 2nd order, longer",
    "beta-darts": "beta-DARTS",
    "sdarts": "SDARTS",
    "oles": "DARTS, OLES",
    "darts-pt": "DARTS-PT",
    "blank-pt": "Blank supernet, PT",
    "snas-pt": "SNAS, PT",
    "pc-darts": "PC-DARTS",
    "fairdarts": "Fair DARTS",
    "drnas": "DrNAS",
    "drnas-progressive": "DrNAS, progressive",
    "gdas": "GDAS",
    "reinmax": "GDAS, ReinMax",
    "snas": "SNAS",
    "snas-longer": "SNAS, longer",
    "fewshot": "Few-Shot, DARTS",
    "fewshot-snas": "Few-Shot, SNAS",
    "fewshot-rsps": "Few-Shot, RSPS",
    "gm-darts": "GM-NAS, DARTS",
    "gm-snas": "GM-NAS, SNAS",
    "gm-rsps": "GM-NAS, RSPS",
    "gm-darts-random": "GM-NAS, DARTS, random cut",
    "gm-rsps-random": "GM-NAS, RSPS, random cut",
    "gm-darts-no-restart": "GM-NAS, DARTS, no restart",
    "hep": "HEP-NAS",
    "hep-no-smd": "HEP-NAS, no SMD",
    "hep-parent": "HEP-NAS, parent only",
    "hep-siblings": "HEP-NAS, siblings only",
    "hep-edgewise": "HEP-NAS, edge by edge",
    "hep-reversed": "HEP-NAS, reversed order",
    "hep-random-order": "HEP-NAS, random order",
    "fade": "FaDE",
    "fade-dependent": "FaDE, factor per row",
    "fade-unregularised": "FaDE, not regularised",
    "fade-random": "FaDE, random cells",
    "bayes": "Bayesian optimisation",
    "composed": "Composed search",
}
_SWITCHED = {
    BASES["fewshot"]: "DARTS 2nd order, batch 48",
    BASES["fewshot-snas"]: "SNAS, batch 48",
    BASES["fewshot-rsps"]: "RSPS, batch 48, no clip",
    BASES["gm-rsps"]: "RSPS, batch 48",
    BASES["hep"]: "DARTS, batch 128",
    SWITCHES[0]: "GM-NAS, DARTS, random edge",
}
"""Names of methods at settings of their own; the bases are what partition searches are without a cut."""
_LOOKS: dict[str, tuple[str, str, Dash]] = {
    "random": (GREY, "o", DASHED),
    "largest": (GREY, "s", DASH_DOT),
    "parameters": (GREY, "^", DOTTED),
    "multiply-adds": (GREY, "v", LONG_DASHED),
    "synflow": (GREY, "P", DOTTED),
    "nwot": (GREY, "X", DASHED),
    "jacov": (GREY, "h", DASH_DOT),
    "rsps": (SKY, "s", SOLID),
    "rsps-longer": (SKY, "D", DASH_DOT),
    "rsps-continued": (SKY, "v", DASH_DOT),
    "rsps-per-cell": (SKY, "^", DASHED),
    "darts": (VERMILLION, "o", SOLID),
    "darts-2nd": (ORANGE, "D", SOLID),
    "darts-2nd-longer": (ORANGE, "<", DASH_DOT),
    "fairnas": (SKY, "h", SOLID),
    "spos": (SKY, "*", SOLID),
    "shrink": (BLACK, "s", DASHED),
    "proxyless": (GREEN, "P", DASHED),
    "proxyless-all": (GREEN, "X", DOTTED),
    "fewshot-proxyless": (BLUE, "P", DOTTED),
    "gm-proxyless": (PURPLE, "*", DOTTED),
    "gm-proxyless-random": (SKY, "P", LONG_DASHED),
    "gm-shrink": (PURPLE, "d", DOTTED),
    "beta-darts": (VERMILLION, "h", SOLID),
    "oles": (VERMILLION, "v", DASHED),
    "darts-pt": (ORANGE, "P", SOLID),
    "blank-pt": (ORANGE, "p", DASHED),
    "snas-pt": (GREEN, "p", DASHED),
    "sdarts": (VERMILLION, ">", DASH_DOT),
    "pc-darts": (BLACK, "o", DASHED),
    "fairdarts": (ORANGE, "X", DASHED),
    "drnas": (PURPLE, "s", SOLID),
    "drnas-progressive": (PURPLE, "D", DASHED),
    "gdas": (BLUE, "D", SOLID),
    "reinmax": (BLUE, "p", DASHED),
    "snas": (GREEN, "^", SOLID),
    "snas-longer": (GREEN, ">", DASH_DOT),
    "fewshot": (BLUE, "v", SOLID),
    "fewshot-snas": (BLUE, "<", DASH_DOT),
    "fewshot-rsps": (BLUE, ">", DOTTED),
    "gm-darts": (PURPLE, "P", SOLID),
    "gm-snas": (PURPLE, "h", DASH_DOT),
    "gm-rsps": (PURPLE, "H", DOTTED),
    "gm-darts-random": (VERMILLION, "X", LONG_DASHED),
    "gm-rsps-random": (SKY, "p", LONG_DASHED),
    "gm-darts-no-restart": (GREEN, "d", DASHED),
    "hep": (BLACK, "X", SOLID),
    "hep-no-smd": (VERMILLION, "s", DOTTED),
    "hep-parent": (SKY, "^", DASH_DOT),
    "hep-siblings": (BLUE, "v", LONG_DASHED),
    "hep-edgewise": (PURPLE, "P", DASH_DOT),
    "hep-reversed": (GREEN, "<", DASHED),
    "hep-random-order": (ORANGE, "d", DOTTED),
    "fade": (GREEN, "*", LONG_DASHED),
    "fade-dependent": (BLUE, "p", DASH_DOT),
    "fade-unregularised": (VERMILLION, "h", DOTTED),
    "fade-random": (PURPLE, "X", DASHED),
    "bayes": (ORANGE, "H", SOLID),
    SWITCHES[0]: (PURPLE, "^", LONG_DASHED),
    BASES["fewshot"]: (ORANGE, "s", DASHED),  # none has the mark of its method: they share panels with it
    BASES["fewshot-snas"]: (GREEN, "D", DASHED),
    BASES["fewshot-rsps"]: (SKY, "o", DASHED),
    BASES["gm-rsps"]: (SKY, "X", DOTTED),
    BASES["hep"]: (VERMILLION, "p", DASHED),
}
# Of labels that are new here; their order must stay, or such labels change their looks.
_COLOURS = (BLUE, PURPLE, BLACK, GREEN, VERMILLION, ORANGE, SKY)
_MARKERS = ("v", "P", "X", "<", ">", "p", "h", "d")
_DASHES = (DASHED, DASH_DOT, DOTTED)
_BEST_OF = re.compile(r"best-of-(\d+)$")
FAIR = "protocol=fair"
_FIRST = ("random", "largest", "best-of", "parameters", "multiply-adds")
_ORDER = (*_FIRST, *(name for name in _NAMES if name not in _FIRST))


def look(label: str) -> Look:
    """The look of a label. One that is new here gets a look that hangs on its text alone, so it never changes."""
    base, changes = parts(label)
    name = printed(label)
    if _BEST_OF.search(base) and not changes:
        return Look(name, GREY, "d", DASH_DOT)
    if base in _LOOKS and changes == (FAIR,):
        return Look(name, *_LOOKS[base][:2], DASHED, open=True)
    if label in _LOOKS:
        return Look(name, *_LOOKS[label])
    return _new_look(label)


def _new_look(label: str) -> Look:
    """The look of a label without one: three bytes of its hash choose colour, marker and dash."""
    colour, marker, dash = hashlib.blake2b(label.encode(), digest_size=3).digest()
    return Look(
        printed(label),
        _COLOURS[colour % len(_COLOURS)],
        _MARKERS[marker % len(_MARKERS)],
        _DASHES[dash % len(_DASHES)],
    )


def printed(label: str) -> str:
    """The name that figures and tables print: `gm-darts` is GM-NAS, DARTS; `(protocol=fair)` behind it is fair; other
    changed settings stay in brackets, as in `darts(training.epochs=10)`, and a name that is new here stays itself."""
    if label in _SWITCHED:
        return _SWITCHED[label]
    base, changes = parts(label)
    best = _BEST_OF.search(base)
    if best:
        words = base[: best.start()].rstrip("-")
        name = f"{_NAMES.get(words, words)} best of {best[1]}".strip().capitalize()
    else:
        name = _NAMES.get(base, base)
    name += ", fair" if FAIR in changes else ""
    others = [change for change in changes if change != FAIR]
    return name + (f" ({', '.join(others)})" if others else "")


def parts(label: str) -> tuple[str, tuple[str, ...]]:
    """A label's method and what was changed in it: `darts(order=2)` is `darts` and `("order=2",)`."""
    base, bracket, inside = label.partition("(")
    return base, tuple(inside.removesuffix(")").split(", ")) if bracket else ()


def order(label: str) -> tuple[int, int, bool, str]:
    """A sort key: baselines, then single supernets, then partition searches, then FaDE and its rivals, then all others
    by name; the fair protocol follows the paper's."""
    base, changes = parts(label)
    best = _BEST_OF.search(base)
    kind = "best-of" if best else base
    place = _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
    return place, int(best[1]) if best else 0, bool(changes), label


@contextmanager
def page() -> Iterator[None]:
    """Matplotlib's own defaults and ours on top, whatever the user's settings are; they return afterwards."""
    import matplotlib.style

    from analysis import letters

    with matplotlib.style.context({**_PAGE, "font.family": letters.families()}, after_reset=True):
        yield


_PAGE: dict[str, Any] = {
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # not searched for: titles never stand above anything
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
    "legend.handlelength": 2.8,
    "lines.solid_capstyle": "round",
    "figure.dpi": 300,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
}
