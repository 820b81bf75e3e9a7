"""NAS-Bench-201 (Dong & Yang, ICLR 2020): 4 nodes, 6 edges, 5 operations, 15,625 cells.

Five notations are in use for one and the same cell; all are read and written here:

- the official string `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`;
- the official index 0..15624, the order of the released files;
- NASLib's 6-tuple (other operation order, edges ordered by source);
- the nested form `[(('none', 0),), (('none', 0), ('none', 1)), …]` of the Few-Shot NAS files;
- our genotype: operation indices on edges ordered by target, then source.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.errors import BadGenotype
from bench.spaces.dag import Dag, dag, in_edges
from bench.spaces.layout import ResidualStages
from bench.spaces.space import CellType, Genotype

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3, POOL = range(5)

_NASLIB_OPS = (SKIP, NONE, CONV3, CONV1, POOL)  # NASLib 0b51bc18, nasbench201/conversions
_NASLIB_EDGES = (0, 1, 3, 2, 4, 5)  # NASLib orders by source: (1,2)(1,3)(1,4)(2,3)(2,4)(3,4)
_OFFICIAL_SHUFFLE = 88  # the released index is the lexicographic order shuffled by random.seed(88)

_TOKEN = re.compile(r"([^~|+\s]*)~(\d+)")


@dataclass(frozen=True)
class NB201(Dag):
    """The space with its five notations."""

    def show(self, genotype: Genotype) -> str:
        """The official string."""
        names = [self.ops[op] for op in self.named(genotype)]
        nodes = []
        for node in range(1, self.output + 1):
            parts = (f"{names[e]}~{self.edges[e].source}" for e in in_edges(self.edges, node))
            nodes.append(f"|{'|'.join(parts)}|")
        return "+".join(nodes)

    def parse(self, text: str) -> Genotype:
        """The genotype of an official string. Raises BadGenotype at the first character that is wrong."""
        found: list[int] = []
        at = 0

        def expect(literal: str) -> None:
            nonlocal at
            if not text.startswith(literal, at):
                self._refuse(text, at, f"expected {literal!r}")
            at += len(literal)

        for node in range(1, self.output + 1):
            expect("|" if node == 1 else "+|")
            for source in range(node):
                token = _TOKEN.match(text, at)
                name, number = (token[1], token[2]) if token else (text[at:].split("|")[0], "")
                if name not in self.ops:
                    self._refuse(text, at, f"{name!r} is no operation")
                if number != str(source):
                    self._refuse(text, at + len(name), f"expected '~{source}'")
                found.append(self.ops.index(name))
                at += len(name) + 1 + len(number)
                expect("|")
        if at != len(text):
            self._refuse(text, at, "expected the end")
        return tuple(found)

    def _refuse(self, text: str, at: int, why: str) -> None:
        raise BadGenotype(f"{text!r}: {why} at position {at}; legal operations: {', '.join(self.ops)}")

    @cached_property
    def _official(self) -> list[Genotype]:
        order = list(self.population)
        random.Random(_OFFICIAL_SHUFFLE).shuffle(order)  # a private generator: no global state is touched
        return order

    @cached_property
    def _official_index(self) -> dict[Genotype, int]:
        return {genotype: index for index, genotype in enumerate(self._official)}

    def from_index(self, index: int) -> Genotype:
        """The genotype with the official index 0..15624 (NAS-Bench-201 v1.0, v1.1 and NATS-Bench topology)."""
        if not 0 <= index < self.size:
            raise BadGenotype(f"{self.name} has no index {index}; indices are 0..{self.size - 1}")
        return self._official[index]

    def to_index(self, genotype: Genotype) -> int:
        """The official index of a genotype."""
        return self._official_index[self.check(genotype)]

    def from_naslib(self, compact: Sequence[int]) -> Genotype:
        """The genotype of a NASLib 6-tuple, operations (skip, none, 3x3, 1x1, pool), edges by source."""
        if len(compact) != len(self.edges) or not all(0 <= int(c) < len(self.ops) for c in compact):
            raise BadGenotype(f"{tuple(compact)} is no NASLib tuple: it takes six numbers 0..4")
        found = [0] * len(self.edges)
        for edge, code in zip(_NASLIB_EDGES, compact, strict=True):
            found[edge] = _NASLIB_OPS[int(code)]
        return tuple(found)

    def to_naslib(self, genotype: Genotype) -> tuple[int, ...]:
        """The NASLib 6-tuple of a genotype."""
        checked = self.check(genotype)
        return tuple(_NASLIB_OPS.index(checked[edge]) for edge in _NASLIB_EDGES)

    def from_nested(self, text: str) -> Genotype:
        """The genotype of a nested form, `[(('none', 0),), …]`. Only literals are read, nothing is executed."""
        try:
            nodes = ast.literal_eval(text)
            parts = ["|" + "|".join(f"{op}~{source}" for op, source in node) + "|" for node in nodes]
        except (ValueError, SyntaxError, TypeError) as error:
            raise BadGenotype(f"{text!r} is no nested form of a {self.name} cell ({error})") from None
        return self.parse("+".join(parts))

    def to_nested(self, genotype: Genotype) -> str:
        """The nested form of a genotype."""
        names = [self.ops[op] for op in self.check(genotype)]
        nodes = [
            tuple((names[e], self.edges[e].source) for e in in_edges(self.edges, node))
            for node in range(1, self.output + 1)
        ]
        return repr(nodes)

    def published_class(self, genotype: Genotype) -> Hashable:
        """The unique string of the NAS-Bench-201 release (6,466 classes): skips are transparent, a `none` edge
        is `#`, and so is every edge out of a node whose text is exactly `#`. Coarser in name than in fact: it
        keeps zeros inside sums and gives two weighted edges of equal form one name."""
        nodes = ["0"]
        for node in range(1, self.output + 1):
            parts = []
            for e in in_edges(self.edges, node):
                source = nodes[self.edges[e].source]
                if genotype[e] == NONE or source == "#":
                    parts.append("#")
                elif genotype[e] == SKIP:
                    parts.append(source)
                else:
                    parts.append(f"({source})@{self.ops[genotype[e]]}")
            nodes.append("+".join(sorted(parts)))
        return nodes[-1]

    def read(self, text: str, notation: str = "") -> Genotype:
        """The genotype of any textual notation: official string, nested form, index or six numbers.

        notation: of six numbers, which are ours ("own") or NASLib's ("naslib", as nearly all in public files). Raises
        BadGenotype, also where it is needed and not told.
        """
        if not isinstance(text, str):
            raise BadGenotype(f"{text!r} is no text of an architecture")
        stripped = text.strip()
        if stripped.isdecimal():
            return self.from_index(int(stripped))
        if stripped.startswith("["):
            return self.from_nested(stripped)
        if re.fullmatch(r"\(?\d(\s*,\s*\d){5}\)?", stripped):
            return self._six([int(c) for c in re.findall(r"\d", stripped)], notation)
        return self.parse(stripped)

    def _six(self, codes: Sequence[int], notation: str) -> Genotype:
        named = {"own": self.check, "naslib": self.from_naslib}
        if notation in named:
            return named[notation](codes)
        if notation:
            raise BadGenotype(f"there is no notation {notation!r} of six numbers; it is one of {', '.join(named)}")
        own, theirs = self.check(codes), self.from_naslib(codes)
        if own != theirs:
            raise BadGenotype(
                f"{tuple(codes)} is {self.show(own)} here and {self.show(theirs)} in NASLib; say which by the notation "
                "'own' or 'naslib'"
            )
        return own


CELL = CellType("cell", inputs=1, nodes=3, output="last")
SPACE = NB201("nb201", OPS, dag(4), (CELL,), ResidualStages())
