"""Parameters and multiply-adds of a stand-alone network, from its layout and the kernels of its operations.

They are counted as NAS-Bench-201 counts them: every operation that a genotype names, also one off all input-output
paths, which the trainer leaves out. What is no kernel counts nothing: poolings, sums, and a normalisation by itself, as
DARTS has it behind poolings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from bench.spaces.cells import CellSpace
from bench.spaces.layout import Shape
from bench.spaces.operations import Kernel
from bench.spaces.space import Genotype


@dataclass(frozen=True)
class Count:
    """Of some kernels. parameters: with the scales, shifts and biases behind them; multiply_adds: for one image."""

    parameters: int
    multiply_adds: int

    @classmethod
    def of(cls, kernels: Iterable[Kernel]) -> Count:
        """Their sum."""
        each = list(kernels)
        return cls(sum(k.weights + k.affine for k in each), sum(k.multiply_adds for k in each))


def parameters(space: CellSpace, genotype: Genotype, shape: Shape) -> int:
    """Kernels, the scales and shifts behind them, and the head with its bias."""
    fixed, searched = _counts(space, shape)
    return fixed.parameters + sum(searched[edge][op].parameters for edge, op in enumerate(genotype))


def multiply_adds(space: CellSpace, genotype: Genotype, shape: Shape) -> int:
    """Multiply-adds of convolutions and head for one image. NAS-Bench-201 calls these FLOPs."""
    fixed, searched = _counts(space, shape)
    return fixed.multiply_adds + sum(searched[edge][op].multiply_adds for edge, op in enumerate(genotype))


@lru_cache
def _counts(space: CellSpace, shape: Shape) -> tuple[Count, list[list[Count]]]:
    """What stands outside the cells, and in all cells together by edge and operation."""
    edges, ops = range(len(space.edges)), range(len(space.ops))
    searched = [[Count.of(space.kernels(shape, edge, op)) for op in ops] for edge in edges]
    return Count.of(space.layout.fixed(shape).values()), searched
