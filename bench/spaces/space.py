"""Search spaces as pure combinatorics: genotypes, regions and spaces. NumPy only.

A space has E edges, and each edge takes one of O operations. Everything that the methods do happens on
an `[E, O]` matrix (architecture weights) and on a `Region`: the subset of operations that each edge may
still take, i.e. the label of a node in a partition tree.
"""

from __future__ import annotations

import itertools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadRegion

Genotype = tuple[int, ...]
"""The operation index on every edge, length E."""


@dataclass(frozen=True)
class Edge:
    """One choice of a space: an edge from node `source` to node `target` of the cell type `cell`."""

    cell: str
    source: int
    target: int


@dataclass(frozen=True)
class Region:
    """The part of a space in which edge e takes an operation of `allowed[e]`; never empty."""

    allowed: tuple[frozenset[int], ...]

    def __post_init__(self) -> None:
        for edge, ops in enumerate(self.allowed):
            if not ops:
                raise BadRegion(f"edge {edge} has no operation left; every edge needs at least one")

    @classmethod
    def of(cls, allowed: Sequence[Sequence[int] | AbstractSet[int]]) -> Region:
        """The region with these operations per edge, in any container."""
        return cls(tuple(frozenset(ops) for ops in allowed))

    @cached_property
    def lists(self) -> tuple[tuple[int, ...], ...]:
        """The allowed operations per edge in ascending order: for iteration and JSON."""
        return tuple(tuple(sorted(ops)) for ops in self.allowed)

    @property
    def size(self) -> int:
        """The number of genotypes."""
        return math.prod(len(ops) for ops in self.allowed)

    def admits(self, genotype: Genotype) -> bool:
        """Whether the genotype lies in the region."""
        return len(genotype) == len(self.allowed) and all(
            op in ops for op, ops in zip(genotype, self.allowed, strict=True)
        )

    def __contains__(self, genotype: Genotype) -> bool:
        return self.admits(genotype)

    def cut(self, edge: int, groups: Sequence[AbstractSet[int]]) -> list[Region]:
        """One child per group of operations on `edge`; the children are disjoint and cover the region.

        Raises BadRegion unless the groups partition `allowed[edge]` into at least two non-empty parts.
        """
        if not 0 <= edge < len(self.allowed):
            raise BadRegion(f"there is no edge {edge}; edges are 0..{len(self.allowed) - 1}")
        whole = self.allowed[edge]
        parts = [frozenset(g) for g in groups]
        if len(parts) < 2 or not all(parts):
            raise BadRegion(
                f"a cut of edge {edge} needs two or more non-empty groups, got {[sorted(p) for p in parts]}"
            )
        if sum(map(len, parts)) != len(whole) or frozenset().union(*parts) != whole:
            raise BadRegion(f"groups {[sorted(p) for p in parts]} do not partition {sorted(whole)} on edge {edge}")
        return [self.narrowed(edge, part) for part in parts]

    def narrowed(self, edge: int, ops: AbstractSet[int]) -> Region:
        """The region with `allowed[edge]` replaced by `ops`, a subset of it."""
        if not frozenset(ops) <= self.allowed[edge]:
            raise BadRegion(f"{sorted(ops)} is not within {sorted(self.allowed[edge])} on edge {edge}")
        return Region((*self.allowed[:edge], frozenset(ops), *self.allowed[edge + 1 :]))

    def uncut(self, root: Region) -> list[int]:
        """The edges on which this descendant of `root` still has every operation of `root`, and a choice."""
        pairs = enumerate(zip(self.allowed, root.allowed, strict=True))
        return [edge for edge, (here, there) in pairs if here == there and len(here) > 1]

    def genotypes(self) -> Iterator[Genotype]:
        """All genotypes, the last edge running fastest."""
        return itertools.product(*self.lists)

    def sample(self, rng: np.random.Generator) -> Genotype:
        """One genotype, uniform over the region."""
        return tuple(ops[int(rng.integers(len(ops)))] for ops in self.lists)

    def mask(self, operations: int) -> NDArray[np.bool_]:
        """`[E, O]`, true where the operation is allowed."""
        mask = np.zeros((len(self.allowed), operations), dtype=bool)
        for edge, ops in enumerate(self.lists):
            mask[edge, list(ops)] = True
        return mask


@dataclass(frozen=True)
class Space(ABC):
    """E edges times O operations, with the names and notions of equality of one benchmark.

    Genotypes are plain tuples so that tables, records and methods can share them without this class;
    what a genotype *means* is asked here.
    """

    name: str
    ops: tuple[str, ...]
    edges: tuple[Edge, ...]

    @cached_property
    def region(self) -> Region:
        """The whole space."""
        return Region((frozenset(range(len(self.ops))),) * len(self.edges))

    @property
    def size(self) -> int:
        """The number of genotypes, O ** E."""
        return self.region.size

    def check(self, genotype: Sequence[int]) -> Genotype:
        """The genotype as a tuple of ints. Raises BadGenotype where it does not belong to the space."""
        try:
            found = tuple(operator.index(op) for op in genotype)
        except TypeError:
            raise BadGenotype(f"{genotype!r} is no architecture of {self.name}: takes whole numbers") from None
        if not self.region.admits(found):
            raise BadGenotype(
                f"{found} is no architecture of {self.name}: takes {len(self.edges)} numbers, 0 to {len(self.ops) - 1}"
            )
        return found

    def position(self, genotype: Genotype) -> int:
        """Lexicographic rank in `region.genotypes()`, 0..size-1: the row of a full table."""
        rank = 0
        for op in genotype:
            rank = rank * len(self.ops) + op
        return rank

    def at(self, position: int) -> Genotype:
        """The genotype at a lexicographic rank, the inverse of `position`."""
        if not 0 <= position < self.size:
            raise BadGenotype(f"{self.name} has no architecture {position}; rows are 0..{self.size - 1}")
        ops = []
        for _ in self.edges:
            position, op = divmod(position, len(self.ops))
            ops.append(op)
        return tuple(reversed(ops))

    def decode(self, theta: NDArray[np.floating], region: Region) -> Genotype:
        """The genotype of largest weight on each edge. theta: `[E, O]`; ties go to the lower index.

        DARTS, section 2.3, as NAS-Bench-201 uses it: arg-max per edge within the region, `none` included.
        """
        scores = np.where(region.mask(len(self.ops)), theta, -np.inf)
        return tuple(int(op) for op in scores.argmax(axis=1))

    @abstractmethod
    def show(self, genotype: Genotype) -> str:
        """The space's own notation."""

    @abstractmethod
    def parse(self, text: str) -> Genotype:
        """The inverse of `show`. Raises BadGenotype naming the position and the legal operations."""

    @abstractmethod
    def trained_class(self, genotype: Genotype) -> Hashable:
        """Equal for genotypes that are the same function when trained alone from scratch."""

    @abstractmethod
    def shared_class(self, genotype: Genotype) -> Hashable:
        """What is equal only for genotypes that are the same function on one set of shared weights, as an estimate of
        one is then that of the other. Functions that are equal by more than dead edges may have several classes."""

    def classes(self, key: Callable[[Genotype], Hashable]) -> dict[Hashable, list[Genotype]]:
        """All genotypes grouped by `key`, groups and members in lexicographic order."""
        groups: dict[Hashable, list[Genotype]] = {}
        for genotype in self.region.genotypes():
            groups.setdefault(key(genotype), []).append(genotype)
        return groups
