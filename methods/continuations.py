"""What a trained supernet may go on with: the partition searches' central step, each beside what it has to beat.

All begin with one parent, a Gumbel mixture whose alpha rests, go on from its weights with a fresh optimiser and a fresh
cosine, train for the same number of images in all, and compare the same number of architectures in the end. They differ
in the cut alone: none (`then-whole`), Few-Shot NAS's (`then-few-shot`, arXiv 2006.06863), GM-NAS's (`then-gm`, arXiv
2203.15207), the edge of GM-NAS with random groups (`then-random-groups`), and a random edge with random groups
(`then-random`). `then-gm-afresh` has GM-NAS's cut and restart: its children inherit nothing.

None of this is a paper's search: epochs and base are our own, for comparisons that share their parent. One cut is made
where the papers make one, two or six. Gradient matching costs passes of its own, which are counted and not taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bench.search.learner import Training
from methods.fewshot import EVERY, FIRST
from methods.gmnas import ANY_EDGE, LARGEST_CUT, MATCHING, RANDOM
from methods.longer import NoEdge
from methods.matching import Matching
from methods.oneshot import OneShot
from methods.partition import Partition
from methods.parts import EdgeChoice, Grouping
from methods.snas import Snas

EPOCHS = 80
"""Of the parent, and of all its children together."""
PARENT = Snas(Training(epochs=EPOCHS), rests=100)


def then(grouping: Grouping, edges: EdgeChoice, children: int, base: OneShot = PARENT) -> Partition:
    """The search that cuts so, into so many children."""
    return Partition(
        grouping,
        edges,
        base.shared_out(children),
        levels=(EPOCHS,),
        final=EPOCHS // children,
        inherit="weights",
        judge="proposal",
    )


def arms(operations: int) -> Mapping[str, Partition]:
    """All of them, where an edge has so many operations."""
    matched = then(MATCHING, LARGEST_CUT, 2)
    return {
        "then-whole": then(EVERY, NoEdge(), 1),
        "then-few-shot": then(EVERY, FIRST, operations),
        "then-gm": matched,
        "then-random-groups": then(Matching(groups="random"), LARGEST_CUT, 2),
        "then-random": then(RANDOM, ANY_EDGE, 2),
        "then-gm-afresh": replace(matched, inherit="nothing"),
    }


VARIANTS = {"gumbel": PARENT, **arms(5)}
SETTINGS = {space: arms(3) for space in ("toy", "macro")}
