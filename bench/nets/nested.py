"""Operations whose kernels are parts of a larger operation's: weight sharing across kernel sizes and widths.

Once-for-All (Cai, Gan, Wang, Zhang & Han, ICLR 2020, section 3.3). A smaller kernel is the centre of the larger one,
passed through a matrix that all channels share and that starts as the identity ("elastic kernel size"). A narrower
block takes the first channels of the wider one, which `ordered` puts into the order of their weight ("elastic width").

Deviation: every operation has normalisation of its own, where the paper's share scales and shifts. By default there are
neither scales nor kept statistics to be shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from bench.errors import BadSpace
from bench.nets.operations import Conv, Form, InvertedBlock, Norm
from bench.spaces.operations import Kernel


class Centre(nn.Module):
    """The middle of kernels `[O, I, K, K]`, passed through a matrix of taps."""

    def __init__(self, size: int, of: int) -> None:
        super().__init__()
        self.size, self.edge = size, (of - size) // 2
        self.taps = nn.Parameter(torch.eye(size * size)) if of > size else None

    def forward(self, kernel: Tensor) -> Tensor:
        """`[O, I, size, size]`."""
        if self.taps is None:
            return kernel
        inner = slice(self.edge, self.edge + self.size)
        middle = kernel[:, :, inner, inner]
        return (middle.flatten(2) @ self.taps.t().to(kernel.dtype)).view_as(middle)


class NestedConv(Conv):
    """A dense convolution whose kernel is the centre of a larger one's."""

    def __init__(self, holder: Conv, kernel: Kernel, norm: Norm) -> None:
        super().__init__(torch.empty(kernel.outputs, 0, kernel.size, kernel.size), norm, holder.stride)
        del self.kernel
        self.centre = Centre(kernel.size, holder.size)
        self.holder = [holder]  # in a list: its parameters are its own

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H / stride, W / stride]`."""
        return self.through(x, self.centre(self.holder[0].kernel))


class NestedBlock(InvertedBlock):
    """A block of MobileNetV2 whose kernels are the first channels and the centre of a larger one's."""

    def __init__(self, holder: InvertedBlock, kernels: Sequence[Kernel], norm: Norm) -> None:
        super().__init__([torch.empty(k.outputs, k.inputs // k.groups, 0, 0) for k in kernels], norm, holder.stride)
        del self.kernels
        self.wide = kernels[0].outputs
        self.centre = Centre(kernels[1].size, holder.kernels[1].shape[-1])
        self.holder = [holder]

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H / stride, W / stride]`."""
        expand, deep, project = self.holder[0].kernels
        return self.through(x, expand[: self.wide], self.centre(deep[: self.wide]), project[:, : self.wide])


def part_of(holder: Form, kernels: Sequence[Kernel], norm: Norm) -> nn.Module:
    """An operation of these kernels whose weights are a part of `holder`'s. Raises BadSpace where they are larger, or
    where operations of that form hold no other."""
    if isinstance(holder, Conv):
        (kernel,) = kernels
        if kernel.size > holder.size:
            raise BadSpace(f"a kernel of {kernel.size} is no part of one of {holder.size}")
        return NestedConv(holder, kernel, norm)
    if isinstance(holder, InvertedBlock):
        wide, size = len(holder.kernels[0]), holder.kernels[1].shape[-1]
        if kernels[0].outputs > wide or kernels[1].size > size:
            raise BadSpace(
                f"a block of {kernels[0].outputs} channels and a kernel of {kernels[1].size} is no part of one of "
                f"{wide} and {size}"
            )
        return NestedBlock(holder, kernels, norm)
    raise BadSpace(f"kernels of the form {type(holder).__name__} hold no smaller ones")


@torch.no_grad()
def ordered(network: nn.Module, state: Mapping[Tensor, Mapping[str, Tensor]]) -> None:
    """Put the inner channels of all blocks that hold others into the order of their weight, the largest first: the sum
    of absolute values that leads from each into the output (the importance of Once-for-All's code). No such block
    computes anything else for it; what a narrower one takes from it is the best half, say, and no longer any.

    state: what an optimiser remembers of each weight, by name, which moves with it.
    """
    holders = [module.holder[0] for module in network.modules() if isinstance(module, NestedBlock)]
    for block in dict.fromkeys(holders):
        expand, deep, project = block.kernels
        order = project.abs().sum((0, 2, 3)).argsort(descending=True, stable=True)
        for weight, dim in ((expand, 0), (deep, 0), (project, 1)):
            _moved(weight, order, dim, state)
        for norm in block.normalised[:2]:
            if norm.affine is not None:
                _moved(norm.affine, order, 1, state)
            for kept in (norm.mean, norm.var):
                if kept is not None:
                    kept.copy_(kept[order])


def _moved(weight: Tensor, order: Tensor, dim: int, state: Mapping[Tensor, Mapping[str, Tensor]]) -> None:
    for tensor in (
        weight,
        *(value for value in state.get(weight, {}).values() if value.shape == weight.shape),
    ):
        tensor.copy_(tensor.index_select(dim, order))
