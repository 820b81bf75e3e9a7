"""The DARTS space (Liu, Simonyan & Yang, ICLR 2019): two cell types of two inputs and four nodes, 28 edges.

Operations stand in the order of quark0/darts f276dd34 (cnn/genotypes.py): `none`, then those of the compact notation.
The spaces here differ in what an edge may take while a search mixes operations; a genotype means the same in all of
them, 28 numbers with `none` on the 12 edges that nodes drop. All are judged by one uniform sample of `darts`:

- `darts`: the seven operations that are not `none`, as GM-NAS, HEP-NAS and NAS-Bench-301 have it;
- `darts-none`: all eight, as the paper has it. `none` takes weight from the others and is never chosen;
- `darts-s1` to `darts-s3`: those of RobustDARTS (Zela et al., ICLR 2020; automl/RobustDARTS 3dec3fed, src/spaces.py).
  Its S4 takes an operation that gives noise, which is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.errors import BadGenotype
from bench.spaces.layout import TwoInputCells
from bench.spaces.notations import COMPACT, INPUTS, NODES, Cells, Item, named, recognised
from bench.spaces.space import CellType, Edge, Genotype
from bench.spaces.two_inputs import TAKEN, TwoInputs, two_input_dag

OPS = ("none", *COMPACT)
NONE, MAX, AVERAGE, SKIP, SEP3, SEP5, DIL3, DIL5 = OPS
CELLS = (
    CellType("normal", inputs=INPUTS, nodes=NODES, output="concatenated"),
    CellType("reduce", inputs=INPUTS, nodes=NODES, output="concatenated", stride=2),
)
EDGES = tuple(Edge(*edge) for cell in CELLS for edge in two_input_dag(cell.name, cell.inputs, cell.nodes))
SAMPLED = 1_000


@dataclass(frozen=True)
class DartsSpace(TwoInputs):
    """Cells of two inputs that are read and written in the notations of `bench.spaces.notations`."""

    def show(self, genotype: Genotype) -> str:
        """In the notation of quark0/darts, the lower input of a node first."""
        return self.written(genotype, "quark0")

    def parse(self, text: str) -> Genotype:
        """The inverse of `show`; takes the other notations, too (see `read`)."""
        return self.read(text)[0]

    def written(self, genotype: Genotype, notation: str) -> str:
        """In the notation of that name. Raises UnknownName, BadGenotype."""
        return named(notation).write(self.cells_of(genotype))

    def read(self, text: str, notation: str | None = None) -> tuple[Genotype, str]:
        """The architecture that a text names, and the notation it is in; where none is given, that which it looks
        like. Raises BadGenotype with the place, also where the text may mean another architecture; UnknownName."""
        text = text.strip()
        form = recognised(text) if notation is None else named(notation)
        cells = form.read(text)
        genotype = self.of_cells(cells)
        if notation is None and (doubt := form.doubt(cells)):
            raise BadGenotype(f"the text may mean two architectures: {doubt}; name its notation, {form.name!r}")
        return genotype, form.name

    def cells_of(self, genotype: Genotype) -> Cells:
        """By cell type, two items a node, the lower input first."""
        kept = self.judged.check(genotype)
        taken = [(e, edge, self.ops[kept[e]]) for e, edge in enumerate(self.edges) if kept[e] != self.absent]
        return {k.name: tuple((op, edge.source) for _, edge, op in taken if edge.cell == k.name) for k in self.cells}

    def of_cells(self, cells: Cells) -> Genotype:
        """The inverse; the order of a node's two items makes no difference. Raises BadGenotype."""
        assert self.absent is not None
        found = [self.absent] * len(self.edges)
        for kind in self.cells:
            items = cells[kind.name]
            if len(items) != TAKEN * kind.nodes:
                legal = f"{TAKEN * kind.nodes}, {TAKEN} for each of {kind.nodes} nodes"
                raise BadGenotype(f"{kind.name} has {len(items)} items; legal: {legal}")
            for k, item in enumerate(items):
                edge = self._edge(kind, k, item, found)
                found[edge] = self.ops.index(item[0])
        return self.judged.check(found)

    @cached_property
    def _numbers(self) -> dict[tuple[str, int, int], int]:
        return {(edge.cell, edge.source, edge.target): e for e, edge in enumerate(self.edges)}

    def _edge(self, kind: CellType, k: int, item: Item, before: Sequence[int]) -> int:
        """The edge of item number k, in a genotype with the items before it. Raises BadGenotype."""
        (op, source), node = item, kind.inputs + k // TAKEN
        place, operations = f"{kind.name}[{k}] is {(op[:40], source)}", [one for one in self.ops if one != NONE]
        if op not in operations:
            raise BadGenotype(f"{place}: no operation of an edge that is kept; legal: {', '.join(operations)}")
        if not 0 <= source < node:
            raise BadGenotype(f"{place}: node {node} has no input {source}; legal: 0 to {node - 1}")
        edge = self._numbers[kind.name, source, node]
        if before[edge] != self.absent:
            raise BadGenotype(f"{place}: node {node} takes input {source} twice; legal: two different ones")
        return edge


def _space(name: str, may: tuple[tuple[str, ...], ...], population_of: TwoInputs | None = None) -> DartsSpace:
    return DartsSpace(name, OPS, EDGES, CELLS, TwoInputCells(NODES), may, SAMPLED, population_of)


SPACE = _space("darts", (OPS[1:],) * len(EDGES))
WITH_NONE = _space("darts-none", (OPS,) * len(EDGES), SPACE)

S1_NORMAL = (
    *((SKIP, DIL3), (SKIP, DIL5)),
    *((SKIP, DIL5), (SKIP, SEP3), (SKIP, DIL3)),
    *((MAX, SKIP), (SKIP, SEP3), (SKIP, SEP3), (SKIP, DIL3)),
    *((SKIP, SEP3), (MAX, SKIP), (SKIP, DIL3), (DIL3, DIL5), (DIL3, DIL5)),
)
S1_REDUCE = (
    *((MAX, AVERAGE), (MAX, DIL3)),
    *((MAX, AVERAGE), (MAX, AVERAGE), (SKIP, DIL5)),
    *((MAX, AVERAGE), (MAX, SEP3), (SKIP, DIL3), (SKIP, DIL5)),
    *((MAX, AVERAGE), (MAX, AVERAGE), (SKIP, DIL5), (SKIP, DIL5), (SKIP, DIL5)),
)
S1 = _space("darts-s1", S1_NORMAL + S1_REDUCE, SPACE)
S2 = _space("darts-s2", ((SKIP, SEP3),) * len(EDGES), SPACE)
S3 = _space("darts-s3", ((NONE, SKIP, SEP3),) * len(EDGES), SPACE)
SPACES = (SPACE, WITH_NONE, S1, S2, S3)
