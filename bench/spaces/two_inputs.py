"""Cells whose nodes take two inputs each, as those of DARTS: the rule, uniform draws, and what alpha stands for.

A genotype names an operation on every edge, and `none` on the edges that its nodes drop. `none` need not be among the
operations that a search may take.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadRegion, BadSpace
from bench.spaces.cells import CellSpace
from bench.spaces.space import Genotype, Population, Region, Sampled

TAKEN = 2
"""Inputs of a node."""

Choice = tuple[tuple[int, int], ...]
"""The edges that a node takes, in order, each with its operation."""


@dataclass(frozen=True)
class TwoInputs(CellSpace):
    """Every node sums two edges of different sources, each with an operation that is not `none`.

    may: what each edge may take while a search mixes operations, by name; all operations where it is left out.
    sampled: the size of the population that ground truth is stated of; 0 for all architectures.
    population_of: the space whose population that is, and whose architectures have names here, where it is not this
    one; it has the same edges and operations.
    """

    may: tuple[tuple[str, ...], ...] = ()
    sampled: int = 0
    population_of: TwoInputs | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.absent is None:
            raise BadSpace(f"{self.name} takes an operation for edges that a node drops, as `none`")
        if self.may and len(self.may) != len(self.edges):
            raise BadSpace(f"{self.name} says of {len(self.may)} edges what they may take; it has {len(self.edges)}")
        unknown = sorted({name for names in self.may for name in names} - set(self.ops))
        if unknown:
            raise BadSpace(f"{self.name} lets an edge take {unknown[0]!r}, which is none of its operations")
        if not self.count(self.region):
            raise BadSpace(f"{self.name} has a node that cannot take {TAKEN} inputs; give its edges more operations")
        if (self.judged.ops, self.judged.edges, self.judged.cells) != (self.ops, self.edges, self.cells):
            raise BadSpace(f"{self.name} cannot be judged by {self.judged.name}, whose edges or operations are others")

    @property
    def judged(self) -> TwoInputs:
        """The space whose population it is judged by."""
        return self.population_of or self

    def named(self, genotype: Sequence[int]) -> Genotype:
        """Those of the space that it is judged by have names here."""
        return self.judged.check(genotype)

    @cached_property
    def region(self) -> Region:
        """What every edge may take."""
        if not self.may:
            return super().region
        return Region.of([{self.ops.index(name) for name in names} for names in self.may])

    @cached_property
    def nodes(self) -> tuple[tuple[int, ...], ...]:
        """The edges into every node of every cell type, in order."""
        found: dict[tuple[str, int], list[int]] = {}
        for e, edge in enumerate(self.edges):
            found.setdefault((edge.cell, edge.target), []).append(e)
        return tuple(map(tuple, found.values()))

    @property
    def rule(self) -> str:
        """In words."""
        return f"every node takes {TAKEN} edges with an operation, and `none` on the others"

    def feasible(self, genotype: Genotype) -> bool:
        """Two edges into every node, with operations that they may take."""
        kept = [e for e, op in enumerate(genotype) if op != self.absent]
        counts = [sum(e in node for e in kept) for node in self.nodes]
        return counts == [TAKEN] * len(self.nodes) and self.admits(self.region, genotype)

    def admits(self, region: Region, genotype: Genotype) -> bool:
        """Of the edges that an architecture keeps; a region says nothing of those that it drops."""
        pairs = zip(genotype, region.allowed, strict=True)
        return all(op in ops for op, ops in pairs if op != self.absent)

    def _open(self, region: Region) -> list[tuple[int, ...]]:
        """Per edge, the allowed operations that are not `none`."""
        return [tuple(op for op in ops if op != self.absent) for ops in region.lists]

    def count(self, region: Region) -> int:
        """The product over nodes of the ways to take two of its edges."""
        ops = [len(some) for some in self._open(region)]
        return math.prod(sum(ops[a] * ops[b] for a, b in itertools.combinations(node, TAKEN)) for node in self.nodes)

    def _listed(self, region: Region) -> Iterator[Genotype]:
        ops = self._open(region)

        def choices(node: Sequence[int]) -> Iterator[Choice]:
            for edges in itertools.combinations(node, TAKEN):
                for taken in itertools.product(*(ops[e] for e in edges)):
                    yield tuple(zip(edges, taken, strict=True))

        every = itertools.product(*(list(choices(node)) for node in self.nodes))
        return iter(sorted(self._of(choice) for choice in every))

    def _of(self, choices: Sequence[Choice]) -> Genotype:
        taken = dict(pair for choice in choices for pair in choice)
        assert self.absent is not None
        return tuple(taken.get(e, self.absent) for e in range(len(self.edges)))

    def sample(self, region: Region, rng: np.random.Generator) -> Genotype:
        """Node by node a pair of edges, as often as it has operations, and one of these on each. Raises BadRegion."""
        ops = self._open(region)
        return self._of([self._drawn(node, ops, rng) for node in self.nodes])

    def _drawn(self, node: Sequence[int], ops: Sequence[Sequence[int]], rng: np.random.Generator) -> Choice:
        pairs = list(itertools.combinations(node, TAKEN))
        weights = np.array([len(ops[a]) * len(ops[b]) for a, b in pairs], dtype=float)
        if not weights.sum():
            raise BadRegion(f"a node of {self.name} is left with fewer than {TAKEN} inputs here; allow more operations")
        edges = pairs[int(rng.choice(len(pairs), p=weights / weights.sum()))]
        return tuple((e, ops[e][int(rng.integers(len(ops[e])))]) for e in edges)

    def best(self, scores: NDArray[np.floating | np.integer], region: Region) -> Genotype:
        """Of every node the two edges whose best operation has the largest score, with these operations; ties go to
        the earlier edge, and on one edge to the lower operation (as the code of DARTS sorts). Raises BadRegion."""
        within = np.where(region.mask(len(self.ops)), scores, -np.inf)
        within[:, self.absent] = -np.inf
        strength, op = within.max(axis=1), within.argmax(axis=1)
        chosen = []
        for node in self.nodes:
            edges = sorted(sorted(node, key=lambda e: -strength[e])[:TAKEN])
            if not np.isfinite(strength[list(edges)]).all():
                raise BadRegion(f"a node of {self.name} is left with fewer than {TAKEN} inputs here")
            chosen.append(tuple((e, int(op[e])) for e in edges))
        return self._of(chosen)

    def decode(self, alpha: NDArray[np.floating], region: Region) -> Genotype:
        """`best` of the softmax of alpha over what each edge may take, `none` included where it may (DARTS, 2.4)."""
        within = np.where(region.mask(len(self.ops)), alpha.astype(np.float64), -np.inf)
        share = np.exp(within - within.max(axis=1, keepdims=True))
        return self.best(share / share.sum(axis=1, keepdims=True), region)

    @cached_property
    def population(self) -> Population:
        """A sample, unless `sampled` is 0; or that of `population_of`."""
        if self.population_of is not None:
            return self.population_of.population
        return Sampled(self, self.sampled) if self.sampled else super().population

    def trained_class(self, genotype: Genotype) -> Hashable:
        """The first, in order, of the forms that differ by the names of nodes alone: a cell concatenates its nodes, so
        renaming them permutes channels."""
        return tuple(self._first_form(kind.name, genotype) for kind in self.cells)

    def _first_form(self, cell: str, genotype: Genotype) -> tuple[object, ...]:
        kind = self.cell(cell)
        taken: dict[int, list[tuple[int, int]]] = {}
        for e, edge in self.of_cell(cell):
            if genotype[e] != self.absent:
                taken.setdefault(edge.target, []).append((edge.source, genotype[e]))
        inputs, results = range(kind.inputs), range(kind.inputs, kind.inputs + kind.nodes)
        forms = []
        for order in itertools.permutations(results):
            name = {**{n: n for n in inputs}, **dict(zip(results, order, strict=True))}
            if all(name[source] < name[node] for node, pairs in taken.items() for source, _ in pairs):
                renamed = {name[n]: sorted((name[s], op) for s, op in pairs) for n, pairs in taken.items()}
                forms.append(tuple((n, *renamed[n]) for n in results))
        return min(forms)


def two_input_dag(cell: str, inputs: int, nodes: int) -> list[tuple[str, int, int]]:
    """All edges of a cell type, by target and then source, as (cell, source, target)."""
    targets = range(inputs, inputs + nodes)
    return [(cell, source, target) for target in targets for source in range(target)]
