"""Cells of one input that sum: which edges matter, and when two cells are the same function.

Shared by NAS-Bench-201 and the toy space. A cell has nodes 0..n; node 0 is the input, the last node the
output, and every node sums its incoming edges.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.errors import BadSpace
from bench.spaces.cells import CellSpace
from bench.spaces.operations import Identity, Pooling
from bench.spaces.space import Edge, Genotype

Term = tuple[object, ...]


@dataclass(frozen=True)
class Dag(CellSpace):
    """A space of one cell type with one input and the last node as its output, whose operations are of four kinds:
    absent, skip, average pooling, and those with weights. Raises BadSpace for any other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.cells) > 1 or (self.cells[0].inputs, self.cells[0].output, self.cells[0].stride) != (1, "last", 1):
            raise BadSpace(f"{self.name} takes one cell type of one input, the last node as its output and no stride")
        if self.absent is None:
            raise BadSpace(f"{self.name} takes an operation for no edge, as `none`")
        linear = [op for op, one in enumerate(self.operations) if one.linear(1) and not one.absent]
        if not set(linear) <= {self.skip, self.pool}:
            raise BadSpace(f"{self.name} takes one skip connection and one average pooling at most")

    @property
    def none(self) -> int:
        """The operation for no edge."""
        assert self.absent is not None
        return self.absent

    @cached_property
    def skip(self) -> int | None:
        """The skip connection."""
        return next((op for op, one in enumerate(self.operations) if type(one) is Identity), None)

    @cached_property
    def pool(self) -> int | None:
        """The average pooling."""
        return next((op for op, one in enumerate(self.operations) if type(one) is Pooling and one.linear(1)), None)

    @property
    def output(self) -> int:
        """The last node."""
        return self.cells[0].results[0]

    def live(self, genotype: Genotype) -> Genotype:
        """The genotype with every edge off all input-output paths set to `none`."""
        kept = set(self.leading(genotype))
        return tuple(op if e in kept else self.none for e, op in enumerate(genotype))

    def trained_class(self, genotype: Genotype) -> Hashable:
        """The function up to renaming of weights: dead edges vanish, skips pass sums on, sums have no order,
        average pooling (linear, no weights) distributes over sums. Two weighted edges of equal form stay two:
        `a(x) + b(x)` is not `a(x) + a(x)`."""
        live = self.live(genotype)
        weighted = [e for e, op in enumerate(live) if op not in (self.none, self.skip, self.pool)]
        # Only edges of equal form can trade names, so only those are permuted.
        form = {e: repr(self._edge_term(live, e, dict.fromkeys(weighted, 0))) for e in weighted}
        groups = [[e for e in weighted if form[e] == f] for f in sorted(set(form.values()))]
        best: str | None = None
        for orders in itertools.product(*(itertools.permutations(g) for g in groups)):
            names = {edge: rank for order in orders for rank, edge in enumerate(order)}
            text = repr(self._node_terms(live, self.output, names))
            best = text if best is None or text < best else best
        return best

    def representative(self, members: Sequence[Genotype]) -> Genotype:
        """The cheapest form of a class without dead edges: fewest poolings computed, then the first. All have the same
        convolutions."""

        def cost(genotype: Genotype) -> tuple[int, Genotype]:
            pooled = {edge.source for edge, op in zip(self.edges, genotype, strict=True) if op == self.pool}
            return len(pooled), genotype

        return min((self.live(member) for member in members), key=cost)

    def _edge_term(self, live: Genotype, edge: int, names: dict[int, int]) -> Term:
        return (live[edge], names[edge], self._node_terms(live, self.edges[edge].source, names))

    def _node_terms(self, live: Genotype, node: int, names: dict[int, int]) -> tuple[Term, ...]:
        """The sum at a node as a sorted multiset of terms; a term is an operation on a sum, or the input."""
        if node == 0:
            return (("x",),)
        terms: list[Term] = []
        for e, edge in enumerate(self.edges):
            if edge.target != node or live[e] == self.none:
                continue
            if live[e] == self.skip:
                terms += self._node_terms(live, edge.source, names)
            elif live[e] == self.pool:
                terms += [("pool", term) for term in self._node_terms(live, edge.source, names)]
            else:
                terms.append(self._edge_term(live, e, names))
        return tuple(sorted(terms, key=repr))

    def functions(self, genotypes: Sequence[Genotype]) -> tuple[list[int], list[Genotype]]:
        """The functions to compute, in lexicographic order, and for every genotype which of them it is.

        The live genotype with the fewest operations stands for its class. With partial channels no two are one.
        """
        if self.share > 1:
            return super().functions(genotypes)
        names: dict[Hashable, int] = {}
        forms = [self.shared_form(genotype, names) for genotype in genotypes]
        best: dict[Hashable, tuple[int, Genotype]] = {}
        for form, genotype in zip(forms, genotypes, strict=True):
            live = self.live(genotype)
            candidate = (sum(op != self.none for op in live), live)
            best[form] = min(best.get(form, candidate), candidate)
        chosen = sorted(genotype for _, genotype in best.values())
        place = {genotype: row for row, genotype in enumerate(chosen)}
        return [place[best[form][1]] for form in forms], chosen

    def shared_form(self, genotype: Genotype, names: dict[Hashable, int]) -> Hashable:
        """Equal for cells that are one function on shared weights: the output as a sum of terms.

        A term is the input, a weighted operation of one edge on a sum, or the pooling of a term. Skips are transparent
        and pooling distributes over sums, so this is coarser than `live` (7,548 cells of NAS-Bench-201, not 9,445);
        edges keep their identity, because their weights do. A supernet computes nothing behind a node without input,
        whatever its normalisation, so this holds for all of them. names: numbers given to terms, to be passed on.
        """
        nodes: list[list[int]] = [[] for _ in range(self.output + 1)]
        nodes[0].append(names.setdefault("input", 0))
        for e, (edge, op) in enumerate(zip(self.edges, genotype, strict=True)):
            source, target = nodes[edge.source], nodes[edge.target]
            if op == self.none or not source:
                continue
            if op == self.skip:
                target += source
            elif op == self.pool:
                target += [names.setdefault(("pool", term), len(names)) for term in source]
            else:
                target.append(names.setdefault((e, op, *sorted(source)), len(names)))
        return tuple(sorted(nodes[-1]))


def dag(nodes: int, cell: str = "cell") -> tuple[Edge, ...]:
    """All edges i -> j, i < j, of a cell with `nodes` nodes, ordered by target, then source."""
    return tuple(Edge(cell, source, target) for target in range(1, nodes) for source in range(target))


def in_edges(edges: Sequence[Edge], node: int) -> list[int]:
    """Indices of the edges into `node`."""
    return [e for e, edge in enumerate(edges) if edge.target == node]
