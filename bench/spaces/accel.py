"""Accel-NASBench (Ahmad et al. 2024): seven blocks of MnasNet, 104,485,552,128 architectures.

A block takes an expansion of 1, 4 or 6, a kernel of 3 or 5, 1 to 3 layers (the sixth block up to 4), and
squeeze-and-excitation or none. Facts are those of afzalxo/Accel-NASBench 42603572 (configurationspaces) and of
afzalxo/ANB-DatasetCollection 08a6baa6 (models), where the networks are written.

An edge is a block, and its operations are the 36 or 48 products of these options. All layers of a block share them, so
a layer is no choice of its own. Were each an edge, a rule would have to tie the edges of a block; a relaxation draws
edge by edge, and hardly a path that it trains would be an architecture.

Ground truth is stated of the 5,125 architectures that were trained on ImageNet, for 16 epochs from one seed. The
authors drew them, and a third have no squeeze-and-excitation at all. Which they are only the release says: importing it
leaves their list in the folder of data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.errors import BadGenotype, BadSpace
from bench.folders import data_folder
from bench.spaces.cells import CellSpace
from bench.spaces.layout import MobileBlocks
from bench.spaces.operations import MOBILE
from bench.spaces.space import CellType, Edge, Genotype, Population, Region

OPS = tuple(operation.name for operation in MOBILE)
LAYERS = (3, 3, 3, 3, 3, 4, 3)  # at most, of each block
BETWEEN = ";"
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
"""The operations in the list of those that were trained."""
LISTED = "accel_trained.txt"
"""The list, in the folder of data."""
COUNT = 5_125
DIGEST = "ccf23b721efbcf6a3a4614f6529c44cd"
"""blake2b of its lines, of the release that afzalxo/Accel-NASBench 42603572 describes."""


@dataclass(frozen=True)
class Accel(CellSpace):
    """The space with its notation, `e6k3l1s0;e4k5l2s1;…`: expansion, kernel, layers, squeeze-and-excitation."""

    @cached_property
    def region(self) -> Region:
        """As many layers as each block may have."""
        return Region.of([{op for op, one in enumerate(MOBILE) if one.layers <= most} for most in LAYERS])

    @property
    def rule(self) -> str:
        """In words."""
        return f"blocks have up to {', '.join(map(str, LAYERS))} layers"

    def show(self, genotype: Genotype) -> str:
        """The choices of the blocks, from the first."""
        return BETWEEN.join(self.ops[op] for op in self.check(genotype))

    def parse(self, text: str) -> Genotype:
        """The inverse of `show`. Raises BadGenotype naming the block and what it takes."""
        names = text.split(BETWEEN)
        if len(names) != len(self.edges):
            raise BadGenotype(f"{text[:80]!r} names {len(names)} blocks; an architecture of {self.name} has 7")
        for block, (name, most) in enumerate(zip(names, LAYERS, strict=True)):
            if name not in self.ops or MOBILE[self.ops.index(name)].layers > most:
                raise BadGenotype(
                    f"block {block} of {text[:80]!r} is {name[:20]!r}; it takes e1, e4 or e6, k3 or k5, l1 to l{most}, "
                    "s0 or s1, as e6k3l1s0"
                )
        return tuple(self.ops.index(name) for name in names)

    def trained_class(self, genotype: Genotype) -> Hashable:
        """Every architecture is a function of its own."""
        return genotype

    @cached_property
    def population(self) -> Population:
        """Those that were trained."""
        return Trained(self)


class Trained(Population):
    """The architectures that Accel-NASBench trained, in lexicographic order."""

    whole = False

    @property
    def about(self) -> str:
        """How many, and what of them."""
        return f"{len(self):,} trained"

    def __len__(self) -> int:
        return COUNT

    @cached_property
    def architectures(self) -> Sequence[Genotype]:
        """Read from the list. Raises BadSpace where it is not there, or is another one."""
        return listed()


def listed() -> list[Genotype]:
    """What the list in the folder of data holds, a letter for each block. Raises BadSpace."""
    path = data_folder() / LISTED
    remedy = "`python -m bench import ARCHIVE accel.parquet` writes it, from the archive that docs/data.md names"
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSpace(f"cannot read which architectures were trained ({error}); {remedy}") from None
    if _digest(text) != DIGEST:
        raise BadSpace(f"{path.absolute()} is not the list of what Accel-NASBench trained; {remedy}")
    return [tuple(map(LETTERS.index, line)) for line in text.splitlines()]


def remember(genotypes: Collection[Genotype]) -> None:
    """Write the list into the folder of data where it is not there, if these are what the release trained."""
    text = "".join(f"{''.join(LETTERS[op] for op in genotype)}\n" for genotype in sorted(genotypes))
    path = data_folder() / LISTED
    if _digest(text) == DIGEST and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.rstrip("\n").encode(), digest_size=16).hexdigest()


CELLS = tuple(
    CellType(f"block{block}", inputs=1, nodes=1, output="last", stride=stride)
    for block, stride in enumerate(MobileBlocks.strides)
)
SPACE = Accel("accel", OPS, tuple(Edge(kind.name, 0, 1) for kind in CELLS), CELLS, MobileBlocks())
