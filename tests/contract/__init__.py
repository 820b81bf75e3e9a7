"""Which methods the tests hold to the contract (`bench.contract`), on which spaces, and what of it by default. A method
is found by its file; nothing is registered here."""

from __future__ import annotations

import methods
from bench import spaces
from bench.contract.small import LESS, SCALE, SCARCE, patches, smaller
from bench.spaces import darts

__all__ = ["FEWER", "KINDS", "LABELS", "LESS", "SCALE", "SCARCE", "SELDOM", "SPACES", "patches", "smaller"]

LABELS = sorted(methods.house())
SELDOM = ("blank-pt", "snas-pt", "beta-darts", "sdarts", "reinmax", "nwot", "jacov")
"""What differs little from what is tried under another label: by default they are not."""
KINDS = list({type(methods.get(label)): label for label in reversed(LABELS) if label not in SELDOM}.values())
"""One label for every class of methods."""

SPACES = sorted(spaces.HOUSE)

FEWER = {
    "nb201": ("darts-2nd", "snas", "rsps", "rsps-per-cell", "fewshot-rsps", "gm-rsps-random", "bayes", "parameters"),
    "macro": ("darts", "rsps", "gm-darts"),
    "accel": ("rsps", "proxyless"),
    **{space.name: ("rsps",) for space in darts.SPACES},
    darts.SPACE.name: ("darts", "rsps"),
}
"""Of larger spaces whose kinds of cell the smaller ones have too: what is tried there by default."""
