"""Captured steps against ordinary ones: as many learners in pairs, equal at every number that a step changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from bench.nets.operations import Norm
from bench.search.learner import Learner, Relaxation, Training
from bench.search.meter import Meter
from bench.search.steps import Captured, Feeds, Stepper, _kept, computed, maskable, stepper_for
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.rows import rows_of
from bench.spaces.space import Region, Space
from bench.spaces.toy import SPACE as TOY
from methods.darts import Darts
from methods.fairdarts import FairDarts
from methods.hepnas import MutualDistillation
from methods.hyper import HyperDarts
from methods.pcdarts import PcDarts
from methods.rsps import Rsps
from methods.snas import Snas
from tests import tiny

TRAINING = Training(batch=32, alpha_start=0.5)
ROUNDING = 1e-10  # of six steps in double precision
UNSHRUNK = (Phase.explicit, Phase.generate)
"""Of properties that train: a counterexample as it was found, since to shrink it would train for minutes."""
regions = st.lists(st.frozensets(st.integers(0, 4), min_size=1), min_size=6, max_size=6).map(Region.of)


def _learner(relaxation: Relaxation, region: Region | None, space: Space = NB201) -> Learner:
    """In float64; two of them start alike and see the same batches."""
    return tiny.in_float64(tiny.task(space).learner(relaxation, TRAINING, region))


def _pair(
    relaxation: Relaxation, region: Region | None, space: Space = NB201, masks: bool = False
) -> tuple[Learner, Learner]:
    plain, captured = (_learner(relaxation, region, space) for _ in range(2))
    captured.stepper = Captured(masks)
    return plain, captured


MIXTURES = [Darts(TRAINING), Darts(TRAINING, order=2), Snas(TRAINING)]
MORE = [
    Darts(TRAINING, beta=5.0, radius=0.3),
    FairDarts(TRAINING),
    PcDarts(TRAINING, share=3, waits=0.0),
]


@settings(max_examples=12, deadline=None, phases=UNSHRUNK)
@given(regions, st.sampled_from(MIXTURES + MORE))
def test_a_captured_step_is_the_ordinary_step(region: Region, relaxation: Relaxation) -> None:
    """Six steps over random regions, with momentum, clipping, noise and a falling rate, to 1e-10 in float64."""
    plain, captured = _pair(relaxation, region)
    for learner in (plain, captured):
        tiny.fit(learner)
    assert sorted(captured.stepper._bodies) == ["alpha", "weights, alpha moves"]  # type: ignore[attr-defined]
    tiny.assert_equal(plain, captured, ROUNDING)
    tiny.assert_equal_accounts(plain, captured)


@settings(max_examples=8, deadline=None, phases=UNSHRUNK)
@given(regions)
def test_a_masked_path_is_the_path(region: Region) -> None:
    """Six steps on random paths of random regions, disconnected ones too: weights off the path, with their momentum,
    stay where they are, and the account is that of the paths."""
    plain, masked = _pair(Rsps(TRAINING), region, masks=True)
    for learner in (plain, masked):
        tiny.fit(learner)
    assert masked.stepper._paths is not None  # type: ignore[attr-defined]
    tiny.assert_equal(plain, masked, ROUNDING)
    tiny.assert_equal_accounts(plain, masked)


def test_a_disconnected_path_moves_the_head_alone() -> None:
    plain, masked = _pair(Rsps(TRAINING), Region.of([{0, 3}] + [{0}] * 5), masks=True)
    before = [w.detach().clone() for w in masked.weights]
    for learner in (plain, masked):
        tiny.fit(learner)
    tiny.assert_equal(plain, masked, ROUNDING)
    moved = {n for (n, w), b in zip(masked.supernet.named_parameters(), before, strict=True) if not torch.equal(w, b)}
    assert "head.bias" in moved
    assert all(name.startswith("head") for name in moved)


@pytest.mark.parametrize("path", [(0, 3, 1, 0, 2, 4), (3, 0, 0, 0, 0, 1), (1, 2, 0, 3, 0, 4), (0,) * 6])
def test_what_is_computed_of_a_path(path: tuple[int, ...]) -> None:
    """The live edges of the cell, counted by the space."""
    gates = computed(NB201, Region.of([{op} for op in path]))
    live = NB201.live(path)
    assert [int(row.argmax()) if row.any() else 0 for row in gates] == list(live)


def test_fade_and_its_joint_form_are_captured_too() -> None:
    """A chain of whole cells; the penalty's factors change with progress."""
    space = rows_of(NB201, [[(3, 1, 0, 2, 1, 0), (1, 2, 3, 0, 0, 4)]] * 3)
    for joint in (False, True):
        plain, captured = _pair(HyperDarts(TRAINING, joint=joint), None, space)
        lesson = HyperDarts(TRAINING, joint=joint).lesson()
        for learner in (plain, captured):
            tiny.fit(learner, lesson=lesson)
        tiny.assert_equal(plain, captured, ROUNDING)


def test_alpha_that_rests_and_then_moves() -> None:
    plain, captured = _pair(Darts(TRAINING), None)
    for learner in (plain, captured):
        tiny.fit(learner, 1, alpha=False)
        tiny.fit(learner, 1)
    tiny.assert_equal(plain, captured, ROUNDING)


def test_lessons_are_taught_as_they_come() -> None:
    """Teachers change from step to step: the step with a lesson is ordinary, and alpha's is still captured."""
    states = []
    for steps in ("ordinary", "captured"):
        children = [_learner(Darts(TRAINING), None) for _ in range(2)]
        for child in children:
            child.stepper = stepper_for(steps)  # type: ignore[arg-type]
        lesson = MutualDistillation("siblings").lesson(children, children[0])
        for child in children:
            tiny.fit(child, 1, lesson=lesson)
        states.append([t for child in children for t in tiny.state(child)])
    tiny.assert_states_equal(*states, ROUNDING)


def test_a_child_that_adopts_is_captured_anew() -> None:
    """The optimisers' tensors are other ones then."""
    states = []
    for masks in (None, False):
        parent, child = (_learner(Darts(TRAINING), None) for _ in range(2))
        if masks is not None:
            parent.stepper, child.stepper = Captured(masks), Captured(masks)
        tiny.fit(child, 1)
        tiny.fit(parent, 1)
        child.adopt(parent, state=True)
        tiny.fit(child, 1)
        states.append(tiny.state(child))
    tiny.assert_states_equal(*states, ROUNDING)


def test_running_statistics_rule_masks_out() -> None:
    training = Training(batch=32, norm=Norm("running"))
    learner = tiny.learner(Rsps(training), training)
    assert not maskable(learner)
    learner.stepper = Captured(masks=True)
    tiny.fit(learner, 1)
    assert learner.stepper._paths is None


def test_feeds_give_every_place_its_buffer() -> None:
    """Hand-made: two makers; the same tensors every time, with new values in the order of the step."""
    count = iter(range(100))
    feeds = Feeds(torch.device("cpu"))
    make = lambda: torch.tensor(float(next(count)))  # noqa: E731
    first = [feeds(make), feeds(make)]
    feeds.rewind()
    assert [float(t) for t in first] == [0, 1]
    feeds.refill()
    again = [feeds(make), feeds(make)]
    assert [a is b for a, b in zip(first, again, strict=True)] == [True, True]
    assert [float(t) for t in again] == [2, 3]


# No waiting for the device

WAITS = {  # operations whose result the host must see, or whose shape depends on values
    "_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal", "unique_dim", "_unique2",
    "unique_consecutive", "bincount", "repeat_interleave.Tensor", "histc",
}  # fmt: skip
HOST = {  # operations that bring values from the host, or draw them there
    "lift_fresh", "rand", "randn", "randint", "randperm", "bernoulli", "uniform_", "normal_", "multinomial",
}  # fmt: skip


class _NoWaiting(TorchDispatchMode):
    """Raises at an operation that would make a GPU step wait, or that could not be captured."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        whole = f"{name}.{func._overloadname}" if func._overloadname else name
        if {name, whole} & (WAITS | HOST):
            raise AssertionError(f"{whole} within a step")
        masks = [a for a in args[1:2] if name.startswith("index") and isinstance(a, (list, tuple))]
        if any(t is not None and t.dtype == torch.bool for mask in masks for t in mask):
            raise AssertionError("indexing by a mask within a step")
        return func(*args, **(kwargs or {}))


@contextmanager
def _watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Every run of a captured body, but the first, happens under `_NoWaiting`."""
    from bench.search import steps

    once, runs = steps._Body._once, [0]

    def watched(body: Any) -> None:
        if body.account is None:
            return once(body)
        runs[0] += 1
        with _NoWaiting():
            once(body)
        return None

    monkeypatch.setattr(steps._Body, "_once", watched)
    yield runs


@pytest.mark.parametrize("relaxation", [*MIXTURES, Rsps(TRAINING)], ids=["darts", "darts-2nd", "snas", "rsps"])
def test_nothing_in_a_step_waits_for_the_device(relaxation: Relaxation, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = tiny.learner(relaxation, TRAINING, NB201)
    learner.stepper = Captured(masks=True)
    with _watched(monkeypatch) as runs:
        tiny.fit(learner)
    assert runs[0] >= 5


@pytest.mark.parametrize(
    "fault",
    [
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).all()),
        lambda x: x[x > 0],
        lambda x: torch.tensor(3.0) * x,
        lambda x: x.nonzero(),
        lambda x: torch.rand(3),
        lambda x: x.max().item(),
    ],
)
def test_waiting_would_be_seen(fault: Any) -> None:
    """The watchman can fail."""
    with pytest.raises(AssertionError, match="within a step"), _NoWaiting():
        fault(torch.ones(3))


def test_a_stepper_by_name() -> None:
    assert type(stepper_for("ordinary")) is Stepper
    assert [stepper_for(s).masks for s in ("captured", "masked")] == [False, True]  # type: ignore[arg-type, attr-defined]


def test_toy_space_by_masks() -> None:
    plain, masked = _pair(Rsps(TRAINING), None, TOY, masks=True)
    for learner in (plain, masked):
        tiny.fit(learner)
    tiny.assert_equal(plain, masked, ROUNDING)


# What a GPU does before and between steps, without one


@pytest.mark.parametrize("relaxation", [*MIXTURES, Rsps(TRAINING)], ids=["darts", "darts-2nd", "snas", "rsps"])
def test_warming_up_leaves_no_trace(relaxation: Relaxation) -> None:
    """Steps inside `_kept`, as before a capture: weights and alpha are as before, an optimiser's new state is at its
    start, and training goes on as that of a twin that was not warmed up."""
    warmed, twin = (_learner(relaxation, None) for _ in range(2))
    before = [t.detach().clone() for t in tiny.state(warmed)]
    batch = next(warmed.valid.in_order(32))
    noise = warmed.noise.get_state(), warmed.paths.bit_generator.state
    with _kept(warmed):
        for _ in range(3):
            relaxation.step(warmed, batch, batch)
            warmed.update_weights(batch)
    warmed.noise.set_state(noise[0])
    warmed.paths.bit_generator.state = noise[1]
    after = tiny.state(warmed)
    assert all(torch.equal(a, b) for a, b in zip(before[: len(warmed.weights) + 1], after, strict=False))
    assert not any(
        v.any() for o in (warmed.optimiser, warmed.alpha_optimiser) for s in o.state.values() for v in s.values()
    )
    for learner in (warmed, twin):
        tiny.fit(learner, 1)
    tiny.assert_equal(warmed, twin, ROUNDING)


class _Event:
    """An event of a GPU whose clock moves by one second at every record."""

    clock = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.at = -1

    def record(self, stream: Any) -> None:
        _Event.clock += 1
        self.at = _Event.clock

    def synchronize(self) -> None:
        _Event.waits += 1  # type: ignore[attr-defined]

    def elapsed_time(self, end: _Event) -> float:
        return 1_000.0 * (end.at - self.at)


def test_phases_on_a_gpu_wait_for_nothing_until_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _Event.clock, _Event.waits = 0, 0  # type: ignore[attr-defined]
    monkeypatch.setattr(torch.cuda, "Event", _Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 7)
    meter = Meter(torch.device("cuda"))
    with meter.phase("outer"):  # 1
        for _ in range(3):
            with meter.phase("inner"):  # 2, 4, 6
                pass  # 3, 5, 7
    # 8
    assert _Event.waits == 0  # type: ignore[attr-defined]
    total = meter.total()
    assert (meter.phases["inner"].wall_s, meter.phases["outer"].wall_s) == (3, 4)
    assert (total.device_s, total.peak_bytes) == (7, 7)
    assert _Event.waits > 0  # type: ignore[attr-defined]


def test_a_written_account_is_charged_where_it_belongs() -> None:
    """Passes by hand: nothing while they are written down, then to the phase around and to the phase they named."""
    learner = tiny.learner(Darts(TRAINING), TRAINING)
    batch = next(learner.valid.in_order(32))
    with learner.meter.phase("outer"):
        with learner.meter.written() as account:
            learner.supernet(batch.images, None, learner.region)
            with learner.meter.phase("named"):
                learner.loss(batch, None, learner.region).backward()
        assert learner.meter.total().forward_images == 0
        for _ in range(2):
            learner.meter.charge(account)
    phases = learner.meter.phases
    assert (phases["outer"].forward_images, phases["outer"].backward_images) == (64, 0)
    assert (phases["named"].forward_images, phases["named"].backward_images) == (64, 64)
    assert phases["named"].gmacs == pytest.approx(3 * phases["outer"].gmacs)
