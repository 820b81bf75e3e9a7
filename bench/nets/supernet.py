"""All architectures of a space on shared weights: what every network of the kind offers, and does alike.

A kind of network is its skeleton: what stands before, between and behind the cells (`begin`, `enter`, `end`). Where the
cells stand and what they cost is written in the space's layout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from bench.errors import BadSpace
from bench.nets.cell import Cell, State
from bench.nets.mixture import Gates
from bench.nets.operations import Norm, check_forms
from bench.nets.streams import torch_stream
from bench.spaces.cells import CellSpace
from bench.spaces.layout import Place, Shape
from bench.spaces.operations import Kernel
from bench.spaces.space import Region, Space

Precision = Literal["fp32", "tf32", "bf16"]
"""The arithmetic of training passes. fp32: single precision throughout. tf32: single precision whose products a GPU
may round to 10 bits of mantissa; nothing else on a CPU. bf16: activations and products in bfloat16, weights,
statistics, head and loss in single precision. Networks in evaluation mode compute in the type of their images."""


COUNTED = 4096
"""Regions whose cost a supernet remembers."""


class Supernet(nn.Module, ABC):
    """Cells in stages; operations outside the region are not computed.

    Weights are drawn from streams named by place, e.g. `weights/0/stage1/cell0/edge3/op2`, as torch.nn.Conv2d
    draws them: a weight's start does not depend on which others exist. lean: whether cells take a lean form, where
    there is one. region: all that the network will be asked for, where it is less than the space. nested: see
    `bench.nets.nested`.
    """

    stages: nn.ModuleList
    maskable: ClassVar[bool] = False  # whether weights of 0 on all operations but a path's give what the path gives

    def __init__(
        self,
        space: Space,
        shape: Shape,
        norm: Norm,
        seed: int,
        name: str = "weights/0",
        lean: bool = True,
        precision: Precision = "fp32",
        region: Region | None = None,
        nested: bool = False,
    ) -> None:
        super().__init__()
        self.nested = nested
        self.space, self.shape, self.norm, self.precision = space, shape, norm, precision
        self.seed, self.name, self.lean, self.region = seed, name, lean, region

    # What a skeleton says

    @abstractmethod
    def begin(self, images: Tensor) -> State:
        """What the first cell sees of `[B, C, H, W]`."""

    @abstractmethod
    def end(self, state: State) -> Tensor:
        """Logits `[B, classes]`."""

    def enter(self, stage: int, state: State) -> State:
        """What stands before the cells of a stage."""
        return state

    def made(self, place: Place, region: Region | None = None) -> Cell:
        """The cell of a place, whose weights are drawn from streams named after it."""
        return Cell(self.inner, place, self.norm, self.draw, region, nested=self.nested)

    def between(self) -> list[nn.Parameter]:
        """The parameters that stand between cells."""
        return []

    @abstractmethod
    def behind(self) -> list[nn.Parameter]:
        """The parameters behind the last cell."""

    # What follows from it

    @property
    def inner(self) -> CellSpace:
        """The space of the cells."""
        return cast(CellSpace, self.space)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where cells stand, from the first to the last."""
        return self.inner.layout.places(self.shape)

    @cached_property
    def fixed(self) -> dict[str, Kernel]:
        """The convolutions outside the cells."""
        return dict(self.inner.layout.fixed(self.shape))

    def draw(self, place: str, outputs: int, inputs: int, size: int) -> Tensor:
        """An initial kernel."""
        bound = (inputs * size * size) ** -0.5  # kaiming_uniform with a = sqrt(5)
        return self.uniform((outputs, inputs, size, size), bound, place)

    def drawn(self, place: str, stream: str = "") -> Tensor:
        """The initial kernel of a convolution that is no operation; from the stream of its place, or another."""
        kernel = self.fixed[place]
        return self.draw(stream or place, kernel.outputs, kernel.inputs // kernel.groups, kernel.size)

    def uniform(self, shape: tuple[int, ...], bound: float, place: str) -> Tensor:
        """Between -bound and bound, from the stream of a place."""
        return (torch.rand(shape, generator=torch_stream(self.seed, f"{self.name}/{place}")) * 2 - 1) * bound

    def skeleton_norm(self, width: int) -> nn.BatchNorm2d:
        """Normalisation with a trained affine; `Norm` says whether it keeps running statistics."""
        return nn.BatchNorm2d(width, track_running_stats=self.norm.statistics != "batch")

    def linear_head(self) -> nn.Linear:
        """The classifier, as torch.nn.Linear starts it."""
        classes, width = self.shape.classes, self.fixed["head"].inputs
        head = _Linear(width, classes)
        with torch.no_grad():
            head.weight.copy_(self.uniform((classes, width), width**-0.5, "head/weight"))
            head.bias.copy_(self.uniform((classes,), width**-0.5, "head/bias"))
        return head

    def stretch(self, stage: int) -> nn.ModuleList:
        """The cells of a stage."""
        return nn.ModuleList(self.made(place, self.region) for place in self.places if place.stage == stage)

    def forward(self, images: Tensor, theta: Tensor | None, region: Region) -> Tensor:
        """Logits `[B, classes]`.

        images: `[B, C, H, W]`, normalised. theta: `[E, O]` weights of the operations; None means weight 1 on all
        that `region` allows, which for the region of one architecture is that architecture.
        """
        return self.end(self.through(images, theta, region))

    def through(self, images: Tensor, theta: Tensor | None, region: Region) -> State:
        """What the last cell leaves."""
        if self.precision == "bf16" and self.training:
            images = images.to(torch.bfloat16)
        gates = None if theta is None else Gates(theta, images.dtype)
        state, cell = self.begin(images), 0
        for stage, blocks in enumerate(self.stages):
            state = self.enter(stage, state)
            for block in blocks:  # type: ignore[attr-defined]  # a ModuleList
                state = block(state, gates, region.at(cell))
                cell += 1
        return state

    def blocks(self) -> Iterator[Cell]:
        """The cells, from the first to the last."""
        for stage in self.stages:
            yield from stage  # type: ignore[misc]  # a ModuleList

    def owned(self) -> Iterator[tuple[int, int, nn.Parameter]]:
        """The parameters of operations in all cells, with their edge and operation."""
        return (each for block in self.blocks() for each in block.owned())

    def of_edge(self, edge: int) -> list[nn.Parameter]:
        """The parameters of the operations on `edge`, in all cells."""
        return [p for e, _, p in self.owned() if e == edge]

    def shared_by(self, edge: int) -> list[nn.Parameter]:
        """The parameters in and between the cells that do not belong to `edge`: what its operations share."""
        own = {id(p) for p in self.of_edge(edge)}
        return [p for p in [*self.stages.parameters(), *self.between()] if id(p) not in own]

    def multiply_adds(self, region: Region) -> int:
        """Multiply-adds of one image's forward pass: convolutions and head, as the operations of `region` cost."""
        if region not in self._counted:
            if len(self._counted) >= COUNTED:
                self._counted.clear()
            inside = sum(block.multiply_adds(region.at(k)) for k, block in enumerate(self.blocks()))
            self._counted[region] = self._around + inside
        return self._counted[region]

    @cached_property
    def _counted(self) -> dict[Region, int]:
        return {}

    def outside(self) -> list[Kernel]:
        """The convolutions that no cell has."""
        return list(self.fixed.values())

    @cached_property
    def _around(self) -> int:
        return sum(kernel.multiply_adds for kernel in self.outside())


class _Linear(nn.Linear):
    """A layer whose weights are not drawn from torch's global generator."""

    def reset_parameters(self) -> None:
        """Nothing: whoever makes it sets them."""


def network_of(space: Space) -> Callable[..., Supernet]:
    """What makes the supernets of a space. Raises BadSpace where its network is not there or lacks an operation."""
    module, _, name = space.network.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadSpace(f"{space.name} names a network {space.network!r} that is not there: {error}") from None
    if isinstance(space, CellSpace):
        check_forms(space.operations)
    return cast(Callable[..., Supernet], found)


def supernet_of(
    space: Space, shape: Shape, norm: Norm, seed: int, name: str, precision: Precision = "fp32", nested: bool = False
) -> Supernet:
    """The supernet that holds all architectures of `space`."""
    return network_of(space)(space, shape, norm, seed, name, precision=precision, nested=nested)


def pooled_head(x: Tensor, head: nn.Linear) -> Tensor:
    """Logits `[B, classes]` of maps `[B, C, H, W]`: average pooling, summed in the type of the head, then the head."""
    logits: Tensor = head(x.mean((2, 3), dtype=head.weight.dtype))
    return logits
