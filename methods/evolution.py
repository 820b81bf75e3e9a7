"""Evolution over scores that somebody else gives: of one supernet, of many, of a table.

It asks for the scores of whole batches of architectures and knows neither where they come from nor what they cost; so
the same search runs over one-shot, few-shot and true accuracies. Higher is better. No architecture is asked for twice.

Two ways to breed:

- `Evolution`: that of SPOS (Guo et al., ECCV 2020, arXiv 1904.00420, algorithm 1). Half of a generation crosses two of
  the best, half changes one of the best.
- `Ageing`: regularised evolution (Real, Aggarwal, Huang & Le, AAAI 2019, arXiv 1802.01548, algorithm 1), the "REA" of
  NAS-Bench-201 and of Few-Shot NAS. The best of a random tournament is changed on one edge, and the oldest dies.

Where the rule of a space forbids most children, those that cannot be are drawn again; after `TRIES` failures a random
architecture stands in, as in the code of SPOS.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadRegion, BadSpec
from bench.spaces.space import Genotype, Region, Space
from bench.store.spec import require_range

Score = Callable[[Sequence[Genotype]], NDArray[np.floating[Any]]]
"""Architectures to their scores `[n]`, higher is better."""

TRIES = 100
"""Children that are drawn for a place before a random architecture takes it."""


class Visited:
    """What is known so far: architectures with their scores, in the order in which they were asked for."""

    def __init__(self, score: Score) -> None:
        self._score = score
        self.scores: dict[Genotype, float] = {}

    def ask(self, genotypes: Sequence[Genotype]) -> None:
        """The scores of those that are not known yet, all at once."""
        new = [g for g in dict.fromkeys(genotypes) if g not in self.scores]
        if new:
            self.scores.update(zip(new, map(float, self._score(new)), strict=True))

    def best(self, count: int) -> list[Genotype]:
        """The highest scores, the highest first; of equals the earlier. Scores that are no number come last."""
        return sorted(self.scores, key=lambda g: -np.nan_to_num(self.scores[g], nan=-np.inf))[:count]


def changed(space: Space, region: Region, genotype: Genotype, share: float, rng: np.random.Generator) -> Genotype:
    """Every edge drawn anew from the region with probability `share`; a random architecture where that stays none."""

    def draw() -> Genotype:
        anew = rng.random(len(genotype)) < share
        return tuple(
            ops[int(rng.integers(len(ops)))] if new else op
            for op, ops, new in zip(genotype, region.lists, anew, strict=True)
        )

    return _first(space, region, (draw() for _ in range(TRIES)), genotype, rng)


def changed_once(space: Space, region: Region, genotype: Genotype, rng: np.random.Generator) -> Genotype:
    """One edge with a choice given another operation of the region; a random architecture where that stays none."""
    free = [edge for edge, ops in enumerate(region.lists) if len(ops) > 1]

    def draw() -> Genotype:
        edge = free[int(rng.integers(len(free)))]
        others = [op for op in region.lists[edge] if op != genotype[edge]]
        return (*genotype[:edge], others[int(rng.integers(len(others)))], *genotype[edge + 1 :])

    return _first(space, region, (draw() for _ in range(TRIES if free else 0)), genotype, rng)


def crossed(space: Space, region: Region, one: Genotype, other: Genotype, rng: np.random.Generator) -> Genotype:
    """Every edge from one of two parents; a random architecture where that stays none."""

    def draw() -> Genotype:
        return tuple(a if first else b for a, b, first in zip(one, other, rng.random(len(one)) < 0.5, strict=True))

    return _first(space, region, (draw() for _ in range(TRIES)), None, rng)


def _first(
    space: Space, region: Region, drawn: Iterator[Genotype], parent: Genotype | None, rng: np.random.Generator
) -> Genotype:
    """The first that is an architecture of the region, and not its parent."""
    for child in drawn:
        if child != parent and space.feasible(child) and space.admits(region, child):
            return child
    return space.sample(region, rng)


def _count(space: Space, region: Region) -> int:
    """How many architectures a region has. Raises BadRegion where there is none to begin with."""
    count = space.count(region)
    if not count:
        raise BadRegion(f"no architecture of {space.name} is left in the region {region.lists}")
    return count


@dataclass(frozen=True)
class Evolution:
    """SPOS, algorithm 1, and its settings (section 4)."""

    version: ClassVar[int] = 1
    population: int = 50  # of a generation
    generations: int = 20  # the first, which is random, included
    parents: int = 10  # the best so far, of which the next generation is bred
    mutation: float = 0.1  # chance of every edge to be drawn anew

    def __post_init__(self) -> None:
        require_range(self, 1, "population", "generations", "parents")
        require_range(self, 0, "mutation")
        if self.mutation > 1:
            raise BadSpec(f"mutation is a chance from 0 to 1, not {self.mutation}")

    @property
    def most(self) -> int:
        """Architectures that are scored, at most."""
        return self.population * self.generations

    def run(self, space: Space, region: Region, score: Score, rng: np.random.Generator) -> Visited:
        """Breed in the region; all that were scored. A region that has no more than one
        generation is scored whole."""
        visited, count = Visited(score), _count(space, region)
        if count <= self.population:
            visited.ask(list(space.listed(region)))
            return visited
        for generation in range(self.generations):
            wanted = min(self.population, count - len(visited.scores))
            visited.ask(self._next(space, region, visited, wanted, rng, first=generation == 0))
            if len(visited.scores) == count:
                break
        return visited

    def _next(
        self, space: Space, region: Region, visited: Visited, wanted: int, rng: np.random.Generator, first: bool
    ) -> list[Genotype]:
        """As many new architectures: random ones, or half crossed and half changed. Where children repeat what is
        known, random ones fill up; the last of a small region are listed."""
        children: dict[Genotype, None] = {}
        best = visited.best(self.parents)

        def fill(until: int, make: Callable[[], Genotype]) -> None:
            for _ in range(TRIES * self.population):
                if len(children) >= until:
                    return
                child = make()
                if child not in visited.scores:
                    children[child] = None

        def pick() -> Genotype:
            return best[int(rng.integers(len(best)))]

        if not first:
            fill(wanted // 2, lambda: crossed(space, region, pick(), pick(), rng))
            fill(wanted, lambda: changed(space, region, pick(), self.mutation, rng))
        fill(wanted, lambda: space.sample(region, rng))
        return list(children)


@dataclass(frozen=True)
class Ageing:
    """Regularised evolution; the settings are those of Few-Shot NAS's code on NAS-Bench-201."""

    version: ClassVar[int] = 1
    population: int = 10
    tournament: int = 20  # drawn with repetition, so that it may be larger than the population
    samples: int = 1_000  # different architectures that are scored

    def __post_init__(self) -> None:
        require_range(self, 1, "population", "tournament", "samples")

    @property
    def most(self) -> int:
        """Architectures that are scored, at most."""
        return self.samples

    def run(self, space: Space, region: Region, score: Score, rng: np.random.Generator) -> Visited:
        """Breed in the region until `samples` different architectures, or all there are, were scored; or until nobody
        was born for long who was not known: all neighbours of the best are."""
        visited, wanted = Visited(score), min(self.samples, _count(space, region))
        living: deque[Genotype] = deque(maxlen=self.population)  # the oldest leaves when another comes
        known = 0  # births in a row
        while len(visited.scores) < wanted and known < TRIES * self.population:
            child = self._child(space, region, visited, living, rng)
            known = known + 1 if child in visited.scores else 0
            visited.ask([child])
            living.append(child)
        return visited

    def _child(
        self, space: Space, region: Region, visited: Visited, living: deque[Genotype], rng: np.random.Generator
    ) -> Genotype:
        if len(living) < self.population:
            return space.sample(region, rng)
        drawn = [living[int(rng.integers(len(living)))] for _ in range(self.tournament)]
        return changed_once(space, region, max(drawn, key=lambda g: visited.scores[g]), rng)
