"""FaDE: Faster DARTS Estimator (Neumeyer, Stier & Granitzer, IDA 2024, arXiv 2404.16218).

A hyper-architecture has d rows of k whole cells each, every cell with weights of its own. The output of row i is the
sum of its cells' outputs weighted by p_i = softmax(alpha_i), trained as in DARTS. The FaDE-rank of a path through it,
one cell per row, is the product of its weights,

    rank(a) = prod_i p_i[a_i],

so that d k trained cells (`methods/hyper.py`) rank k ** d networks. Ranks of different hyper-architectures cannot be
compared. The outer search therefore keeps nothing but a point in an embedding of the cells: the k cells of a round are
drawn around it, and their ranks give a pseudo-gradient along which it moves.

While alpha trains, a regularisation factor falls from 1 (spread the weights) to -1 (sharpen them): alike for all rows,
or faster for the first of them, so that shallow rows decide first.

The paper's text leaves these open, and they are our choice (50 epochs and the factor's course are the paper's):

- the regulariser, strength * sum_i r_i sum_c p_i[c]^2, added to the loss that alpha follows;
- the pseudo-gradient, u = sum_c (q_c - 1/k) (x_c - m) with q the ranks of a round scaled to sum 1, x the cells'
  points, m the centre: m moves by `stride` along u, and the next cells lie `spread` around it;
- alpha starts near 0 and has no decay, the regulariser standing in its place; its rate is 3e-3, since it has few
  parameters;
- one set of k cells for all rows, since the benchmarks know networks of one cell;
- the final choice: of every round's best-ranked cell, alone in its hyper-architecture, the most accurate on validation
  images. No network is trained a second time;
- optimiser and batch of the hyper-architectures are those of DARTS on NAS-Bench-201;
- first-order steps on separate halves of the images; the authors' early code trains all on one loss: `joint`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from bench.errors import BadSpec
from bench.search.learner import Learner, Training
from bench.search.task import Foreseen, Found, Task
from bench.spaces.cells import CellSpace
from bench.spaces.rows import rows_of
from bench.spaces.space import Genotype
from methods.embedding import Embedding, Kind
from methods.hyper import HyperDarts, Weights

FIRST_ORDER = HyperDarts(Training(epochs=50, batch=128, alpha_rate=3e-3, alpha_decay=0.0))


@dataclass(frozen=True)
class Fade:
    """The outer search over which cells to train together."""

    version: ClassVar[int] = 2
    inner: HyperDarts = FIRST_ORDER
    rows: int = 3
    cells: int = 5  # k, in every row
    rounds: int = 10  # hyper-architectures trained
    outer: Literal["pseudo-gradient", "random"] = "pseudo-gradient"  # random: cells drawn uniformly
    embedding: Kind = "one-hot"
    spread: float = 0.3  # standard deviation of the cells around the centre, per coordinate
    stride: float = 0.3  # of the centre, per round

    def search(self, task: Task) -> Found:
        """Train `rounds` hyper-architectures; propose the best cell of each."""
        self.check(task)
        embedding = Embedding(task.space, task.region, self.embedding)
        rng, centre = task.stream("cells"), embedding.points.mean(0)
        rounds: list[dict[str, Any]] = []
        for number in range(self.rounds):
            cells = self.drawn(embedding, centre, rng)
            learner = self.trained(task, cells, number)
            weights = learner.masked_alpha().detach().softmax(-1).double().cpu().numpy()
            ranks = weights.prod(0)  # the FaDE-ranks of the paths that keep to one cell
            top = int(ranks.argmax())
            with task.meter.phase("choose"):
                accuracy = learner.estimate((top,) * self.rows)[0]
            rounds.append({"cells": cells, "weights": weights, "ranks": ranks, "top": cells[top], "accuracy": accuracy})
            centre = self.moved(centre, embedding.of(cells), ranks)
            task.report(_best(rounds))
            task.progress((number + 1) / self.rounds)
        return Found(  # and no estimate of the space: ranks speak of the cells of one round
            genotype=_best(rounds),
            candidates=_finalists(rounds),
            details={"rounds": [_note(r) for r in rounds]},
        )

    def foreseen(self, task: Task) -> Foreseen:
        """By one random draw of cells for each round."""
        self.check(task)
        assert isinstance(task.space, CellSpace)  # as `check` has made sure
        whole = Foreseen()
        for number in range(self.rounds):
            name = f"planned cells/{number}"
            cells = task.space.some(task.region, self.cells, lambda name=name: task.stream(name))  # type: ignore[misc]
            whole += self.inner.foreseen(task.on(rows_of(task.space, [cells] * self.rows), name))
        return whole

    def check(self, task: Task) -> None:
        """Raise BadSpec before any training where the search cannot be done."""
        if not isinstance(self.inner, HyperDarts):
            raise BadSpec(
                f"inner {type(self.inner).__name__} cannot rank cells: FaDE reads trained weights, of HyperDarts"
            )
        if min(self.rows, self.cells, self.rounds) < 1:
            raise BadSpec(f"rows {self.rows}, cells {self.cells} and rounds {self.rounds} must be 1 or more")
        if self.cells > (count := task.space.count(task.region)):
            raise BadSpec(f"a row cannot hold {self.cells} different cells of {count}; choose fewer cells")
        if not isinstance(task.space, CellSpace):
            raise BadSpec(f"{task.space.name} has no cells that could stand in rows")
        if self.inner.joint and self.inner.order == 2:
            raise BadSpec("joint training has no second order; use order=1")

    def drawn(self, embedding: Embedding, centre: Weights, rng: np.random.Generator) -> list[Genotype]:
        """The k cells of a round."""
        if self.outer == "random":
            rows = rng.choice(len(embedding.genotypes), self.cells, replace=False)
            return [embedding.genotypes[int(row)] for row in rows]
        return embedding.nearest(rng.normal(centre, self.spread, (self.cells, len(centre))), rng)

    def trained(self, task: Task, cells: Sequence[Genotype], number: int) -> Learner:
        """A hyper-architecture of these cells in every row, trained."""
        assert isinstance(task.space, CellSpace)  # as `check` has made sure
        inside = task.on(rows_of(task.space, [cells] * self.rows), f"round{number}")
        learner = inside.learner(self.inner, self.inner.training)
        with task.meter.phase("weights"):
            return learner.fit(lesson=self.inner.lesson())

    def moved(self, centre: Weights, points: Weights, ranks: Weights) -> Weights:
        """The centre `[m]` of the next round. points: `[k, m]`; ranks: `[k]`."""
        u = (ranks / ranks.sum() - 1 / len(ranks)) @ (points - centre)
        step: Weights = centre + self.stride * u / (np.linalg.norm(u) + 1e-8)
        return step


def _best(rounds: Sequence[Mapping[str, Any]]) -> Genotype:
    top: Genotype = max(rounds, key=lambda r: r["accuracy"])["top"]
    return top


def _finalists(rounds: Sequence[Mapping[str, Any]]) -> tuple[tuple[Genotype, float], ...]:
    """Each round's best-ranked cell; one that was it twice with its higher accuracy."""
    found: dict[Genotype, float] = {}
    for r in rounds:
        found[r["top"]] = max(r["accuracy"], found.get(r["top"], 0.0))
    return tuple(found.items())


def _note(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the record keeps of a round."""
    arrays = {name: found[name].tolist() for name in ("weights", "ranks")}  # unrounded: a rank is a small product
    return {"cells": [list(cell) for cell in found["cells"]], **arrays, "accuracy": found["accuracy"]}


VARIANTS = {
    "fade": Fade(),
    "fade-random": Fade(outer="random"),
    "fade-dependent": Fade(inner=HyperDarts(FIRST_ORDER.training, regularised="dependent")),
    "fade-unregularised": Fade(inner=HyperDarts(FIRST_ORDER.training, regularised="none")),
}
SETTINGS = {"accel": {label: replace(method, rows=7) for label, method in VARIANTS.items()}}
"""A row for each block."""
