"""NAS-Bench-Macro (Su et al., CVPR 2021): a chain of 8 layers, each one of 3 choices: 6,561 architectures.

Stages have 2, 3 and 3 layers. The first layer of a stage halves the side and doubles the channels. An edge is a layer,
and a stage is a cell type of its own, with one cell. Choices have the names of the released code. 0, `id`, passes its
input on; as the first layer of a stage it is a 1x1 convolution with normalisation. 1 and 2, `ir_3x3_t3` and
`ir_5x5_t6`, are blocks of MobileNetV2 by kernel size and expansion, with ReLU and without squeeze-and-excitation.

The network halves the side three times, so that it is made for images of 32 pixels; of 8, one is left at the end.

Sizes are those of the release: networks of 32 channels on CIFAR-10. Parameters are all that is trained: kernels, scales
and shifts of normalisations, the head with its bias. Multiply-adds, there called FLOPs, are those of convolutions and
head for one image; normalisation, biases and sums count nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from bench.errors import BadGenotype
from bench.spaces.cells import CellSpace
from bench.spaces.layout import WideningStages
from bench.spaces.space import CellType, Edge, Genotype

OPS = ("id", "ir_3x3_t3", "ir_5x5_t6")
LAYERS = (2, 3, 3)  # of each stage


@dataclass(frozen=True)
class Macro(CellSpace):
    """The space with its two notations: the digits of the release, "22012201", and names of operations."""

    def show(self, genotype: Genotype) -> str:
        """The digits."""
        return "".join(map(str, self.check(genotype)))

    def parse(self, text: str) -> Genotype:
        """The genotype of digits or of names joined by commas. Raises BadGenotype naming what is wrong."""
        if not (text.isascii() and text.isdecimal()):
            return super().parse(text)
        if len(text) != len(self.edges):
            raise BadGenotype(f"{text!r} has {len(text)} digits; an architecture of {self.name} has {len(self.edges)}")
        for layer, digit in enumerate(text):
            if int(digit) >= len(self.ops):
                legal = ", ".join(f"{op} ({name})" for op, name in enumerate(self.ops))
                raise BadGenotype(f"{digit} at layer {layer} of {text!r} is no operation; legal: {legal}")
        return tuple(map(int, text))

    def trained_class(self, genotype: Genotype) -> Hashable:
        """The genotype with the layers that pass their input on moved to the end of their stage: 3,969 classes. The
        first layer of a stage is a convolution whatever it is, and stays."""
        return tuple(self._moved(kind, genotype) for kind in self.cells)

    def _moved(self, kind: CellType, genotype: Genotype) -> Genotype:
        first, *others = (genotype[e] for e, _ in self.of_cell(kind.name))
        return first, *sorted(others, key=OPS.index("id").__eq__)


CELLS = tuple(
    CellType(f"stage{stage}", inputs=1, nodes=layers, output="last", stride=2) for stage, layers in enumerate(LAYERS)
)
_EDGES = tuple(Edge(kind.name, layer, layer + 1) for kind in CELLS for layer in range(kind.nodes))

SPACE = Macro("macro", OPS, _EDGES, CELLS, WideningStages())
