"""The ways in which a supernet is asked, zero-cost scores, and splits by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import BadSpec, UnknownName
from bench.search.learner import Training
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Region
from bench.spaces.toy import SPACE as TOY
from bench.spaces.toy_darts import SPACE as TOY_DARTS
from bench.store.spec import check_choices
from methods import zerocost
from methods.absence import without
from methods.darts import Darts
from methods.gmnas import LARGEST_CUT, GmNas
from methods.rsps import Rsps
from methods.scored import Scored
from methods.zerocost import ZeroCost, rank, spread
from tests import tiny

TRAINING = Training(batch=32)
SOME = [(1, 2, 0), (2, 2, 2), (0, 1, 1), (1, 1, 1)]


def test_alpha_ranks_by_the_sum_of_logarithms() -> None:
    search = Darts(TRAINING, opinion="alpha")
    learner = tiny.learner(search, TRAINING)
    learner.alpha.data = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    shares = learner.alpha.detach().softmax(-1).double().numpy()
    sums = [sum(np.log(shares[e, op]) for e, op in enumerate(g)) for g in SOME]
    values = search.estimator(learner)(SOME, None)
    assert values[:, 1] == pytest.approx(-np.array(sums) / 3)
    assert values[:, 0] == pytest.approx(np.exp(np.array(sums) / 3))


def test_alpha_is_asked_of_the_edges_that_are_kept_and_of_nothing_outside() -> None:
    search = Darts(TRAINING, opinion="alpha")
    region = Region((TOY_DARTS.region.allowed[0] - {1}, *TOY_DARTS.region.allowed[1:]))
    learner = tiny.task(TOY_DARTS).learner(search, TRAINING, region)
    rng = np.random.default_rng(0)
    drawn = [TOY_DARTS.sample(TOY_DARTS.region, rng) for _ in range(30)]
    values = search.estimator(learner)(drawn, None)
    inside = [TOY_DARTS.admits(region, g) for g in drawn]
    assert {True, False} == set(inside)
    assert np.isfinite(values[:, 0]).tolist() == inside
    genotype, value = next((g, v) for g, v, here in zip(drawn, values, inside, strict=True) if here)
    shares = search.expected(learner).double().numpy()
    logs = [np.log(shares[e, op]) for e, op in enumerate(genotype) if op != TOY_DARTS.absent]
    assert len(logs) == 8
    assert value[1] == pytest.approx(-np.mean(logs))


def test_what_is_missed_more_ranks_higher() -> None:
    search = Darts(TRAINING, opinion="perturbation")
    learner = tiny.fit(tiny.learner(search, TRAINING), 1)
    theta = search.expected(learner)
    table = np.array([[without(learner, theta, e, op) for op in range(3)] for e in range(3)])
    values = search.estimator(learner)(SOME, None)
    assert values[:, 0] == pytest.approx([np.mean([table[e, op] for e, op in enumerate(g)]) for g in SOME])
    assert np.isnan(values[:, 1]).all()


def test_tuning_is_a_few_steps_from_the_shared_weights_and_back() -> None:
    """Of a single path: ten SGD steps written out; the same whatever else is asked for, and the learner as it was."""
    search = Rsps(TRAINING, opinion="tuned")
    learner, twin = (tiny.fit(tiny.learner(search, TRAINING), 1) for _ in range(2))
    before = [t.clone() for t in tiny.state(learner)]
    with learner.meter.paused():
        values = search.estimator(learner)(SOME, None)
        again = search.estimator(learner)(SOME[2:3], None)
    tiny.assert_states_equal(before, tiny.state(learner), 0)
    assert values[2].tolist() == again[0].tolist()
    optimiser = torch.optim.SGD(twin.weights, lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = [*twin.train.epoch(), *twin.train.epoch(), *twin.train.epoch(), next(twin.train.epoch())]
    twin.supernet.train()
    for batch in steps:
        optimiser.zero_grad()
        twin.loss(batch, None, TOY.alone(SOME[2])).backward()
        torch.nn.utils.clip_grad_norm_(twin.weights, 5.0)
        optimiser.step()
    assert len(steps) == 10
    assert twin.estimate(SOME[2])[1] == pytest.approx(values[2, 1], abs=1e-5)


def test_a_partition_search_asks_its_leaves_so() -> None:
    search = GmNas(base=Darts(TRAINING, opinion="alpha"), levels=(15,), edges=LARGEST_CUT)
    task = tiny.task()
    found = search.search(task)
    assert found.estimate is not None
    values = found.estimate(list(TOY.population), None)
    assert np.allclose(values[:, 0], np.exp(-values[:, 1]))


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (lambda: Rsps(opinion="alpha"), BadSpec, "Rsps gives no alpha by which architectures could be ranked"),
        (lambda: Darts(rests=3, opinion="alpha"), BadSpec, "Darts gives no alpha"),
        (lambda: Darts(opinion="guess"), UnknownName, "opinion"),  # type: ignore[arg-type]
        (lambda: ZeroCost("parameter"), UnknownName, "of"),
        (lambda: Scored("alpha").check(Rsps()), BadSpec, "Rsps gives no alpha by which operations could be parted"),
        (lambda: ZeroCost(images=1), BadSpec, "images must be 2 or more, got 1"),
        (
            lambda: ZeroCost(images=1_000).search(tiny.task()),
            BadSpec,
            "96 training images are fewer",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(fault: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_choices(fault())


# Zero-cost scores


def test_synflow_is_the_slope_of_scaling_all_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """sum w dR/dw = dR(t w)/dt at t = 1, by finite differences, with normalisation taken out by hand."""
    learner = tiny.learner(Rsps(TRAINING), TRAINING, NB201)
    batch = next(learner.train.epoch())
    kept = [w.detach().clone() for w in learner.weights]
    scores = {}
    for genotype in ((3, 1, 2, 4, 3, 1), (1, 0, 0, 1, 2, 0), (4, 4, 4, 4, 4, 4)):
        scores[genotype] = zerocost.synflow(learner, NB201.alone(genotype), None, batch)
    assert all(torch.equal(w, old) for w, old in zip(learner.weights, kept, strict=True))
    assert learner.weights[0].dtype == torch.float32
    learner.supernet.double()
    monkeypatch.setattr(F, "batch_norm", lambda x, *_: x)
    ones = torch.ones_like(batch.images[:1]).double()
    for genotype, score in scores.items():
        sums = []
        for t in (1 + 1e-6, 1 - 1e-6):
            with torch.no_grad():
                for w, old in zip(learner.weights, kept, strict=True):
                    w.copy_((t if w.ndim > 1 else 1) * old.abs().double())
                sums.append(float(learner.supernet(ones, None, NB201.alone(genotype)).sum()))
        assert score == pytest.approx(np.log((sums[0] - sums[1]) / 2e-6), abs=1e-5)


def test_nwot_counts_agreeing_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hamming kernel of the codes of all ReLUs, bit by bit."""
    learner = tiny.learner(Rsps(TRAINING), TRAINING, NB201)
    batch = next(learner.train.epoch())
    region = NB201.alone((3, 1, 2, 4, 3, 1))
    score = zerocost.nwot(learner, region, None, batch)
    codes: list[np.ndarray] = []
    relu = F.relu

    def noted(x: Tensor, *rest: Any, **how: Any) -> Tensor:
        out = relu(x, *rest, **how)
        codes.append((out > 0).flatten(1).numpy())
        return out

    monkeypatch.setattr(F, "relu", noted)
    with torch.no_grad():
        learner.supernet(batch.images, None, region)
    bits = np.concatenate(codes, axis=1)
    kernel = np.array([[np.sum(a == b) for b in bits] for a in bits], dtype=float)
    assert score == pytest.approx(np.linalg.slogdet(kernel)[1])


def test_jacov_of_known_rows_and_of_gradients_one_by_one() -> None:
    signs = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], dtype=float)  # uncorrelated
    assert spread(signs) == pytest.approx(-3 * (np.log(1 + 1e-5) + 1 / (1 + 1e-5)))
    assert spread(np.array([[1.0, 2, 3], [2, 4, 6], [0, 1, 5]])) < spread(signs)
    assert spread(np.ones((3, 4))) == -1e9
    learner = tiny.learner(Rsps(TRAINING), TRAINING, NB201)
    batch = next(learner.train.epoch())
    region = NB201.alone((3, 1, 2, 4, 3, 1))
    images = batch.images.clone().requires_grad_()
    total = learner.supernet(images, None, region).sum()
    total.backward()
    assert images.grad is not None
    rows = images.grad.reshape(32, -1).double().numpy()
    correlation = np.array([[np.corrcoef(a, b)[0, 1] for b in rows] for a in rows])
    values = np.linalg.eigvalsh(correlation) + 1e-5
    expected = -np.sum(np.log(values) + 1 / values)
    assert zerocost.jacov(learner, region, None, batch) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("of", ["synflow", "nwot", "jacov"])
def test_a_zero_cost_search_pays_a_batch_for_an_architecture_and_trains_nothing(of: Any) -> None:
    task = tiny.task()
    found = ZeroCost(of, images=16, candidates=9).search(task)
    cost = task.meter.total()
    each = 1 if of == "synflow" else 16
    assert cost.forward_images == 9 * each
    assert cost.backward_images % each == 0  # what leads from no image has no gradient there
    assert cost.backward_images / each in {"synflow": [9], "nwot": [0], "jacov": [7, 8, 9]}[of]
    assert found.estimate is not None
    every = list(TOY.population)
    values = found.estimate(every, None)[:, 0]
    assert ((values > 0) & (values < 1)).all()
    assert found.estimate([every[5]], None)[0, 0] == values[5]


def test_ranks_keep_the_order_of_scores_beyond_what_was_seen() -> None:
    known, values = np.array([1.0, 2.0, 5.0]), np.array([-3.0, 0.0, 1.0, 3.0, 5.0, 9.0, 1e9])
    ranks = rank(known, values)
    assert (np.diff(ranks) > 0).all()
    assert ranks[2] == pytest.approx(0.1)
    assert ranks[4] == pytest.approx(0.9)
    assert 0 < ranks.min() < ranks.max() < 1


# Splits


def test_operations_of_like_alpha_stay_together() -> None:
    task = tiny.task(NB201)
    parent = task.learner(Darts(TRAINING), TRAINING)
    parent.alpha.data[2] = torch.tensor([0.0, 5.0, 0.1, 4.9, 0.2])
    split = Scored("alpha").split(task, parent, 2)
    assert set(map(frozenset, split.groups)) == {frozenset({1, 3}), frozenset({0, 2, 4})}
    assert split.distances is not None
    shares = parent.alpha[2].detach().softmax(-1).numpy()
    assert split.distances == pytest.approx(np.abs(shares[:, None] - shares[None, :]), abs=1e-6)


@pytest.mark.parametrize("by", ["synflow", "nwot", "jacov", "parameters"])
def test_splits_by_a_score_are_paid_for_and_leave_the_parent_as_it_is(by: Any) -> None:
    task = tiny.task(NB201)
    parent = tiny.fit(task.learner(Darts(TRAINING), TRAINING), 1)
    before = [t.clone() for t in tiny.state(parent)]
    grouping = Scored(by)
    spent = task.meter.total()
    with task.meter.phase("cut"):
        split = grouping.split(task, parent, 3)
    cost = task.meter.total()
    passes = cost.forward_images + cost.backward_images - spent.forward_images - spent.backward_images
    assert passes == (5 * 2 if by == "synflow" else grouping.passes(task, 5) * 32)
    tiny.assert_states_equal(before, tiny.state(parent), 0)
    assert sorted(op for group in split.groups for op in group) == [0, 1, 2, 3, 4]
    if by == "parameters":
        assert set(map(frozenset, split.groups)) == {frozenset({0, 1, 4}), frozenset({2, 3})}


def test_a_search_cuts_by_a_score() -> None:
    search = replace(GmNas(), grouping=Scored("nwot"), base=Darts(TRAINING), levels=(15,))
    found = search.search(tiny.task())
    (cut,) = [node["cut"] for node in found.details["tree"] if node["cut"]]
    assert len(found.candidates) == 2
    assert {"within", "between"} <= set(next(iter(cut["splits"].values())))
