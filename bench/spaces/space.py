"""Search spaces as pure combinatorics: genotypes, regions, spaces and their populations. NumPy only.

A space has E edges, and each edge takes one of O operations. Everything that the methods do happens on
an `[E, O]` matrix (architecture weights) and on a `Region`: the subset of operations that each edge may
still take, i.e. the label of a node in a partition tree. Which combinations are architectures is the space's rule.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bench.errors import BadGenotype, BadRegion, BadSpace, counted
from bench.streams import numpy_stream

Genotype = tuple[int, ...]
"""The operation index on every edge, length E."""

MOST_LISTED = 1_000_000
"""Architectures that are listed one by one; of larger spaces a sample is taken."""


@dataclass(frozen=True)
class CellType:
    """One kind of cell: nodes 0 to `inputs` - 1 are its inputs, the `nodes` behind them sum their edges."""

    name: str
    inputs: int
    nodes: int
    output: Literal["last", "concatenated"]  # the last node, or all nodes but the inputs, one behind the other
    stride: int = 1  # of edges that leave an input

    @property
    def results(self) -> range:
        """The nodes that the output is made of."""
        every = range(self.inputs, self.inputs + self.nodes)
        return every[-1:] if self.output == "last" else every


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

    def at(self, cell: int) -> Region:
        """The region of one cell of a network, counted from the first: the same for all, but in `EachCell`."""
        return self

    @property
    def size(self) -> int:
        """The number of combinations."""
        return math.prod(len(ops) for ops in self.allowed)

    def holds(self, genotype: Genotype) -> bool:
        """Whether every edge of the genotype takes an allowed operation."""
        return len(genotype) == len(self.allowed) and all(
            op in ops for op, ops in zip(genotype, self.allowed, strict=True)
        )

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

    def combinations(self) -> Iterator[Genotype]:
        """All of them, the last edge running fastest."""
        return itertools.product(*self.lists)

    def draw(self, rng: np.random.Generator) -> Genotype:
        """One combination, uniform over all."""
        return tuple(ops[int(rng.integers(len(ops)))] for ops in self.lists)

    def mask(self, operations: int) -> NDArray[np.bool_]:
        """`[E, O]`, true where the operation is allowed."""
        mask = np.zeros((len(self.allowed), operations), dtype=bool)
        for edge, ops in enumerate(self.lists):
            mask[edge, list(ops)] = True
        return mask


@dataclass(frozen=True)
class EachCell(Region):
    """Another region in every cell of a network, from the first to the last; `allowed` is what any of them allows."""

    cells: tuple[Region, ...] = ()

    @classmethod
    def together(cls, cells: Sequence[Region]) -> EachCell:
        """These regions, one for each cell."""
        edges = zip(*(region.allowed for region in cells), strict=True)
        return cls(tuple(frozenset[int]().union(*ops) for ops in edges), tuple(cells))

    def at(self, cell: int) -> Region:
        """That of this cell."""
        return self.cells[cell]


@dataclass(frozen=True)
class Sizes:
    """The searched operations of one network of an architecture, the smallest where that will do: they order
    architectures as their parameters and multiply-adds do. parameters: of all operations that are named;
    multiply_adds: of those that can matter."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Space(ABC):
    """E edges times O operations, with the rule, the names and the notions of equality of one benchmark.

    Genotypes are plain tuples so that tables, records and methods can share them without this class;
    what a genotype *means* is asked here. Here every combination of operations is an architecture; spaces with another
    rule override `feasible` and what follows from it. Raises BadSpace where edges, cells and operations do not fit.
    """

    name: str
    ops: tuple[str, ...]
    edges: tuple[Edge, ...]
    cells: tuple[CellType, ...]

    def __init_subclass__(cls) -> None:
        cls.__hash__ = Space.__hash__  # type: ignore[method-assign]  # or a dataclass makes one of all its fields

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Taken once: spaces are looked up in every step."""
        return hash((type(self), self.name, self.ops, self.edges))

    def __getstate__(self) -> dict[str, object]:
        """The fields alone: a hash holds in its own process only."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __post_init__(self) -> None:
        for what, names in (("operation", self.ops), ("cell type", [cell.name for cell in self.cells])):
            if not names or len(set(names)) < len(names):
                raise BadSpace(f"{self.name} takes different names, one at least, for its {what}s; it has {[*names]}")
        if not self.edges:
            raise BadSpace(f"{self.name} has no edge; give it one at least")
        for number, edge in enumerate(self.edges):
            self._check_edge(number, edge)

    def _check_edge(self, number: int, edge: Edge) -> None:
        here = f"edge {number} of {self.name}"
        kinds = {cell.name: cell for cell in self.cells}
        if edge.cell not in kinds:
            raise BadSpace(f"{here} is of a cell type {edge.cell!r} that it has not; it has {', '.join(kinds)}")
        kind = kinds[edge.cell]
        if not 0 <= edge.source < edge.target:
            raise BadSpace(f"{here} leads from node {edge.source} to node {edge.target}: edges lead to later nodes")
        if not kind.inputs <= edge.target < kind.inputs + kind.nodes:
            last = kind.inputs + kind.nodes - 1
            raise BadSpace(f"{here} ends in node {edge.target}; those of {kind.name} are {kind.inputs} to {last}")
        if any(before.cell == edge.cell and before.source == edge.target for before in self.edges[:number]):
            raise BadSpace(f"{here} ends in node {edge.target}, which an earlier edge leaves; order edges by target")

    # What a network is made of

    @property
    @abstractmethod
    def network(self) -> str:
        """The module and class of its supernets, `bench.nets.nb201:NB201Network`; imported when one is wanted."""

    def cell(self, name: str) -> CellType:
        """The cell type of that name."""
        return next(cell for cell in self.cells if cell.name == name)

    def of_cell(self, name: str) -> list[tuple[int, Edge]]:
        """The edges of a cell type with their numbers, in order."""
        return [(e, edge) for e, edge in enumerate(self.edges) if edge.cell == name]

    # Which combinations are architectures

    @cached_property
    def region(self) -> Region:
        """What every edge may take: all operations, unless the space says otherwise."""
        return Region((frozenset(range(len(self.ops))),) * len(self.edges))

    def feasible(self, genotype: Genotype) -> bool:
        """Whether a combination of operations is an architecture."""
        return self.region.holds(genotype)

    def admits(self, region: Region, genotype: Genotype) -> bool:
        """Whether an architecture lies in a region of the space."""
        return region.holds(genotype)

    def alone(self, genotype: Genotype) -> Region:
        """The region in which an architecture is trained or estimated by itself."""
        return Region.of([{op} for op in genotype])

    def count(self, region: Region) -> int:
        """How many architectures a region has."""
        return region.size

    def listed(self, region: Region) -> Iterator[Genotype]:
        """All architectures of a region, in lexicographic order. Raises BadSpace beyond `MOST_LISTED`."""
        if (count := self.count(region)) > MOST_LISTED:
            raise BadSpace(
                f"{self.name} has {count:.3g} architectures here, more than the {MOST_LISTED:,} that are listed; take "
                "a sample of them"
            )
        return self._listed(region)

    def _listed(self, region: Region) -> Iterator[Genotype]:
        return region.combinations()

    def sample(self, region: Region, rng: np.random.Generator) -> Genotype:
        """One architecture, uniform over the region. Raises BadRegion where it has none."""
        return region.draw(rng)

    def some(self, region: Region, most: int, rng: Callable[[], np.random.Generator]) -> list[Genotype]:
        """All architectures of a region in order where they are at most so many, else a uniform sample of that size."""
        if self.count(region) <= most:
            return list(self.listed(region))
        generator, drawn = rng(), dict[Genotype, None]()
        while len(drawn) < most:
            drawn[self.sample(region, generator)] = None
        return sorted(drawn)

    def best(self, scores: NDArray[np.floating | np.integer], region: Region) -> Genotype:
        """The architecture of a region with the largest sum of scores `[E, O]` of its operations; ties go to the lower
        index."""
        within = np.where(region.mask(len(self.ops)), scores, -np.inf)
        return tuple(int(op) for op in within.argmax(axis=1))

    def decode(self, alpha: NDArray[np.floating], region: Region) -> Genotype:
        """The architecture that alpha `[E, O]` stands for within a region.

        DARTS, section 2.3, as NAS-Bench-201 uses it: the largest alpha of each edge, `none` included.
        """
        return self.best(alpha, region)

    @property
    def size(self) -> int:
        """The number of architectures."""
        return self.count(self.region)

    def check(self, genotype: Sequence[int]) -> Genotype:
        """The genotype as a tuple of ints. Raises BadGenotype where it does not belong to the space."""
        try:
            found = tuple(operator.index(op) for op in genotype)
        except TypeError:
            raise BadGenotype(f"{genotype!r} is no architecture of {self.name}: takes whole numbers") from None
        if len(found) != len(self.edges) or not all(0 <= op < len(self.ops) for op in found):
            raise BadGenotype(
                f"{found} is no architecture of {self.name}: takes {len(self.edges)} numbers, 0 to {len(self.ops) - 1}"
            )
        if not self.feasible(found):
            raise BadGenotype(f"{found} is no architecture of {self.name}: {self.rule}")
        return found

    @property
    def rule(self) -> str:
        """What makes a combination an architecture, in words for an error."""
        return "an edge takes an operation that it may not take"

    # Which architectures it is judged by

    @cached_property
    def population(self) -> Population:
        """The architectures that ground truth is stated of: all, unless the space says otherwise."""
        return Everything(self)

    # What it means

    @abstractmethod
    def show(self, genotype: Genotype) -> str:
        """The space's own notation."""

    @abstractmethod
    def parse(self, text: str) -> Genotype:
        """The inverse of `show`. Raises BadGenotype naming the position and the legal operations."""

    @abstractmethod
    def trained_class(self, genotype: Genotype) -> Hashable:
        """Equal for genotypes that are the same function when trained alone from scratch."""

    def representative(self, members: Sequence[Genotype]) -> Genotype:
        """The architecture that is trained for a class of `trained_class`: the smallest, then the first."""

        def cost(genotype: Genotype) -> tuple[int, int, Genotype]:
            sizes = self.sizes(genotype)
            return sizes.parameters, sizes.multiply_adds, genotype

        return min(members, key=cost)

    @abstractmethod
    def sizes(self, genotype: Genotype) -> Sizes:
        """How large an architecture is, in units that compare it with others of the space."""

    @property
    @abstractmethod
    def weights(self) -> NDArray[np.int64]:
        """`[E, O]` the parameters of every operation, in the unit of `sizes`."""

    @property
    def absent(self) -> int | None:
        """The operation that stands for no edge, where there is one."""
        return None

    def functions(self, genotypes: Sequence[Genotype]) -> tuple[list[int], list[Genotype]]:
        """Which of them are one function on shared weights, so that one estimate serves all: for every genotype the row
        of its function, and the genotypes to compute, in lexicographic order."""
        chosen = sorted(set(genotypes))
        row = {genotype: number for number, genotype in enumerate(chosen)}
        return [row[genotype] for genotype in genotypes], chosen

    def classes(self, key: Callable[[Genotype], Hashable]) -> dict[Hashable, list[Genotype]]:
        """The population grouped by `key`, groups and members in its order."""
        groups: dict[Hashable, list[Genotype]] = {}
        for genotype in self.population:
            groups.setdefault(key(genotype), []).append(genotype)
        return groups


class Population(ABC):
    """The architectures of a space that ground truth is stated of, in a fixed order."""

    whole: ClassVar[bool]  # whether they are all there are

    def __init__(self, space: Space) -> None:
        self.space = space

    @property
    @abstractmethod
    def about(self) -> str:
        """For sentences: `all 15,625`, `300 sampled`."""

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def architectures(self) -> Sequence[Genotype]:
        """All of them, in order; looked up once."""

    @cached_property
    def _rows(self) -> dict[Genotype, int]:
        return {genotype: row for row, genotype in enumerate(self.architectures)}

    def at(self, row: int) -> Genotype:
        """The architecture of a row. Raises BadGenotype where there is none."""
        if not 0 <= row < len(self):
            raise BadGenotype(f"{self.space.name} has no row {row} ({self.about}); rows are 0..{len(self) - 1}")
        return self.architectures[row]

    def find(self, genotype: Genotype) -> int | None:
        """The row of an architecture; None where it is not among them."""
        return self._rows.get(genotype)

    def row(self, genotype: Genotype) -> int:
        """The row of an architecture. Raises BadGenotype where it is not among them."""
        found = self.find(genotype)
        if found is None:
            raise BadGenotype(f"{genotype} is not among the architectures of {self.space.name}, {self.about}")
        return found

    def __iter__(self) -> Iterator[Genotype]:
        return iter(self.architectures)


class Everything(Population):
    """All architectures of a space, in lexicographic order. Raises BadSpace where they are too many to be listed."""

    whole = True

    @property
    def about(self) -> str:
        """All, and how many that is."""
        return f"all {len(self):,}"

    def __len__(self) -> int:
        return self.space.size

    @cached_property
    def architectures(self) -> Sequence[Genotype]:
        """Listed."""
        return list(self.space.listed(self.space.region))


class Sampled(Population):
    """A fixed uniform sample without repetition, from the random stream `population/<space>/<count>`, sorted."""

    whole = False

    def __init__(self, space: Space, count: int) -> None:
        super().__init__(space)
        if count > space.size:
            raise BadSpace(f"{space.name} has {counted(space.size, 'architecture')}; {count:,} cannot be sampled")
        self.count = count

    @property
    def about(self) -> str:
        """How many were sampled."""
        return f"{self.count:,} sampled"

    def __len__(self) -> int:
        return self.count

    @cached_property
    def architectures(self) -> Sequence[Genotype]:
        """Drawn."""
        name = f"population/{self.space.name}/{self.count}"
        return self.space.some(self.space.region, self.count, lambda: numpy_stream(0, name))
