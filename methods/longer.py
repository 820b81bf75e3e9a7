"""One supernet for as long as Few-Shot NAS trains all of its own: the rival at equal images.

What a split gains over one supernet means little before the one has had the images of the many. Each of these is the
base of a Few-Shot search, trained for the sum of the epochs of the parent and every sub-supernet.
"""

from __future__ import annotations

from dataclasses import replace

from methods.fewshot import VARIANTS as FEW_SHOT
from methods.fewshot import FewShot
from methods.oneshot import OneShot


def longer(search: FewShot, leaves: int) -> OneShot:
    """The base of `search` on one supernet, for the epochs of its parent and of `leaves` sub-supernets."""
    epochs = sum(search.levels) + leaves * (search.tuning + search.final)
    return replace(search.base, training=replace(search.base.training, epochs=epochs))


def rivals(leaves: int) -> dict[str, OneShot]:
    """Those of all Few-Shot searches with so many sub-supernets: one per operation of an edge."""
    return {
        "darts-2nd-longer": longer(FEW_SHOT["fewshot"], leaves),
        "snas-longer": longer(FEW_SHOT["fewshot-snas"], leaves),
        "rsps-longer": longer(FEW_SHOT["fewshot-rsps"], leaves),
    }


VARIANTS, SETTINGS = rivals(5), {"toy": rivals(3)}
