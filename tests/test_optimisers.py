"""Our optimisers against torch's classes, number by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor

from bench.search.optimisers import MOMENTUM, SGD, Adam, Optimiser

STEPS = 6


def parameters(dtype: torch.dtype) -> list[torch.nn.Parameter]:
    """Of several shapes, one of them channels last."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((5, 3), (7,), (4, 3, 3, 3), (2, 1))
    made = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    made[2] = made[2].contiguous(memory_format=torch.channels_last)
    return [torch.nn.Parameter(values) for values in made]


def gradients(like: Sequence[Tensor], seed: int) -> Iterator[Tensor | None]:
    """One for each but every third, which differ from step to step."""
    generator = torch.Generator().manual_seed(seed)
    for place, parameter in enumerate(like):
        drawn = torch.empty_like(parameter, requires_grad=False).copy_(
            torch.randn(parameter.shape, generator=generator)
        )
        yield None if (place + seed) % 3 == 0 else drawn


def moved(ours: Optimiser, theirs: torch.optim.Optimizer, twins: Sequence[Tensor]) -> None:
    """Both, by the same gradients, at a rate that falls; equal to the bit after every step."""
    for step in range(STEPS):
        ours.rate = theirs.param_groups[0]["lr"] = 0.1 / (1 + step)
        for own, twin, gradient in zip(ours.parameters, twins, gradients(twins, step), strict=True):
            own.grad, twin.grad = gradient, None if gradient is None else gradient.clone()
        ours.step()
        theirs.step()
        for own, twin in zip(ours.parameters, twins, strict=True):
            assert torch.equal(own, twin)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("momentum", "nesterov", "decay"), [(0.9, True, 5e-4), (0.9, False, 0.0), (0.0, True, 1e-2)])
def test_sgd_moves_as_that_of_torch(dtype: torch.dtype, momentum: float, nesterov: bool, decay: float) -> None:
    own, twins = parameters(dtype), parameters(dtype)
    theirs = torch.optim.SGD(twins, 0.1, momentum, weight_decay=decay, nesterov=nesterov and momentum > 0, fused=True)
    for twin in twins if momentum else []:
        theirs.state[twin][MOMENTUM] = torch.zeros_like(twin)
    moved(SGD(own, 0.1, momentum, nesterov, decay), theirs, twins)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_adam_moves_as_that_of_torch(dtype: torch.dtype) -> None:
    own, twins = parameters(dtype), parameters(dtype)
    theirs = torch.optim.Adam(twins, 0.1, (0.5, 0.999), weight_decay=1e-3, fused=True)
    moved(Adam(own, 0.1, (0.5, 0.999), 1e-3), theirs, twins)


@pytest.mark.parametrize("adam", [False, True])
def test_one_goes_on_as_another_did_and_shares_nothing_with_it(adam: bool) -> None:
    def made() -> Optimiser:
        own = parameters(torch.float32)
        return Adam(own, 0.1, (0.5, 0.999), 1e-3) if adam else SGD(own, 0.1, 0.9, True, 5e-4)

    def moves(one: Optimiser, seeds: range) -> list[Tensor]:
        for seed in seeds:
            for parameter, gradient in zip(one.parameters, gradients(one.parameters, seed), strict=True):
                parameter.grad = gradient
            one.step()
        return [p.detach().clone() for p in one.parameters]

    first, heir = made(), made()
    first.rate = torch.tensor(0.05)  # as a captured step has it
    at = moves(first, range(3))
    for parameter, value in zip(heir.parameters, at, strict=True):
        parameter.data.copy_(value)
    heir.adopt(first)  # type: ignore[arg-type]  # both are of one kind
    wanted = moves(first, range(3, 6))
    assert isinstance(heir.rate, Tensor)
    assert heir.rate is not first.rate
    found = moves(heir, range(3, 6))
    assert all(map(torch.equal, found, wanted))
    kept = [value for state in heir.state.values() for value in state.values()]
    others = {value.data_ptr() for state in first.state.values() for value in state.values()}
    assert kept
    assert not others & {value.data_ptr() for value in kept}


def test_without_a_gradient_nothing_moves() -> None:
    own = parameters(torch.float32)
    one, before = SGD(own, 0.1, 0.9, True, 5e-4), [p.detach().clone() for p in own]
    own[0].grad = torch.ones_like(own[0])
    one.zero_grad()
    one.step()
    assert all(map(torch.equal, own, before))
