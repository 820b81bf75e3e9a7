"""A space small enough to check by hand: 3 nodes, 3 edges, 3 operations, 27 cells."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.errors import BadGenotype
from bench.spaces.dag import CellSpace, dag
from bench.spaces.space import Genotype


@dataclass(frozen=True)
class Toy(CellSpace):
    """Notation: operation names in edge order, joined by commas."""

    def show(self, genotype: Genotype) -> str:
        return ",".join(self.ops[op] for op in self.check(genotype))

    def parse(self, text: str) -> Genotype:
        names = re.split(",", text)
        if len(names) != len(self.edges):
            raise BadGenotype(f"{text!r} names {len(names)} operations; a cell of {self.name} takes {len(self.edges)}")
        for at, name in enumerate(names):
            if name not in self.ops:
                raise BadGenotype(f"{name!r} at edge {at} of {text!r} is no operation; legal: {', '.join(self.ops)}")
        return tuple(self.ops.index(name) for name in names)


SPACE = Toy(
    name="toy",
    ops=("none", "skip_connect", "nor_conv_3x3"),
    edges=dag(3),
    none=0,
    skip=1,
    pool=None,
)
