"""A search put together from the parts of the others, every part named by a word: what a search of searches draws from.

A base trains a supernet, a grouping cuts an edge or all edges into a node, children compete or teach each other: the
loop of `loop.py`. Every part is one field, so any combination can be typed, `composed(base=gdas, edges=first)`, and has
a record and a key as every search has. It is no paper's. Settings of a part are those of its own file, but for the
batch, which is the same for all. Which combinations are drawn at random stands in `bench/runs/grammar.py`.

The budget is one number, whatever the parts: passes of a training image, forward or back, of which a search with the
`fair` protocol spends all on training, cuts, comparisons and its choice. `fair-macs` gives it the multiply-adds of as
many passes of single paths instead, so that a mixture of five operations buys about a fifth of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from bench.errors import BadSpec
from bench.search.task import Foreseen, Found, Task
from bench.store.spec import require_range
from methods import darts, drnas, fairdarts, fairnas, gdas, pcdarts, reinmax, rsps, snas
from methods.budget import TOLERANCE, MultiplyAdds, Price, fitted, foreseen
from methods.continuations import PARENT
from methods.fewshot import EVERY, FIRST
from methods.gmnas import ANY_EDGE, LARGEST_CUT, MATCHING, RANDOM, OneEdge
from methods.hepnas import Hierarchy, MutualDistillation
from methods.loop import Epochs
from methods.oneshot import OneShot
from methods.partition import Growth, Partition
from methods.parts import EdgeChoice, Grouping, Teaching
from methods.rsps import Rsps
from methods.scored import Scored

BASES: Mapping[str, OneShot] = {
    "rsps": rsps.VARIANTS["rsps"],
    "fairnas": fairnas.VARIANTS["fairnas"],
    "gumbel": PARENT,
    "snas": snas.VARIANTS["snas"],
    "gdas": gdas.VARIANTS["gdas"],
    "reinmax": reinmax.VARIANTS["reinmax"],
    "drnas": drnas.VARIANTS["drnas"],
    "darts": darts.VARIANTS["darts"],
    "pc-darts": pcdarts.VARIANTS["pc-darts"],
    "fairdarts": fairdarts.VARIANTS["fairdarts"],
}
GROUPINGS: Mapping[str, Grouping] = {
    "exhaustive": EVERY,
    "matching": MATCHING,
    "random": RANDOM,
    "synflow": Scored("synflow"),
    "nwot": Scored("nwot"),
    "jacov": Scored("jacov"),
    "parameters": Scored("parameters"),
    "alpha": Scored("alpha"),
}
EDGES: Mapping[str, EdgeChoice] = {
    "first": FIRST,
    "largest-cut": LARGEST_CUT,
    "least-within": OneEdge("within"),
    "random": ANY_EDGE,
    "hierarchy": Hierarchy(),
}
TEACHING: Mapping[str, Teaching | None] = {
    "none": None,
    "parent": MutualDistillation("parent"),
    "siblings": MutualDistillation("siblings"),
    "both": MutualDistillation("both"),
}


@dataclass(frozen=True)
class Composed:
    """Its fields are words for parts, and shares of one budget."""

    version: ClassVar[int] = 1
    base: Literal["rsps", "fairnas", "gumbel", "snas", "gdas", "reinmax", "drnas", "darts", "pc-darts", "fairdarts"] = (
        "rsps"
    )
    grouping: Literal["exhaustive", "matching", "random", "synflow", "nwot", "jacov", "parameters", "alpha"] = (
        "exhaustive"
    )
    # none: one supernet, of which only base, opinion, candidates and the budget speak.
    edges: Literal["none", "first", "largest-cut", "least-within", "random", "hierarchy"] = "first"
    cuts: int = 1
    keep: Literal["all", "best"] = "all"
    teaching: Literal["none", "parent", "siblings", "both"] = "none"
    inherit: Literal["state", "weights", "nothing"] = "weights"
    judge: Literal["mixture", "proposal"] = "proposal"
    opinion: Literal["paths", "alpha", "perturbation", "tuned"] = "paths"
    before: float = 0.5  # share of the training before the last cut; with several, alike before each
    among: float = 0.0  # share in which children compete or teach, before some are dropped; the rest follows
    candidates: int = 20  # random architectures that a base without a trained alpha chooses among
    batch: int = 64
    budget: int = 200  # passes over the training images, forward or back; the scale shrinks it
    # paper: the phases are the budget's, in whole epochs, and cuts and choices come on top.
    protocol: Literal["paper", "fair", "fair-macs"] = "paper"

    def __post_init__(self) -> None:
        require_range(self, 0, "before", "among", below=1)
        require_range(self, 1, "cuts", "candidates", "budget")

    def search(self, task: Task) -> Found:
        """As the parts do it."""
        alone = self.alone(task)
        if alone is not None:
            return alone.search(task)
        search, plan = self.planned(task)
        tree = Growth(search, task, plan)
        search.run(plan, tree)
        return tree.found()

    def foreseen(self, task: Task) -> Foreseen:
        """As the parts tell it. Raises BadSpec where they cannot be put together, or not at this budget."""
        alone = self.alone(task)
        if alone is not None:
            return alone.foreseen(task)
        search, plan = self.planned(task)
        return foreseen(search, task, plan)

    def of_base(self) -> OneShot:
        """The base, as it chooses and is asked here."""
        named = BASES[self.base]
        base = replace(named, opinion=self.opinion, training=replace(named.training, batch=self.batch))
        if isinstance(base, Rsps):
            return replace(base, candidates=self.candidates)
        return replace(base, rests=self.candidates) if base.rests else base

    def alone(self, task: Task) -> OneShot | None:
        """The base on one supernet for the whole budget; None where something is cut. Raises BadSpec where the budget
        does not buy it."""
        if self.edges != "none":
            return None
        base = self.of_base()
        passes = base.passes(task.space)
        if self.protocol == "paper":
            return _for(base, max(1, round(self.budget / passes)))
        price, amount = self.purse(base, task)
        batch = base.training.batch
        epoch = len(task.images.train) // batch * batch * passes * price.pair * price.image(task.region)
        if not epoch:
            return base  # it is refused when the supernet is made
        choice = base.choices * len(task.images.valid) * price.path(task.region)
        epochs = max(1, round((amount - choice) / epoch / task.scale.epochs))
        cost = task.scale.epochs_of(epochs) * epoch + choice
        if abs(cost / amount - 1) > TOLERANCE:
            raise BadSpec(
                f"{self.budget} passes, {round(amount)}, are not met by whole epochs of {self.base}: at the nearest it "
                f"takes {round(cost)}; choose a larger budget or scale"
            )
        return _for(base, epochs)

    def planned(self, task: Task) -> tuple[Partition, Epochs]:
        """The loop and its epochs, once something is cut. Raises BadSpec before any training."""
        search = self.loop()
        search.check(task)
        if self.before + self.among > 1:
            raise BadSpec(f"shares before {self.before} and among {self.among} are more than the whole; make them less")
        plan = self.shares(search, task)
        if self.protocol == "paper" or len(task.images.train) < search.base.training.batch:
            return search, plan  # too few images are refused when the first supernet is made
        price, amount = self.purse(search.base, task)
        return fitted(search, task, plan, amount, price, of=f"{self.budget} passes")

    def loop(self) -> Partition:
        """The parts, put together; its epochs say only which phases there are."""
        return Partition(
            GROUPINGS[self.grouping],
            EDGES[self.edges],
            self.of_base(),
            levels=(1 if self.before else 0,) * self.cuts,
            tuning=1 if self.among else 0,
            final=0 if self.before + self.among == 1 else 1,
            teaching=TEACHING[self.teaching],
            keep=self.keep,
            inherit=self.inherit,
            judge=self.judge,
        )

    def shares(self, search: Partition, task: Task) -> Epochs:
        """The epochs of every phase: of all supernets together as many as the budget buys one, without cuts."""
        parents, children = [1], list[int]()
        for level in range(self.cuts):
            grouping = search.grouping.at(level)
            each = math.prod(grouping.parts(size) for size in search.edges.cut_sizes(task, level))
            children.append(parents[-1] * each)
            parents.append(1 if self.keep == "best" else children[-1])
        whole = self.budget / search.base.passes(task.space)
        scaled = task.scale.epochs

        def epochs(share: float, supernets: int) -> float:
            exact = whole * share / supernets
            if not share or self.protocol != "paper":
                return exact * scaled
            return task.scale.epochs_of(max(1, round(exact)))

        last = 0.0 if search.final == 0 else 1 - self.before - self.among
        return Epochs(
            tuple(epochs(self.before / self.cuts, count) for count in parents[:-1]),
            epochs(self.among, sum(children)),
            epochs(last, parents[-1]),
        )

    def purse(self, base: OneShot, task: Task) -> tuple[Price, float]:
        """The unit of the budget and the budget in it: images, or multiply-adds of as many through single paths."""
        images = self.budget * task.scale.epochs * len(task.images.train)
        if self.protocol != "fair-macs":
            return Price(), images
        price = MultiplyAdds(Partition(EVERY, FIRST, base), task)
        return price, images * price.pair * task.mean_multiply_adds(task.region) / price.whole


def _for(base: OneShot, epochs: int) -> OneShot:
    return replace(base, training=replace(base.training, epochs=epochs))


VARIANTS = {"composed": Composed()}
