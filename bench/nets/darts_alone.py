"""The networks in which DARTS trains a cell that was found (quark0/darts f276dd34, cnn/model.py), on their own weights.

They differ from search networks in what makes single architectures good: no normalisation behind poolings, a trained
affine and running statistics elsewhere, drop-path, and in training an auxiliary head behind the second reduction.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import BadSpec
from bench.nets.cell import Cell, State
from bench.nets.convolve import convolve
from bench.nets.darts import DartsNetwork
from bench.nets.darts_cell import DartsCell
from bench.nets.operations import Norm
from bench.nets.supernet import Supernet, pooled_head
from bench.spaces.layout import STEMS, Place, Shape
from bench.spaces.operations import Identity, strided
from bench.spaces.space import Genotype, Region
from bench.spaces.two_inputs import TwoInputs

NORM = Norm("running", affine=True)
WIDE, WIDER = 128, 768
"""Channels of an auxiliary head."""


class AloneCell(DartsCell):
    """A cell of one architecture, in which paths drop."""

    pools_normalised: ClassVar[bool] = False

    def dropped(self, state: State, region: Region, kept: Tensor | None) -> State:
        """The state behind the cell. kept: `[edges, B]`, by what each edge of the cell's type is multiplied, all but
        those that give their source as it is; None drops nothing."""
        inputs = self.brought(state)
        nodes: list[Tensor | None] = [*inputs, *[None] * self.kind.nodes]
        for number, (e, edge) in enumerate(self.edges):
            for op in region.lists[e]:
                if op == self.space.absent:
                    continue
                y = self.forms[e, op](nodes[edge.source])  # type: ignore[arg-type]  # every node takes two inputs
                whole = isinstance(self.space.operations[op], Identity) and self.space.strides[e] == 1
                if kept is not None and not whole:
                    y = y * kept[number, :, None, None, None]
                before = nodes[edge.target]
                nodes[edge.target] = y if before is None else before + y
        output = torch.cat([nodes[node] for node in self.kind.results], dim=1)  # type: ignore[misc]  # see above
        return (*state, output)[-len(state) :]


class AuxiliaryHead(nn.Module):
    """ReLU, 5x5 average pooling to 2x2 pixels, a 1x1 and a 2x2 convolution, a linear head. normalised: whether
    normalisation follows the 2x2 convolution, which it does not on ImageNet. Raises BadSpec for maps of another
    side."""

    def __init__(self, net: Supernet, width: int, side: int, stride: int, normalised: bool) -> None:
        super().__init__()
        if (side - 5) // stride + 1 != 2 or side < 5:
            raise BadSpec(
                f"the auxiliary head takes maps of {5 + stride} to {4 + 2 * stride} pixels a side and gets {side}: "
                "choose larger images, or a recipe without one"
            )
        self.stride = stride
        self.first = nn.Parameter(net.draw("auxiliary/first", WIDE, width, 1))
        self.first_norm = net.skeleton_norm(WIDE)
        self.second = nn.Parameter(net.draw("auxiliary/second", WIDER, WIDE, 2))
        self.second_norm = net.skeleton_norm(WIDER) if normalised else nn.Identity()
        classes, bound = net.shape.classes, WIDER**-0.5
        self.weight = nn.Parameter(net.uniform((classes, WIDER), bound, "auxiliary/head/weight"))
        self.bias = nn.Parameter(net.uniform((classes,), bound, "auxiliary/head/bias"))

    def forward(self, x: Tensor) -> Tensor:
        """Logits `[B, classes]` of maps `[B, C, H, W]`."""
        x = F.avg_pool2d(F.relu(x), 5, self.stride)
        x = F.relu(self.first_norm(F.conv2d(x, self.first)))
        x = F.relu(self.second_norm(F.conv2d(x, self.second)))
        return F.linear(x.flatten(1), self.weight, self.bias)


class DartsAlone(DartsNetwork):
    """That for CIFAR-10. auxiliary: whether it has an auxiliary head."""

    pooled: ClassVar[int] = 3  # the stride of the auxiliary head's pooling
    auxiliary_normalised: ClassVar[bool] = True

    def __init__(self, *made: Any, auxiliary: bool = False, **how: Any) -> None:
        super().__init__(*made, **how)
        last = next(p for p in reversed(self.places) if p.cell == self.inner.cells[-1].name)
        self.behind_cell = self.places.index(last)
        self.auxiliary = None
        if auxiliary:
            width = last.channels * self.inner.cells[-1].nodes
            self.auxiliary = AuxiliaryHead(self, width, strided(last.side, 2), self.pooled, self.auxiliary_normalised)

    def made(self, place: Place, region: Region | None = None) -> Cell:
        """In which paths drop."""
        return AloneCell(self, place, region)

    def trained(self, images: Tensor, region: Region, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Logits `[B, classes]`, and those of the auxiliary head in training, where there is one.

        kept: `[cells, edges of a cell, B]`, see `AloneCell.dropped`.
        """
        state, beside = self.begin(images), None
        for k, cell in enumerate(self.blocks()):
            assert isinstance(cell, AloneCell)
            state = cell.dropped(state, region, None if kept is None else kept[k])
            if k == self.behind_cell and self.training and self.auxiliary is not None:
                beside = self.auxiliary(state[-1])
        return self.end(state), beside


class ImageNetAlone(DartsAlone):
    """That for ImageNet (`bench.spaces.layout.StridedStems`)."""

    pooled: ClassVar[int] = 2
    auxiliary_normalised: ClassVar[bool] = False

    def make_stem(self) -> None:
        """Three convolutions with normalisation."""
        self.stems = nn.ParameterList(self.drawn(name) for name in STEMS)
        self.stem_norms = nn.ModuleList(self.skeleton_norm(self.fixed[name].outputs) for name in STEMS)

    def begin(self, images: Tensor) -> State:
        """What leaves the second, and what leaves the third."""
        found, x = [], images
        for k, (kernel, norm) in enumerate(zip(self.stems, self.stem_norms, strict=True)):
            x = norm(convolve(F.relu(x) if k else x, kernel, stride=2))
            found.append(x)
        return found[1], found[2]

    def end(self, state: State) -> Tensor:
        """Average pooling over all pixels, head: of 224 pixels, over the 7x7 of the paper."""
        return pooled_head(state[-1], self.head)


def parameters(net: nn.Module) -> int:
    """All but those of an auxiliary head, which are not used when a trained network is asked: what papers print."""
    return sum(p.numel() for name, p in net.named_parameters() if not name.startswith("auxiliary."))


def alone(space: TwoInputs, genotype: Genotype, shape: Shape, seed: int, auxiliary: bool) -> DartsAlone:
    """The network of one architecture on weights of that seed. Raises BadSpec."""
    kind = ImageNetAlone if space.network.endswith(ImageNetAlone.__name__) else DartsAlone
    region = space.alone(genotype)
    return kind(space, shape, NORM, seed, "retrained", lean=False, region=region, auxiliary=auxiliary)
