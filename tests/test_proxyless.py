"""ProxylessNAS: gate gradients against autograd and finite differences, draws against their probabilities, latency by
hand, and a planted path that it must find."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import methods
from bench import spaces
from bench.errors import BadSpec
from bench.images.batches import Batch
from bench.runs.run import Settings, execute
from bench.search.learner import Learner, Training
from bench.spaces.space import Genotype, Region
from methods.proxyless import Latency, Proxyless, drawn
from tests import contract, tiny

SPACES = ["toy", "macro", "nb201", "toy-darts"]
QUICK = Training(batch=32, alpha_rate=1e-3, alpha_betas=(0.0, 0.999), alpha_decay=0.0, alpha_start=1.0)


def a_learner(method: Proxyless, space: str, region: Region | None = None) -> Learner:
    """In double precision."""
    return tiny.in_float64(tiny.task(spaces.get(space)).learner(method, method.training, region))


def a_batch(learner: Learner) -> Batch:
    return next(iter(learner.valid.in_order(32)))


# The gradient


@pytest.mark.parametrize("gates", ["two", "all"])
@pytest.mark.parametrize("space", SPACES)
def test_gate_gradients_are_those_of_autograd(space: str, gates: Any) -> None:
    """Of gates that are open or shut going forward and probabilities on the way back."""
    method = Proxyless(QUICK, gates=gates)
    learner = a_learner(method, space)
    batch, draw = a_batch(learner), method.draw(learner)
    found = method.gradient(learner, batch, draw)
    alpha = learner.alpha.detach().clone().requires_grad_()
    p = alpha.masked_fill(~draw.involved, -torch.inf).softmax(-1)
    region = Region.of([[op for op in range(len(row)) if row[op]] for row in draw.involved.tolist()])
    learner.loss(batch, draw.values + p - p.detach(), region).backward()
    torch.testing.assert_close(found, alpha.grad, rtol=0, atol=1e-10)
    assert float(found.abs().max()) > 1e-6
    assert not found[~draw.involved].any()
    torch.testing.assert_close(found.sum(-1), torch.zeros(len(found), dtype=torch.float64), rtol=0, atol=1e-12)


def test_gate_gradients_are_finite_differences() -> None:
    """Of the loss, by the value of every gate; alpha's follow from them by the sum of equation 4, written out."""
    method = Proxyless(QUICK, gates="all")
    learner = a_learner(method, "macro")
    batch, draw = a_batch(learner), method.draw(learner)
    found, step = method.gradient(learner, batch, draw), 1e-6  # less: a ReLU may turn
    for edge in (0, 3, 7):
        slopes = []
        for op in range(3):
            losses = []
            for sign in (1, -1):
                values = draw.values.clone()
                values[edge, op] += sign * step
                losses.append(learner.loss(batch, values, learner.region).item())
            slopes.append((losses[0] - losses[1]) / (2 * step))
        p = draw.p[edge].tolist()
        for i in range(3):
            expected = sum(slopes[k] * p[k] * ((k == i) - p[i]) for k in range(3))
            assert float(found[edge, i]) == pytest.approx(expected, abs=1e-8)


# The draws


def test_operations_are_drawn_by_their_probabilities_without_repetition() -> None:
    p, draws = torch.tensor([[0.6, 0.3, 0.1], [1.0, 0.0, 0.0]]), 4_000
    generator = torch.Generator().manual_seed(0)
    ones = torch.stack([drawn(p, 1, generator) for _ in range(draws)])
    assert (ones.sum(-1) == 1).all()
    torch.testing.assert_close(ones.double().mean(0), p.double(), rtol=0, atol=0.03)
    twos = torch.stack([drawn(p, 2, generator) for _ in range(draws)])
    assert (twos.sum(-1) == torch.tensor([2, 1])).all()
    # P(first and second) = p1 p2 / (1 - p1) + p1 p2 / (1 - p2), and so on.
    pairs = {(0, 1): 0.18 / 0.4 + 0.18 / 0.7, (0, 2): 0.06 / 0.4 + 0.06 / 0.9, (1, 2): 0.03 / 0.7 + 0.03 / 0.9}
    for (a, b), share in pairs.items():
        assert float((twos[:, 0, a] & twos[:, 0, b]).double().mean()) == pytest.approx(share, abs=0.03)


def test_two_gates_share_the_mass_they_had() -> None:
    """After a step the two exponentials have the sum they had, and no other alpha has moved."""
    method = replace(Proxyless(QUICK), waits=0.0, every=1)
    learner = a_learner(method, "nb201")
    for _ in range(5):
        before = learner.alpha.detach().clone()
        method.step(learner, a_batch(learner), a_batch(learner))
        after = learner.alpha.detach()
        assert ((after != before).sum(-1) <= 2).all()
        assert (after != before).any()
        torch.testing.assert_close(after.exp().sum(-1), before.exp().sum(-1), rtol=1e-12, atol=0)


def test_alpha_rests_in_the_warm_up_and_then_moves_at_every_fifth_step() -> None:
    """Three steps an epoch, ten epochs, four of them warm-up."""
    method = Proxyless(replace(QUICK, epochs=250), waits=0.4)
    learner, moved = tiny.learner(method, method.training), []
    before = learner.alpha.detach().clone()
    step = method.step

    def watched(learner: Learner, train: Batch, valid: Batch) -> None:
        nonlocal before
        step(learner, train, valid)
        if not torch.equal(learner.alpha, before):
            moved.append(learner.steps)
            before = learner.alpha.detach().clone()

    object.__setattr__(method, "step", watched)
    tiny.fit(learner, 10)
    assert moved == [14, 19, 24, 29]


def test_paths_are_of_the_region_and_follow_alpha() -> None:
    method = Proxyless(QUICK)
    learner = a_learner(method, "macro", Region.of([{0, 2}] * 8))
    learner.alpha.data[:, 2] = learner.alpha.data[:, 0] + math.log(3)
    paths = []
    for _ in range(200):
        theta, region = method.theta(learner)
        assert theta is None
        assert region.size == 1
        paths.append(next(region.combinations()))
    assert {op for path in paths for op in path} == {0, 2}
    assert float(torch.tensor(paths).eq(2).double().mean()) == pytest.approx(0.75, abs=0.04)


# What it finds


PLANTED: dict[str, Genotype] = {"macro": (2, 1, 0, 1, 2, 2, 0, 1), "nb201": (3, 1, 3, 2, 1, 4)}


@pytest.mark.parametrize("gates", ["two", "all"])
@pytest.mark.parametrize("space", sorted(PLANTED))
def test_a_planted_best_path_is_found(space: str, gates: Any) -> None:
    """Every operation of an edge costs, drawn anew with noise at each step; one path costs least."""
    method = replace(Proxyless(replace(QUICK, alpha_rate=0.1, alpha_start=1e-3), gates=gates), waits=0.0, every=1)
    learner = tiny.learner(method, method.training, spaces.get(space))
    generator = torch.Generator().manual_seed(1)
    costs = torch.rand(learner.alpha.shape, generator=generator)
    costs[range(len(PLANTED[space])), PLANTED[space]] = -0.2

    def loss(batch: Batch, theta: Tensor, region: Region) -> Tensor:
        return (theta * (costs + 0.3 * torch.randn(costs.shape, generator=generator))).sum()

    learner.loss = loss  # type: ignore[assignment,method-assign]
    for _ in range(300):
        method.step(learner, a_batch(learner), a_batch(learner))
    assert method.current(learner) == PLANTED[space]


@pytest.mark.parametrize("gates", ["two", "all"])
def test_a_path_whose_answers_are_the_labels_is_found(gates: Any) -> None:
    """The labels are what the network itself says along one path, its weights at rest: no other path is always right.

    One of convolutions throughout: the gradient of a gate looks no further than a step, and can miss others.
    """
    method = replace(Proxyless(replace(QUICK, alpha_rate=0.05, alpha_start=1e-3), gates=gates), waits=0.0, every=1)
    learner = tiny.learner(method, method.training, spaces.get("toy"))
    learner.supernet.head.weight.data.mul_(10)  # type: ignore[union-attr,operator]
    space, batches = learner.space, list(learner.valid.in_order(32))
    planted = (1, 1, 1)
    with torch.no_grad():
        named = [Batch(b.images, learner.supernet(b.images, None, space.alone(planted)).argmax(1)) for b in batches]
    for step in range(200):
        method.step(learner, named[step % len(named)], named[step % len(named)])
    assert method.current(learner) == planted


# Latency


TABLE = Latency(tuple((1.0, 2.0, 4.0 + edge) for edge in range(8)), target=20.0, rest=3.0)


def test_expected_latency_and_its_terms_are_those_worked_out_by_hand() -> None:
    p = torch.tensor([[0.5, 0.25, 0.25]] * 8, dtype=torch.float64)
    expected = 3 + 8 * (0.5 + 0.5 + 1) + 0.25 * 28
    assert float(TABLE.expected(p)) == pytest.approx(expected) == 26
    loss = torch.tensor(1.5, dtype=torch.float64)
    multiplied = 1.5 * 0.2 * (math.log(26) / math.log(20)) ** 0.3
    assert float(TABLE.with_loss(loss, p)) == pytest.approx(multiplied)
    added = replace(TABLE, term="added", weight=0.1)
    assert float(added.with_loss(loss, p)) == pytest.approx(1.5 + 0.1 * 6 / 20)


def test_the_gradient_holds_that_of_the_latency() -> None:
    """Apart, each by autograd: that of the gates at a loss so weighed, and that of the term at the loss."""
    method = Proxyless(QUICK, gates="all", latency=TABLE)
    learner = a_learner(method, "macro")
    batch, draw = a_batch(learner), method.draw(learner)
    found = method.gradient(learner, batch, draw)
    loss = learner.loss(batch, draw.values, learner.region).detach()
    alpha = learner.alpha.detach().clone().requires_grad_()
    weighed = TABLE.with_loss(loss, alpha.softmax(-1))
    (direct,) = torch.autograd.grad(weighed, alpha)
    gates = replace(method, latency=None).gradient(learner, batch, draw)
    torch.testing.assert_close(found, gates * float((weighed / loss).detach()) + direct, rtol=0, atol=1e-12)


def test_what_takes_too_long_is_not_chosen() -> None:
    method = Proxyless(
        replace(QUICK, alpha_rate=0.1, alpha_start=1e-3),
        gates="all",
        waits=0.0,
        every=1,
        latency=Latency(((5.0, 1.0, 9.0),) * 8, target=10.0, term="added", weight=10.0),
    )
    learner = tiny.learner(method, method.training, spaces.get("macro"))
    for batch in [a_batch(learner)] * 40:
        method.step(learner, batch, batch)
    assert method.current(learner) == (1,) * 8


@pytest.mark.usefixtures("images_once")
@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (TABLE.blocks[:7], "lacks edge 7"),
        ((*TABLE.blocks, (1.0, 2.0, 3.0)), "has edge 8"),
        ((*TABLE.blocks[:3], (1.0, 2.0), *TABLE.blocks[4:]), "2 numbers for edge 3"),
    ],
)
@pytest.mark.parametrize("label", ["proxyless", "fewshot"])
def test_a_latency_table_of_another_space_is_refused_before_training(
    blocks: Any, words: str, label: str, tmp_path: Any
) -> None:
    base = contract.smaller(replace(Proxyless(), latency=replace(TABLE, blocks=blocks)))
    method = base if label == "proxyless" else contract.smaller(replace(methods.get(label), base=base))
    record = execute(tiny.spec(method, 0, "macro", contract.SCALE), Settings(tmp_path, device="cpu"))
    assert record.status == "failed"
    assert words in record.message
    assert "\n" not in record.message
    assert record.cost["forward_images"] == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"target": 1.0},
        {"target": math.nan},
        {"target": 0.0, "term": "added"},
        {"rest": -1.0},
        {"blocks": ((1.0, math.inf),)},
        {"weight": math.nan},
    ],
)
def test_numbers_that_are_no_latencies_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BadSpec):
        replace(TABLE, **settings)


def test_a_warm_up_as_long_as_the_training_is_refused() -> None:
    with pytest.raises(BadSpec, match="waits must be 0 or more and less than 1"):
        Proxyless(waits=1.0)
    with pytest.raises(BadSpec):
        Proxyless(every=0)
