"""One supernet for as long as Few-Shot NAS trains all of its own: the rival at equal images.

What a split gains over one supernet means little before the one has had the images of the many. Each of these is the
base of a Few-Shot search, trained for the sum of the epochs of the parent and every sub-supernet.

`longer` trains on one cosine from the start. `continued` begins as the Few-Shot search does, with the same parent, and
goes on with its weights and the fresh start that its children have, on the whole space, for as many images as they all
have; so the two differ in the split alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from bench.errors import BadSpec
from bench.search.learner import Learner
from bench.search.task import Task
from methods.fewshot import VARIANTS as FEW_SHOT
from methods.fewshot import FewShot
from methods.oneshot import OneShot
from methods.parts import EdgeChoice
from methods.rsps import Rsps


@dataclass(frozen=True)
class NoEdge(EdgeChoice):
    """Nothing is cut: the one child has its parent's whole region."""

    version: ClassVar[int] = 1

    def check(self, task: Task, levels: int) -> None:
        """One level: a child of a child would be the same again."""
        if levels != 1:
            raise BadSpec(f"a search that cuts nothing has 1 level, not {levels}; give one epoch number")

    def cut_sizes(self, task: Task, level: int) -> list[int]:
        """None."""
        return []

    def candidates(self, task: Task, parent: Learner, level: int) -> list[int]:
        """None."""
        return []


def longer(search: FewShot, leaves: int) -> OneShot:
    """The base of `search` on one supernet, for the epochs of its parent and of `leaves` sub-supernets."""
    epochs = sum(search.levels) + leaves * (search.tuning + search.final)
    return replace(search.base, training=replace(search.base.training, epochs=epochs))


def continued(search: FewShot, leaves: int) -> FewShot:
    """`search` without its cut: one child for the epochs of `leaves` sub-supernets, which then chooses among as many
    architectures as they all do."""
    whole = replace(search, edges=NoEdge(), final=leaves * search.final)
    if isinstance(search.base, Rsps):
        return replace(whole, base=replace(search.base, candidates=leaves * search.base.candidates))
    return replace(whole, base=replace(search.base, rests=leaves * search.base.rests))


def rivals(leaves: int) -> dict[str, OneShot | FewShot]:
    """Those of all Few-Shot searches with so many sub-supernets: one per operation of an edge."""
    return {
        "darts-2nd-longer": longer(FEW_SHOT["fewshot"], leaves),
        "snas-longer": longer(FEW_SHOT["fewshot-snas"], leaves),
        "rsps-longer": longer(FEW_SHOT["fewshot-rsps"], leaves),
        "rsps-continued": continued(FEW_SHOT["fewshot-rsps"], leaves),
    }


VARIANTS, SETTINGS = rivals(5), {"toy": rivals(3)}
