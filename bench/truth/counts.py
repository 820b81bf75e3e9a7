"""Parameters and multiply-adds of a stand-alone network, counted as NAS-Bench-201 counts them.

Every operation that a genotype names is counted, also one off all input-output paths, which the trainer leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.spaces import nb201
from bench.spaces.space import Genotype

STAGES = 3  # as in bench.nets.supernet, which would bring torch with it


@dataclass(frozen=True)
class Skeleton:
    """What surrounds the cells."""

    channels: int  # of the first stage
    cells: int  # per stage
    size: int  # height and width of the images, pixels
    image_channels: int
    classes: int


def parameters(genotype: Genotype, skeleton: Skeleton) -> int:
    """Kernels, normalisation scales and shifts, and the head with its bias."""
    kernels = sum(inputs * outputs * k * k for inputs, outputs, k, _ in _convolutions(genotype, skeleton))
    norms = sum(outputs for _, outputs, _, _ in _convolutions(genotype, skeleton))
    norms -= sum(skeleton.channels << stage for stage in range(1, STAGES))  # the residual paths have none
    last = skeleton.channels << (STAGES - 1)
    return kernels + 2 * (norms + last) + (last + 1) * skeleton.classes


def multiply_adds(genotype: Genotype, skeleton: Skeleton) -> int:
    """Multiply-adds of convolutions and head for one image; normalisation, pooling and sums count nothing.
    NAS-Bench-201 calls these FLOPs."""
    head = (skeleton.channels << (STAGES - 1)) * skeleton.classes
    return head + sum(i * o * k * k * size**2 for i, o, k, size in _convolutions(genotype, skeleton))


def _convolutions(genotype: Genotype, skeleton: Skeleton) -> Iterator[tuple[int, int, int, int]]:
    """(input channels, output channels, kernel size, output height and width) of every convolution."""
    width, size = skeleton.channels, skeleton.size
    yield skeleton.image_channels, width, 3, size
    for stage in range(STAGES):
        if stage:
            size //= 2
            yield width, 2 * width, 3, size
            yield 2 * width, 2 * width, 3, size
            yield width, 2 * width, 1, size
            width *= 2
        for op in genotype * skeleton.cells:
            if op in (nb201.CONV1, nb201.CONV3):
                yield width, width, 1 if op == nb201.CONV1 else 3, size
