"""The searched cell of a supernet: every edge a weighted sum of the operations its region allows.

Two forms of one function, on the same parameters:

- `plain` is the definition, edge by edge and operation by operation;
- `lean` computes the same with far fewer kernels. Per source node: one ReLU, one pooling, one 3x3 and one 1x1
  convolution over all outgoing edges, one normalisation of each, with the architecture weight as its scale.

They agree in loss and every gradient to rounding (tests/test_supernet.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.space import Region, Space

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # ReLU-Conv-BN operations by kernel size
POOL, SKIP, NONE = "avg_pool_3x3", "skip_connect", "none"

Gates = Sequence[Sequence[Tensor]]
"""Architecture weights as scalars, `gates[edge][operation]`."""

Used = tuple[tuple[int, ...], ...]
"""The operations that are computed, per edge."""


@dataclass(frozen=True)
class Norm:
    """Batch normalisation of the searched operations.

    `batch` statistics and no affine are the papers' setting for weight sharing (DARTS, appendix A.1.1): running
    averages would mix the statistics of all architectures, and a trained scale would undo the architecture weight.
    """

    statistics: Literal["batch", "running"] = "batch"
    affine: bool = False


class Conv(nn.Module):
    """The kernel of one ReLU-Conv-BN operation on one edge, with what its normalisation keeps."""

    mean: Tensor | None
    var: Tensor | None

    def __init__(self, channels: int, size: int, norm: Norm, kernel: Tensor) -> None:
        super().__init__()
        self.size = size
        self.kernel = nn.Parameter(kernel)
        self.affine = nn.Parameter(torch.stack([torch.ones(channels), torch.zeros(channels)])) if norm.affine else None
        running = norm.statistics == "running"
        self.register_buffer("mean", torch.zeros(channels) if running else None)
        self.register_buffer("var", torch.ones(channels) if running else None)


def batch_norm(x: Tensor, convs: list[Conv], gates: list[Tensor] | None, training: bool) -> Tensor:
    """Normalise `[B, len(convs) * C, H, W]` group by group and scale group k by the scalar `gates[k]`.

    Running statistics, where kept, are updated while training, as torch.nn.BatchNorm2d does.
    """
    channels = len(convs[0].kernel)
    scale = shift = None
    affine: list[Tensor] = [c.affine for c in convs if c.affine is not None]
    if affine:
        both = torch.cat(affine if gates is None else [a * g for a, g in zip(affine, gates, strict=True)], dim=1)
        scale, shift = both.unbind()
    elif gates is not None:
        scale = torch.stack(gates).repeat_interleave(channels, output_size=channels * len(convs))
    kept = [(c.mean, c.var) for c in convs if c.mean is not None and c.var is not None]
    if not kept:
        return F.batch_norm(x, None, None, scale, shift, True)
    mean, var = torch.cat([m for m, _ in kept]), torch.cat([v for _, v in kept])
    y = F.batch_norm(x, mean, var, scale, shift, training)
    if training:
        for (m, v), new_m, new_v in zip(kept, mean.split(channels), var.split(channels), strict=True):
            m.copy_(new_m)
            v.copy_(new_v)
    return y


class Cell(nn.Module):
    """One cell on shared weights. `kernels(edge, op)` gives initial weights `[C, C, k, k]`; `region`, where it is
    given, is all that the cell will be asked for, and only its operations have weights."""

    def __init__(
        self,
        space: Space,
        channels: int,
        norm: Norm,
        kernels: Callable[[int, int], Tensor],
        lean: bool = True,
        region: Region | None = None,
    ) -> None:
        super().__init__()
        self.space = space
        self.lean = lean
        self.nodes = max(edge.target for edge in space.edges)
        self.sizes = {op: KERNELS[name] for op, name in enumerate(space.ops) if name in KERNELS}
        named = {name: op for op, name in enumerate(space.ops)}
        self.skip, self.pool = named.get(SKIP), named.get(POOL)
        self.convs = nn.ModuleDict(
            {
                f"{edge}/{op}": Conv(channels, size, norm, kernels(edge, op))
                for edge in range(len(space.edges))
                for op, size in self.sizes.items()
                if region is None or op in region.allowed[edge]
            }
        )

    def conv(self, edge: int, op: int) -> Conv:
        """The weights of operation `op` on `edge`."""
        return self.convs[f"{edge}/{op}"]  # type: ignore[return-value]

    def forward(self, x: Tensor, gates: Gates | None, region: Region) -> Tensor:
        """The output node of x `[B, C, H, W]`; gates None means weight 1 on every allowed operation.

        Operations outside the region, and edges into nodes that cannot reach the output within it, are not computed.
        """
        used = used_operations(self.space, region)
        return self._lean(x, gates, used) if self.lean else self._plain(x, gates, used)

    def _plain(self, x: Tensor, gates: Gates | None, used: Used) -> Tensor:
        nodes: list[Tensor | None] = [x] + [None] * self.nodes
        for e, edge in enumerate(self.space.edges):
            source = nodes[edge.source]
            if source is None:
                continue
            for op in used[e]:
                if op in self.sizes:
                    conv = self.conv(e, op)
                    y = F.conv2d(F.relu(source), conv.kernel, padding=conv.size // 2)
                    y = batch_norm(y, [conv], None, self.training)
                elif op == self.pool:
                    y = F.avg_pool2d(source, 3, 1, 1, count_include_pad=False)
                else:
                    y = source
                nodes[edge.target] = _plus(nodes[edge.target], y if gates is None else gates[e][op] * y)
        output = nodes[self.nodes]
        return torch.zeros_like(x) if output is None else output

    def _lean(self, x: Tensor, gates: Gates | None, used: Used) -> Tensor:
        whole: list[list[Tensor]] = [[] for _ in range(self.nodes + 1)]  # terms of weight 1, by target node
        gated: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(self.nodes + 1)]  # terms with their weight
        for node in range(self.nodes):
            h = x if node == 0 else weighted_sum(whole[node], gated[node])
            if h is None:
                continue
            leaving = [e for e, edge in enumerate(self.space.edges) if edge.source == node]
            for op in (op for op in (self.skip, self.pool) if op is not None):
                edges = [e for e in leaving if op in used[e]]
                y = average_pool(h) if edges and op == self.pool else h
                for e in edges:
                    target = self.space.edges[e].target
                    if gates is None:
                        whole[target].append(y)
                    else:
                        gated[target].append((y, gates[e][op]))
            rectified: Tensor | None = None
            for op, size in self.sizes.items():
                edges = [e for e in leaving if op in used[e]]
                if not edges:
                    continue
                rectified = F.relu(h) if rectified is None else rectified
                convs = [self.conv(e, op) for e in edges]
                y = F.conv2d(rectified, _joined([c.kernel for c in convs]), padding=size // 2)
                scales = None if gates is None else [gates[e][op] for e in edges]
                y = batch_norm(y, convs, scales, self.training)
                for e, part in zip(edges, y.split(len(convs[0].kernel), dim=1), strict=True):
                    whole[self.space.edges[e].target].append(part)
        output = weighted_sum(whole[self.nodes], gated[self.nodes])
        return torch.zeros_like(x) if output is None else output


@lru_cache(maxsize=4096)
def used_operations(space: Space, region: Region) -> Used:
    """Per edge, the allowed operations that can matter: none where every way on to the output is `none`."""
    none = space.ops.index(NONE) if NONE in space.ops else None
    allowed = [tuple(op for op in ops if op != none) for ops in region.lists]
    useful = {max(edge.target for edge in space.edges)}
    for edge, ops in reversed(list(zip(space.edges, allowed, strict=True))):
        if ops and edge.target in useful:
            useful.add(edge.source)
    return tuple(ops if edge.target in useful else () for edge, ops in zip(space.edges, allowed, strict=True))


class _WeightedSum(torch.autograd.Function):
    """Sum of `terms[:n]`, plus each of the next m terms times the scalar that stands m places behind it.

    One pass over memory per term and no temporary, where autograd's own product and sum take two and one.
    """

    @staticmethod
    def forward(ctx: Any, n: int, m: int, *terms: Tensor) -> Tensor:
        ctx.n, ctx.m = n, m
        ctx.save_for_backward(*terms[n:])
        if n > 1:
            total = terms[0] + terms[1]
        elif n == 1:
            total = terms[0].clone()
        else:
            total = terms[0] * terms[m]
        for term in terms[2:n]:
            total += term
        for k in range(n if n else 1, n + m):
            total.addcmul_(terms[k], terms[k + m])
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        terms, gates = ctx.saved_tensors[: ctx.m], ctx.saved_tensors[ctx.m :]
        wanted = ctx.needs_input_grad[2 + ctx.n :]
        by_term = [gradient * g if w else None for g, w in zip(gates, wanted[: ctx.m], strict=True)]
        by_gate = [_dot(gradient, t) if w else None for t, w in zip(terms, wanted[ctx.m :], strict=True)]
        return (None, None, *([gradient] * ctx.n), *by_term, *by_gate)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of two `[B, C, H, W]`, read as they lie in memory where that is one stretch."""
    order = (0, 2, 3, 1) if b.is_contiguous(memory_format=torch.channels_last) else (0, 1, 2, 3)
    return torch.dot(a.permute(order).reshape(-1), b.permute(order).reshape(-1))


def weighted_sum(whole: Sequence[Tensor], gated: Sequence[tuple[Tensor, Tensor]]) -> Tensor | None:
    """The sum of `whole` and of term times weight over `gated`; None for no terms at all."""
    if not gated:
        return sum(whole[1:], whole[0]) if whole else None
    terms, gates = zip(*gated, strict=True)
    total: Tensor = _WeightedSum.apply(len(whole), len(gated), *whole, *terms, *gates)  # type: ignore[no-untyped-call]
    return total


def average_pool(x: Tensor) -> Tensor:
    """3x3 average pooling, stride 1, that does not count its padding.

    On a CPU and from 16x16 pixels, a depthwise convolution with a correction at the border takes less than half
    the time of `avg_pool2d`; elsewhere it is no faster.
    """
    size = x.shape[-1]
    if x.device.type != "cpu" or size < 16:
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    ones = x.new_ones(1, 1, *x.shape[2:])
    counted = F.conv2d(ones, x.new_ones(1, 1, 3, 3), padding=1)  # pixels under each window
    return F.conv2d(x, x.new_ones(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1]) / counted


def _plus(total: Tensor | None, term: Tensor) -> Tensor:
    return term if total is None else total + term


def _joined(kernels: Sequence[Tensor]) -> Tensor:
    return kernels[0] if len(kernels) == 1 else torch.cat(tuple(kernels))
