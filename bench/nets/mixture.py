"""Sums of operations by their architecture weights: one pass over memory per term, and its way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """One weighted operation on edges out of one node: one convolution and one normalisation."""

    op: int
    edges: tuple[int, ...]


Item = tuple[int, int]
"""An operation on an edge: (edge, operation)."""


class Gates:
    """The architecture weights of one forward pass: scalars for single terms, scales for normalised groups.

    theta: `[E, O]`; dtype: that of the activations. What cells of one width ask alike is made once.
    """

    def __init__(self, theta: Tensor, dtype: torch.dtype) -> None:
        self._theta, self._dtype = theta, dtype
        self._scales: dict[tuple[tuple[Group, ...], int], tuple[Tensor, ...]] = {}
        self._wide: dict[tuple[tuple[Item | None, ...], int], Tensor] = {}
        self._matrices: dict[tuple[tuple[Item | None, ...], ...], Tensor] = {}
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

    def rows(self, places: tuple[Item | None, ...], channels: int) -> Tensor:
        """`[len(places) * channels]`: the weight of each place repeated over its channels; 1 for None."""
        if (places, channels) not in self._wide:
            rows = self._rows(self._theta.dtype)
            one = self._theta.new_ones(())
            weights = torch.stack([one if place is None else rows[place[0]][place[1]] for place in places])
            wide = weights.repeat_interleave(channels, output_size=channels * len(weights))  # contiguous, as above
            self._wide[places, channels] = wide
        return self._wide[places, channels]

    def matrix(self, places: tuple[tuple[Item | None, ...], ...]) -> Tensor:
        """The weights of places in rows and columns, in the type of the activations; 0 for None."""
        if places not in self._matrices:
            rows = self._rows(self._dtype)
            nothing = self._theta.new_zeros((), dtype=self._dtype)
            weights = [nothing if place is None else rows[place[0]][place[1]] for line in places for place in line]
            self._matrices[places] = torch.stack(weights).view(len(places), -1)
        return self._matrices[places]

    def _rows(self, dtype: torch.dtype) -> list[tuple[Tensor, ...]]:
        if dtype not in self._scalars:
            self._scalars[dtype] = [row.unbind() for row in self._theta.to(dtype).unbind()]
        return self._scalars[dtype]


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


def total(terms: Sequence[Tensor]) -> Tensor:
    """The sum of one term or more, one pass over memory each."""
    if len(terms) == 1:
        return terms[0]
    added: Tensor = _WeightedSum.apply(len(terms), 0, *terms)  # type: ignore[no-untyped-call]
    return added
