"""How the operations of `bench.spaces.operations` are computed: one form for each class, with its weights.

Normalisation follows `Norm`; images are `[B, C, H, W]`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import BadSpace
from bench.nets.convolve import convolve, even, plain_pool
from bench.spaces.operations import (
    Absent,
    Convolution,
    Identity,
    InvertedResidual,
    MobileLayers,
    Operation,
    Partial,
    Pooling,
    Separable,
    Shortcut,
)

Form = Callable[[Tensor], Tensor]
"""An operation at one place: a module where it has weights or statistics."""


@dataclass(frozen=True)
class Norm:
    """Batch normalisation of the searched operations.

    `batch` statistics and no affine are the papers' setting for weight sharing (DARTS, appendix A.1.1): running
    averages would mix the statistics of all architectures, and a trained scale would undo the architecture weight.
    With `skeleton` they are kept outside the cells alone, as the code of NAS-Bench-201 estimates architectures; it
    ranks no better than `batch`.
    """

    statistics: Literal["batch", "running", "skeleton"] = "batch"
    affine: bool = False


class Statistics(nn.Module):
    """What the normalisation of so many channels keeps and trains."""

    mean: Tensor | None
    var: Tensor | None

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.channels = channels
        self.affine = nn.Parameter(torch.stack([torch.ones(channels), torch.zeros(channels)])) if norm.affine else None
        running = norm.statistics == "running"
        self.register_buffer("mean", torch.zeros(channels) if running else None)
        self.register_buffer("var", torch.ones(channels) if running else None)


class Conv(nn.Module):
    """ReLU, one dense convolution with half padding, normalisation."""

    def __init__(self, kernel: Tensor, norm: Norm, stride: int = 1) -> None:
        super().__init__()
        self.size, self.stride = kernel.shape[-1], stride
        self.kernel = nn.Parameter(kernel)
        self.norm = Statistics(len(kernel), norm)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H / stride, W / stride]`."""
        return self.through(x, self.kernel)

    def through(self, x: Tensor, kernel: Tensor) -> Tensor:
        """The same with a given kernel."""
        x, kernel = F.relu(x), kernel.to(x.dtype)
        if self.size == 1:
            y = F.conv2d(x[:, :, :: self.stride, :: self.stride], kernel)  # see `FactorisedReduction`
        else:
            y = F.conv2d(x, kernel, stride=self.stride, padding=self.size // 2)
        return batch_norm(y, [self.norm], None, self.training)


class SeparableConv(nn.Module):
    """ReLU, depthwise convolution, 1x1 convolution and normalisation, once or several times."""

    def __init__(self, kernels: Sequence[Tensor], norm: Norm, stride: int, dilation: int) -> None:
        super().__init__()
        self.stride, self.dilation = stride, dilation
        self.depthwise = nn.ParameterList(kernels[::2])
        self.pointwise = nn.ParameterList(kernels[1::2])
        self.norms = nn.ModuleList(Statistics(len(kernel), norm) for kernel in kernels[1::2])

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, C, H / stride, W / stride]`."""
        stride = self.stride
        for deep, wide, norm in zip(self.depthwise, self.pointwise, self.norms, strict=True):
            padding = self.dilation * (deep.shape[-1] // 2)
            x = F.conv2d(F.relu(x), deep.to(x.dtype), None, stride, padding, self.dilation, groups=len(deep))
            x = batch_norm(F.conv2d(x, wide.to(x.dtype)), [norm], None, self.training)  # type: ignore[list-item]
            stride = 1
        return x


class FactorisedReduction(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2, the second on pixels shifted by one, side by side; normalisation."""

    def __init__(self, kernels: Sequence[Tensor], norm: Norm) -> None:
        super().__init__()
        self.halves = nn.ParameterList(kernels)
        self.norm = Statistics(sum(map(len, kernels)), norm)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H / 2, W / 2]`, rounded up."""
        x = F.relu(x)
        # Every other pixel by hand: the gradient of a 1x1 convolution of stride 2 writes outside its memory in torch
        # 2.13 on a CPU, where images lie channels last and outputs are few.
        x = even(x)
        parts = [F.conv2d(x[:, :, k::2, k::2], half.to(x.dtype)) for k, half in enumerate(self.halves)]
        return batch_norm(torch.cat(parts, dim=1), [self.norm], None, self.training)


class Projection(nn.Module):
    """A 1x1 convolution and normalisation."""

    def __init__(self, kernel: Tensor, norm: Norm, stride: int) -> None:
        super().__init__()
        self.stride, self.kernel, self.norm = stride, nn.Parameter(kernel), Statistics(len(kernel), norm)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H / stride, W / stride]`."""
        y = convolve(x[:, :, :: self.stride, :: self.stride], self.kernel)  # see `FactorisedReduction`
        return batch_norm(y, [self.norm], None, self.training)


class InvertedBlock(nn.Module):
    """1x1 convolution, depthwise convolution, 1x1 convolution, all normalised, ReLU between them; plus the source where
    it has the same shape."""

    def __init__(self, kernels: Sequence[Tensor], norm: Norm, stride: int) -> None:
        super().__init__()
        self.stride, self.whole = stride, stride == 1 and kernels[0].shape[1] == len(kernels[2])
        self.kernels = nn.ParameterList(kernels)
        self.norms = nn.ModuleList(Statistics(len(kernel), norm) for kernel in kernels)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H / stride, W / stride]`."""
        return self.through(x, *self.kernels)

    def through(self, x: Tensor, expand: Tensor, deep: Tensor, project: Tensor) -> Tensor:
        """The same with given kernels."""
        y = F.relu(self._normed(0, convolve(x, expand)))
        y = F.relu(self._normed(1, convolve(y, deep, self.stride, groups=len(deep))))
        y = self._normed(2, convolve(y, project))
        return x + y if self.whole else y

    @property
    def normalised(self) -> list[Statistics]:
        """Behind each of the three."""
        return list(self.norms)  # type: ignore[arg-type]  # a ModuleList

    def _normed(self, which: int, x: Tensor) -> Tensor:
        return batch_norm(x, [self.norms[which]], None, self.training)  # type: ignore[list-item]  # a ModuleList


class SqueezeExcitation(nn.Module):
    """Channels scaled by a hard sigmoid of what two 1x1 convolutions, with ReLU between them, make of their means."""

    def __init__(self, squeeze: Tensor, excite: Tensor) -> None:
        super().__init__()
        self.kernels = nn.ParameterList([squeeze, excite])
        self.biases = nn.ParameterList([torch.zeros(len(squeeze)), torch.zeros(len(excite))])

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to the same."""
        y = x.mean((2, 3), keepdim=True)
        for kernel, bias, then in zip(self.kernels, self.biases, (F.relu, F.hardsigmoid), strict=True):
            y = then(convolve(y, kernel) + bias.to(y.dtype).view(-1, 1, 1))
        return x * y


class MobileLayer(nn.Module):
    """1x1 convolution, where the layer widens; depthwise convolution; squeeze-and-excitation, where there is one; 1x1
    convolution. Normalised, all but the last with ReLU; plus the source where it has the same shape."""

    def __init__(self, kernels: Sequence[Tensor], norm: Norm, stride: int, squeezed: bool) -> None:
        super().__init__()
        expand, (deep, *scaling, project) = kernels[: -2 - 2 * squeezed], kernels[-2 - 2 * squeezed :]
        self.expands, self.stride = bool(expand), stride
        inputs = expand[0].shape[1] if expand else len(deep)
        self.whole = stride == 1 and inputs == len(project)
        self.kernels = nn.ParameterList([*expand, deep, project])
        self.norms = nn.ModuleList(Statistics(len(kernel), norm) for kernel in self.kernels)
        self.scale = SqueezeExcitation(*scaling) if squeezed else None

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, outputs, H / stride, W / stride]`."""
        *expand, deep, project = self.kernels
        y = x
        for kernel in expand:
            y = F.relu(self._normed(0, convolve(y, kernel)))
        y = F.relu(self._normed(-2, convolve(y, deep, self.stride, groups=len(deep))))
        y = self._normed(-1, convolve(y if self.scale is None else self.scale(y), project))
        return x + y if self.whole else y

    def _normed(self, which: int, x: Tensor) -> Tensor:
        return batch_norm(x, [self.norms[which]], None, self.training)  # type: ignore[list-item]  # a ModuleList


class NormalisedPool(nn.Module):
    """Pooling with normalisation behind it, as DARTS searches with."""

    def __init__(self, pool: Form, channels: int, norm: Norm) -> None:
        super().__init__()
        self.pool, self.norm = pool, Statistics(channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, C, H / stride, W / stride]`."""
        return batch_norm(self.pool(x), [self.norm], None, self.training)


@dataclass(frozen=True)
class Site:
    """Where an operation stands. pools_normalised: whether normalisation follows a pooling there; widens: whether other
    channels come in than go out."""

    channels: int
    stride: int
    norm: Norm
    pools_normalised: bool = False
    widens: bool = False


def _identity(operation: Identity, kernels: Sequence[Tensor], site: Site) -> Form:
    return (lambda x: x) if site.stride == 1 else FactorisedReduction(kernels, site.norm)


def _pool(operation: Pooling, kernels: Sequence[Tensor], site: Site) -> Form:
    size, stride = operation.size, site.stride

    def pool(x: Tensor) -> Tensor:
        if operation.kind == "maximum":
            return F.max_pool2d(x, size, stride, size // 2)
        if size == 3 and stride == 1:
            return plain_pool(x)
        x = x if x.device.type == "cpu" else x.contiguous()  # see `bench.nets.convolve.Pooled`
        return F.avg_pool2d(x, size, stride, size // 2, count_include_pad=False)

    return NormalisedPool(pool, site.channels, site.norm) if site.pools_normalised else pool


def _convolution(operation: Convolution, kernels: Sequence[Tensor], site: Site) -> Form:
    return Conv(kernels[0], site.norm, site.stride)


def _separable(operation: Separable, kernels: Sequence[Tensor], site: Site) -> Form:
    return SeparableConv(kernels, site.norm, site.stride, operation.dilation)


def _shortcut(operation: Shortcut, kernels: Sequence[Tensor], site: Site) -> Form:
    return Projection(kernels[0], site.norm, site.stride) if kernels else (lambda x: x)


def _inverted(operation: InvertedResidual, kernels: Sequence[Tensor], site: Site) -> Form:
    return InvertedBlock(kernels, site.norm, site.stride)


def _mobile(operation: MobileLayers, kernels: Sequence[Tensor], site: Site) -> Form:
    each = len(kernels) // operation.layers
    parted = [kernels[k : k + each] for k in range(0, len(kernels), each)]
    strides = (site.stride, *[1] * (operation.layers - 1))
    made = zip(parted, strides, strict=True)
    return nn.Sequential(*(MobileLayer(own, site.norm, stride, operation.squeezed) for own, stride in made))


class PartialForm(nn.Module):
    """A form on the first of so many parts of the channels; the others pass beside it, halved by pooling where it has a
    stride. Then channels are shuffled: the first of every part, the second of every part, and so on."""

    def __init__(self, inner: Form, share: int, stride: int) -> None:
        super().__init__()
        self.inner, self.share, self.stride = inner, share, stride

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, C, H / stride, W / stride]`."""
        own, rest = x.split([x.shape[1] // self.share, x.shape[1] - x.shape[1] // self.share], dim=1)
        whole = torch.cat([self.inner(own), F.max_pool2d(rest, 2, 2) if self.stride > 1 else rest], dim=1)
        batch, channels, *sides = whole.shape
        return whole.view(batch, self.share, -1, *sides).transpose(1, 2).reshape(batch, channels, *sides)


def _partial(operation: Partial, kernels: Sequence[Tensor], site: Site) -> Form:
    if site.widens:
        return form(operation.inner, kernels, site)
    own = replace(site, channels=site.channels // operation.share)
    inner = _nothing(site.stride) if operation.inner.absent else form(operation.inner, kernels, own)
    return PartialForm(inner, operation.share, site.stride)


def _nothing(stride: int) -> Form:
    return lambda x: torch.zeros_like(x[:, :, ::stride, ::stride])


FORMS: dict[type[Operation], Callable[[Any, Sequence[Tensor], Site], Form]] = {
    Identity: _identity,
    Partial: _partial,
    Pooling: _pool,
    Convolution: _convolution,
    Separable: _separable,
    Shortcut: _shortcut,
    InvertedResidual: _inverted,
    MobileLayers: _mobile,
}
"""By the class of an operation: its form, from its initial kernels `[outputs, inputs / groups, k, k]`."""


def check_forms(operations: Sequence[Operation]) -> None:
    """Raises BadSpace where an operation has no form."""
    for operation in operations:
        if not isinstance(operation, Absent):
            _maker(operation)


def form(operation: Operation, kernels: Sequence[Tensor], site: Site) -> Form:
    """How an operation is computed at a site. Raises BadSpace where it has no form."""
    return _maker(operation)(operation, kernels, site)


def _maker(operation: Operation) -> Callable[[Any, Sequence[Tensor], Site], Form]:
    """What makes the form: from `FORMS`, or what the class of the operation names. Raises BadSpace."""
    kind = type(operation)
    if kind in FORMS:
        return FORMS[kind]
    if not kind.form:
        raise BadSpace(
            f"operation {operation.name!r} has no form; give its class, {kind.__name__}, a line in FORMS of "
            "bench/nets/operations.py, or a `form`"
        )
    try:
        found: Callable[[Any, Sequence[Tensor], Site], Form] = pkgutil.resolve_name(kind.form)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadSpace(f"operation {operation.name!r} names a form {kind.form!r} that is not there: {error}") from None
    return found


def batch_norm(x: Tensor, norms: Sequence[Statistics], scales: Tensor | None, training: bool) -> Tensor:
    """Normalise `[B, len(norms) * C, H, W]` channel by channel and scale the result by `scales` `[len(norms) * C]`.

    Running statistics, where kept, are updated while training, as torch.nn.BatchNorm2d does.
    """
    channels = norms[0].channels
    scale, shift = scales, None
    affine: list[Tensor] = [n.affine for n in norms if n.affine is not None]
    if affine:
        both = torch.cat(affine, dim=1) if len(affine) > 1 else affine[0]
        scale, shift = (both if scales is None else both * scales).unbind()
    kept = [(n.mean, n.var) for n in norms if n.mean is not None and n.var is not None]
    if not kept:
        return F.batch_norm(x, None, None, scale, shift, True)
    if len(kept) == 1:
        return F.batch_norm(x, *kept[0], scale, shift, training)
    mean, var = torch.cat([m for m, _ in kept]), torch.cat([v for _, v in kept])
    y = F.batch_norm(x, mean, var, scale, shift, training)
    if training:
        for (m, v), new_m, new_v in zip(kept, mean.split(channels), var.split(channels), strict=True):
            m.copy_(new_m)
            v.copy_(new_v)
    return y
