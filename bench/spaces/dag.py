"""Cells as directed acyclic graphs: which edges matter, and when two cells are the same function.

Shared by NAS-Bench-201 and the toy space. A cell has nodes 0..n; node 0 is the input, the last node the
output, and every node sums its incoming edges.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from bench.spaces.space import Edge, Genotype, Space

Term = tuple[object, ...]


@dataclass(frozen=True)
class CellSpace(Space):
    """A space of one cell type whose operations are of four kinds, told apart by the index sets below."""

    none: int
    skip: int
    pool: int | None

    @property
    def output(self) -> int:
        """The last node."""
        return max(edge.target for edge in self.edges)

    def live(self, genotype: Genotype) -> Genotype:
        """The genotype with every edge off all input-output paths set to `none`."""
        forward, backward = {0}, {self.output}
        for edge, op in zip(self.edges, genotype, strict=True):
            if op != self.none and edge.source in forward:
                forward.add(edge.target)
        for edge, op in reversed(list(zip(self.edges, genotype, strict=True))):
            if op != self.none and edge.target in backward:
                backward.add(edge.source)
        return tuple(
            op if edge.source in forward and edge.target in backward else self.none
            for edge, op in zip(self.edges, genotype, strict=True)
        )

    def shared_class(self, genotype: Genotype) -> Hashable:
        """`live`: edges off every path cannot matter. Right where an operation maps zero to zero, i.e. for
        batch-statistics normalisation without a trained shift; elsewhere use `reaching_class`."""
        return self.live(genotype)

    def reaching_class(self, genotype: Genotype) -> Hashable:
        """Equal functions on shared weights under any normalisation: only edges into nodes that cannot
        reach the output are dropped."""
        backward = {self.output}
        for edge, op in reversed(list(zip(self.edges, genotype, strict=True))):
            if op != self.none and edge.target in backward:
                backward.add(edge.source)
        return tuple(
            op if edge.target in backward else self.none for edge, op in zip(self.edges, genotype, strict=True)
        )

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


def shared_form(space: CellSpace, genotype: Genotype, names: dict[Hashable, int]) -> Hashable:
    """Equal for cells that are one function on shared weights: the output as a sum of terms.

    A term is the input, a weighted operation of one edge on a sum, or the pooling of a term. Skips are transparent and
    pooling distributes over sums, so this is coarser than `shared_class` (7,548 cells of NAS-Bench-201, not 9,445);
    edges keep their identity, because their weights do. A supernet computes nothing behind a node without input,
    whatever its normalisation, so this holds for all of them. names: numbers given to terms, to be passed on.
    """
    nodes: list[list[int]] = [[] for _ in range(space.output + 1)]
    nodes[0].append(names.setdefault("input", 0))
    for e, (edge, op) in enumerate(zip(space.edges, genotype, strict=True)):
        source, target = nodes[edge.source], nodes[edge.target]
        if op == space.none or not source:
            continue
        if op == space.skip:
            target += source
        elif op == space.pool:
            target += [names.setdefault(("pool", term), len(names)) for term in source]
        else:
            target.append(names.setdefault((e, op, *sorted(source)), len(names)))
    return tuple(sorted(nodes[-1]))


def distinct(space: CellSpace, genotypes: Sequence[Genotype]) -> tuple[list[int], list[Genotype]]:
    """The functions to compute, in lexicographic order, and for every genotype which of them it is.

    The live genotype with the fewest operations stands for its class.
    """
    names: dict[Hashable, int] = {}
    forms = [shared_form(space, genotype, names) for genotype in genotypes]
    best: dict[Hashable, tuple[int, Genotype]] = {}
    for form, genotype in zip(forms, genotypes, strict=True):
        live = space.live(genotype)
        candidate = (sum(op != space.none for op in live), live)
        best[form] = min(best.get(form, candidate), candidate)
    chosen = sorted(genotype for _, genotype in best.values())
    place = {genotype: row for row, genotype in enumerate(chosen)}
    return [place[best[form][1]] for form in forms], chosen


def dag(nodes: int, cell: str = "cell") -> tuple[Edge, ...]:
    """All edges i -> j, i < j, of a cell with `nodes` nodes, ordered by target, then source."""
    return tuple(Edge(cell, source, target) for target in range(1, nodes) for source in range(target))


def in_edges(edges: Sequence[Edge], node: int) -> list[int]:
    """Indices of the edges into `node`."""
    return [e for e, edge in enumerate(edges) if edge.target == node]
