"""A stack of siblings against the same siblings trained one by one, in float64, over random regions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BadSpec
from bench.learner import Learner, Relaxation
from bench.nets.cell import Norm
from bench.space import Region
from bench.spaces.nb201 import SPACE as NB201
from bench.stacked import fit_together, stackable
from methods.darts import Darts
from methods.hyper import HyperDarts
from methods.rsps import Rsps
from methods.snas import Snas
from tests import tiny
from tests.test_steps import ROUNDING, TRAINING, UNSHRUNK, regions

MIXTURES = [Darts(TRAINING), Snas(TRAINING), Rsps(TRAINING)]


def _siblings(relaxation: Relaxation, allowed: list[Region]) -> list[Learner]:
    task = tiny.task(NB201)
    return [tiny.in_float64(task.learner(relaxation, TRAINING, region)) for region in allowed]


@settings(max_examples=5, deadline=None, phases=UNSHRUNK)
@given(st.lists(regions, min_size=2, max_size=3), st.sampled_from(MIXTURES), st.booleans())
def test_a_stack_is_its_siblings_one_by_one(allowed: list[Region], relaxation: Relaxation, twice: bool) -> None:
    """Weights, momentum, alpha, its optimiser and losses to 1e-10, and the account; also when a stack goes on."""
    alone, together = (_siblings(relaxation, allowed) for _ in range(2))
    with alone[0].meter.phase("weights"):
        for learner in alone:
            learner.fit(2)
    with together[0].meter.phase("weights"):
        for epochs in (1, 1) if twice else (2,):
            fit_together(together, epochs)
    for one, other in zip(alone, together, strict=True):
        tiny.assert_equal(one, other, ROUNDING)
        assert one.steps == other.steps
    tiny.assert_equal_accounts(together[0], alone[0])


def test_what_is_given_back_trains_on_alone() -> None:
    """An epoch in the stack and one alone are two epochs alone."""
    allowed = [NB201.region, Region.of([{0, 3}, {1, 2}, {3, 4}, {0, 3}, {1, 2}, {3, 4}])]
    alone, together = (_siblings(Darts(TRAINING), allowed) for _ in range(2))
    fit_together(together, 1)
    for one, other in zip(alone, together, strict=True):
        one.fit(2)
        other.fit(1)
        tiny.assert_equal(one, other, ROUNDING)


def _other(**changes: Any) -> Learner:
    return tiny.task(NB201).learner(Darts(TRAINING), replace(TRAINING, **changes))


def test_what_cannot_be_stacked_is_refused() -> None:
    same = _other()
    assert stackable([same, _other()])
    for fault in (
        [same, _other(batch=16)],
        [_other(norm=Norm("running"))] * 2,
        [tiny.task(NB201).learner(Darts(TRAINING, order=2), TRAINING)] * 2,
        [tiny.task(NB201).learner(HyperDarts(TRAINING), TRAINING)] * 2,
        [same, tiny.task().learner(Darts(TRAINING), TRAINING)],
    ):
        assert not stackable(fault)
    with pytest.raises(BadSpec, match="cannot be trained as one stack"):
        fit_together([same, _other(batch=16)])
    with pytest.raises(BadSpec, match="whole epochs"):
        fit_together([same, _other()], 0.5)  # type: ignore[arg-type]
