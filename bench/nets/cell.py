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

from bench.nets.convolve import average_pool, convolve, plain_pool
from bench.spaces.space import Region, Space

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # ReLU-Conv-BN operations by kernel size
POOL, SKIP, NONE = "avg_pool_3x3", "skip_connect", "none"

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


class Gates:
    """The architecture weights of one forward pass: scalars for single terms, scales for normalised groups.

    theta: `[E, O]`; dtype: that of the activations. What cells of one width ask alike is made once.
    """

    def __init__(self, theta: Tensor, dtype: torch.dtype) -> None:
        self._theta, self._dtype = theta, dtype
        self._scales: dict[tuple[tuple[Group, ...], int], tuple[Tensor, ...]] = {}
        self._scalars: dict[torch.dtype, list[tuple[Tensor, ...]]] = {}

    def scalar(self, edge: int, op: int) -> Tensor:
        """The weight of one operation, in the type of the activations."""
        return self._rows(self._dtype)[edge][op]

    def scales(self, groups: tuple[Group, ...], channels: int) -> tuple[Tensor, ...]:
        """Per group, the weight of each of its operations repeated over its `channels`."""
        if (groups, channels) not in self._scales:
            rows = self._rows(self._theta.dtype)
            weights = torch.stack([rows[edge][group.op] for group in groups for edge in group.edges])
            # Contiguous, whatever their number: torch's normalisation reads its scale as if it were.
            wide = weights.repeat_interleave(channels, output_size=channels * len(weights))
            self._scales[groups, channels] = wide.split([channels * len(group.edges) for group in groups])
        return self._scales[groups, channels]

    def _rows(self, dtype: torch.dtype) -> list[tuple[Tensor, ...]]:
        if dtype not in self._scalars:
            self._scalars[dtype] = [row.unbind() for row in self._theta.to(dtype).unbind()]
        return self._scalars[dtype]


def batch_norm(x: Tensor, convs: Sequence[Conv], scales: Tensor | None, training: bool) -> Tensor:
    """Normalise `[B, len(convs) * C, H, W]` channel by channel and scale the result by `scales` `[len(convs) * C]`.

    Running statistics, where kept, are updated while training, as torch.nn.BatchNorm2d does.
    """
    channels = len(convs[0].kernel)
    scale, shift = scales, None
    affine: list[Tensor] = [c.affine for c in convs if c.affine is not None]
    if affine:
        both = torch.cat(affine, dim=1) if len(affine) > 1 else affine[0]
        scale, shift = (both if scales is None else both * scales).unbind()
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
                    y = F.conv2d(F.relu(source), conv.kernel.to(x.dtype), padding=conv.size // 2)
                    y = batch_norm(y, [conv], None, self.training)
                elif op == self.pool:
                    y = plain_pool(source)
                else:
                    y = source
                nodes[edge.target] = _plus(nodes[edge.target], y if gates is None else gates.scalar(e, op) * y)
        output = nodes[self.nodes]
        return torch.zeros_like(x) if output is None else output

    def _lean(self, x: Tensor, gates: Gates | None, used: Used) -> Tensor:
        plan = plan_of(self.space, used)
        groups = tuple(group for leaving in plan for group in leaving.groups)
        width = x.shape[1]
        scales: dict[Group, Tensor] = {}
        if gates is not None and groups:
            scales = dict(zip(groups, gates.scales(groups, width), strict=True))
        whole: list[list[Tensor]] = [[] for _ in range(self.nodes + 1)]  # terms of weight 1, by target node
        gated: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(self.nodes + 1)]  # terms with their weight
        for node, leaving in enumerate(plan):
            h = x if node == 0 else weighted_sum(whole[node], gated[node])
            if h is None:
                continue
            for op, edges in leaving.linear:
                y = average_pool(h) if op == self.pool else h
                for e in edges:
                    target = self.space.edges[e].target
                    if gates is None:
                        whole[target].append(y)
                    else:
                        gated[target].append((y, gates.scalar(e, op)))
            rectified = F.relu(h) if leaving.groups else h
            for group in leaving.groups:
                convs = [self.conv(e, group.op) for e in group.edges]
                y = convolve(rectified, _joined([c.kernel for c in convs]))
                y = batch_norm(y, convs, scales.get(group), self.training)
                for e, part in zip(group.edges, y.split(width, dim=1), strict=True):
                    whole[self.space.edges[e].target].append(part)
        output = weighted_sum(whole[self.nodes], gated[self.nodes])
        return torch.zeros_like(x) if output is None else output


@dataclass(frozen=True)
class Group:
    """One weighted operation on edges out of one node: one convolution and one normalisation."""

    op: int
    edges: tuple[int, ...]


@dataclass(frozen=True)
class Leaving:
    """What is computed from one node: skips and pooling with their edges, and groups of convolutions."""

    linear: tuple[tuple[int, tuple[int, ...]], ...]
    groups: tuple[Group, ...]


@lru_cache(maxsize=4096)
def plan_of(space: Space, used: Used) -> tuple[Leaving, ...]:
    """What the lean form computes, node by node."""
    plan = []
    for node in range(max(edge.target for edge in space.edges)):
        leaving = [e for e, edge in enumerate(space.edges) if edge.source == node]
        by_op = [(op, tuple(e for e in leaving if op in used[e])) for op in range(len(space.ops))]
        some = [(op, edges) for op, edges in by_op if edges]
        linear = tuple((op, edges) for op, edges in some if space.ops[op] not in KERNELS)
        plan.append(Leaving(linear, tuple(Group(op, edges) for op, edges in some if space.ops[op] in KERNELS)))
    return tuple(plan)


@lru_cache(maxsize=4096)
def used_operations(space: Space, region: Region) -> Used:
    """Per edge, the allowed operations that can matter: on a way from the input to the output that is not `none`."""
    none = space.ops.index(NONE) if NONE in space.ops else None
    allowed = [tuple(op for op in ops if op != none) for ops in region.lists]
    pairs = list(zip(space.edges, allowed, strict=True))
    fed, useful = {0}, {max(edge.target for edge in space.edges)}
    for edge, ops in pairs:  # sources come before targets
        if ops and edge.source in fed:
            fed.add(edge.target)
    for edge, ops in reversed(pairs):
        if ops and edge.source in fed and edge.target in useful:
            useful.add(edge.source)
    return tuple(ops if edge.source in fed and edge.target in useful else () for edge, ops in pairs)


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
    """The inner product of two `[B, C, H, W]`, read as they lie in memory where that is one stretch; of bfloat16 in
    single precision, which is also several times faster on a CPU."""
    order = (0, 2, 3, 1) if b.is_contiguous(memory_format=torch.channels_last) else (0, 1, 2, 3)
    a, b = a.permute(order).reshape(-1), b.permute(order).reshape(-1)
    if a.dtype == torch.bfloat16:
        return torch.dot(a.float(), b.float()).to(a.dtype)
    return torch.dot(a, b)


def weighted_sum(whole: Sequence[Tensor], gated: Sequence[tuple[Tensor, Tensor]]) -> Tensor | None:
    """The sum of `whole` and of term times weight over `gated`; None for no terms at all."""
    if not gated:
        return sum(whole[1:], whole[0]) if whole else None
    terms, gates = zip(*gated, strict=True)
    total: Tensor = _WeightedSum.apply(len(whole), len(gated), *whole, *terms, *gates)  # type: ignore[no-untyped-call]
    return total


def _plus(total: Tensor | None, term: Tensor) -> Tensor:
    return term if total is None else total + term


def _joined(kernels: Sequence[Tensor]) -> Tensor:
    return kernels[0] if len(kernels) == 1 else torch.cat(tuple(kernels))
