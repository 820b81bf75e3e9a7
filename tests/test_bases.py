"""One-shot searches beyond DARTS, SNAS and RSPS: what they draw, what they follow, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

import methods
from bench.contract.searches import cost_in_order, outcome_in_order
from bench.errors import BadSpec
from bench.nets.operations import Norm, Site, form
from bench.runs.run import Settings, execute
from bench.search.learner import Training
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.operations import Partial, operation
from bench.spaces.space import Region
from bench.spaces.toy import SPACE as TOY
from bench.spaces.toy_darts import SPACE as TOY_DARTS
from bench.store.spec import canonical
from methods.darts import Darts
from methods.drnas import Drnas, concentration, drawn
from methods.fairdarts import FairDarts
from methods.fairnas import FairNas
from methods.gdas import Gdas
from methods.oles import STOPPED, EarlyStop
from methods.partition import Partition
from methods.pcdarts import PcDarts, edge_shares, same_target
from methods.perturbed import Perturbation
from methods.progressive import Strongest
from methods.reinmax import Reinmax
from methods.rsps import Rsps
from methods.smoothing import projected
from methods.snas import Snas
from tests import contract, tiny

pytestmark = pytest.mark.usefixtures("images_once")

TRAINING = Training(batch=32)
REGION = Region.of([{0, 1}, {2}, {3, 4}, {0, 1, 2, 3, 4}, {1, 4}, {3}])


@pytest.mark.parametrize("search", [Gdas(TRAINING), Reinmax(TRAINING)], ids=["gdas", "reinmax"])
def test_one_operation_per_edge_is_drawn_as_the_softmax_of_alpha(search: Gdas) -> None:
    """One-hot weights on the region of what was drawn, never outside that of the learner."""
    learner = tiny.task(NB201).learner(search, TRAINING, REGION)
    learner.alpha.data = torch.linspace(-1, 1, 30).view(6, 5).clone()
    wins = np.zeros(5)
    for _ in range(1_000):
        theta, region = search.theta(learner)
        assert region.size == 1
        assert all(ops <= may for ops, may in zip(region.allowed, REGION.allowed, strict=True))
        drawn_there = [ops[0] for ops in region.lists]
        torch.testing.assert_close(theta.detach(), torch.eye(5)[drawn_there])
        wins[drawn_there[3]] += 1
    expected = learner.alpha[3].detach().softmax(-1).numpy()
    assert wins / wins.sum() == pytest.approx(expected, abs=0.045)


def test_what_is_not_drawn_is_not_paid_for() -> None:
    """A pass costs what the multiply-adds of the drawn architecture cost, not those of the mixture."""
    costs = {}
    for search in (Gdas(TRAINING), Snas(TRAINING)):
        learner = tiny.fit(tiny.learner(search, TRAINING, NB201), 1)
        costs[type(search)] = learner.meter.total()
    assert costs[Gdas].gmacs < 0.5 * costs[Snas].gmacs
    assert costs[Gdas].backward_images == costs[Snas].backward_images


def test_a_dirichlet_sample_of_two_follows_the_quantile() -> None:
    """Of two concentrations a, b the sample is the quantile of Beta(a, b) at a fixed level: its slope is that of
    scipy's quantile, by finite differences."""
    generator = torch.Generator().manual_seed(0)
    for a, b in ((0.7, 1.3), (1.0, 1.0), (2.5, 0.9)):
        for _ in range(20):
            c = torch.tensor([a, b], dtype=torch.float64, requires_grad=True)
            x = drawn(c, generator)
            (ours,) = torch.autograd.grad(x[0], c)
            level, h = stats.beta.cdf(float(x[0].detach()), a, b), 1e-5
            wanted = [
                (stats.beta.ppf(level, a + h, b) - stats.beta.ppf(level, a - h, b)) / (2 * h),
                (stats.beta.ppf(level, a, b + h) - stats.beta.ppf(level, a, b - h)) / (2 * h),
            ]
            assert ours.numpy() == pytest.approx(wanted, rel=2e-3, abs=1e-5)


def test_the_dirichlet_gradient_is_that_of_the_expectation() -> None:
    """Of E[x_0 x_1 + x_2^2], known in closed form, by its finite differences; 40,000 samples."""
    c = torch.tensor([0.8, 1.4, 2.0], dtype=torch.float64)

    def expected(c: np.ndarray) -> float:
        total = c.sum()
        return float((c[0] * c[1] + c[2] * (c[2] + 1)) / (total * (total + 1)))

    steps = 1e-5 * np.eye(3)
    wanted = [(expected(c.numpy() + step) - expected(c.numpy() - step)) / 2e-5 for step in steps]
    many = c.expand(40_000, 3).clone().requires_grad_()
    x = drawn(many, torch.Generator().manual_seed(1))
    torch.testing.assert_close(x.sum(-1), torch.ones(40_000, dtype=torch.float64))
    value = (x[:, 0] * x[:, 1] + x[:, 2] ** 2).sum()
    (gradient,) = torch.autograd.grad(value, many)
    assert float(value.detach()) / 40_000 == pytest.approx(expected(c.numpy()), abs=0.005)
    assert gradient.mean(0).numpy() == pytest.approx(wanted, abs=0.004)


def test_a_region_is_drawn_from_its_own_operations() -> None:
    """With the mean of the Dirichlet distribution of the allowed concentrations; nothing elsewhere."""
    search = Drnas(TRAINING)
    learner = tiny.task(NB201).learner(search, TRAINING, REGION)
    learner.alpha.data = torch.linspace(-1, 1, 30).view(6, 5).clone()
    samples = torch.stack([search.theta(learner)[0].detach() for _ in range(1_500)])
    assert samples[:, ~learner.allowed].abs().max() == 0
    torch.testing.assert_close(samples.sum(-1), torch.ones(1_500, 6))
    may = concentration(learner.alpha.detach()) * learner.allowed
    torch.testing.assert_close(samples.mean(0), may / may.sum(-1, keepdim=True), rtol=0, atol=0.04)


def test_gates_of_fairdarts_do_not_compete_and_its_penalty_parts_them() -> None:
    """Raising one alpha lowers no other gate; the penalty is least at 0 and 1 and counts allowed operations alone."""
    search = FairDarts(TRAINING)
    learner = tiny.task(NB201).learner(search, TRAINING, REGION)
    learner.alpha.data.zero_()
    gates = search.theta(learner)[0].detach()
    learner.alpha.data[3, 2] = 3.0
    raised = search.theta(learner)[0].detach()
    assert (raised - gates).count_nonzero() == 1
    learner.alpha.data.zero_()
    assert float(search.indecision(learner).detach()) == 0
    learner.alpha.data = torch.full((6, 5), 50.0)
    assert float(search.indecision(learner).detach()) == pytest.approx(-0.25)
    assert float(replace(search, distance="absolute").indecision(learner).detach()) == pytest.approx(-0.5)


def test_fairdarts_compares_edges_by_their_gates() -> None:
    """Where softmax would prefer an edge of one strong operation, gates take the edges of the largest gate."""
    search = FairDarts(TRAINING)
    learner = tiny.task(TOY_DARTS).learner(search, TRAINING)
    learner.alpha.data = torch.full((10, 4), -1.0)
    node = TOY_DARTS.nodes[1]
    for edge, pair in zip(node, ((-0.5, -9.0), (2.0, 2.5), (2.0, 3.0)), strict=True):
        for op, value in zip(TOY_DARTS.region.lists[edge], pair, strict=True):
            learner.alpha.data[edge, op] = value
    chosen = search.decoded(learner)
    assert [chosen[edge] != TOY_DARTS.absent for edge in node] == [False, True, True]
    assert [Darts().decoded(learner)[edge] != TOY_DARTS.absent for edge in node] == [True, False, True]


def test_the_penalty_of_beta_darts_grows_from_nothing() -> None:
    """By the closed form of its gradient: strength times softmax(alpha) over the number of edges."""
    search, plain = Darts(TRAINING, beta=8.0), Darts(TRAINING)
    learner = tiny.learner(search, TRAINING, NB201)
    batch = next(learner.valid.endless())
    for progress in (0.0, 0.5, 1.0):
        learner.steps = round(progress * learner.schedule.horizon * len(learner.train))
        extra = search.gradient(learner, batch, batch) - plain.gradient(learner, batch, batch)
        torch.testing.assert_close(extra, 8 * progress * learner.alpha.detach().softmax(-1) / 6, rtol=0, atol=1e-6)


def test_alpha_rests_and_then_moves() -> None:
    """A rest of half the training leaves alpha as it was for half of its steps, and pays for no step of it."""
    search = Darts(TRAINING, waits=0.5)
    learner = tiny.learner(search, TRAINING)
    start = learner.alpha.detach().clone()
    tiny.fit(learner, 1)
    assert torch.equal(learner.alpha, start)
    assert learner.progress == 0.5
    assert "alpha" not in learner.meter.phases
    tiny.fit(learner, 1)
    assert not torch.equal(learner.alpha, start)
    total = learner.meter.total()
    images = len(learner.train) * 32 * 2
    assert total.forward_images + total.backward_images == images * search.passes(learner.space) == images * 3


OPERATIONS = ["skip_connect", "nor_conv_3x3", "avg_pool_3x3", "max_pool_3x3", "sep_conv_3x3", "dil_conv_5x5"]


@pytest.mark.parametrize(
    ("name", "stride"), [*((name, 1) for name in OPERATIONS), *((name, 2) for name in OPERATIONS[1:])]
)
def test_partial_channels_are_masked_full_ones(name: str, stride: int) -> None:
    """The operation on all channels, its kernels zero outside the first quarter, gives that quarter; the other channels
    pass, or their 2x2 maxima. Output channel 4 c + p is channel c of part p."""
    share, width, norm, rng = 4, 8, Norm(), torch.Generator().manual_seed(3)
    inner, own = operation(name), width // share
    x = torch.randn(5, width, 6, 6, generator=rng, dtype=torch.float64)
    kernels, whole = [], []
    for small, full in zip(inner.kernels(own, 6, stride), inner.kernels(width, 6, stride), strict=True):
        kernel = torch.randn(
            small.outputs, small.inputs // small.groups, small.size, small.size, generator=rng
        ).double()
        wide = torch.zeros(full.outputs, full.inputs // full.groups, full.size, full.size, dtype=torch.float64)
        wide[: kernel.shape[0], : kernel.shape[1]] = kernel
        kernels.append(kernel)
        whole.append(wide)
    partly = form(Partial(name, inner, share), kernels, Site(width, stride, norm))
    masked = form(inner, whole, Site(width, stride, norm))(x)[:, :own]
    rest = x[:, own:] if stride == 1 else x[:, own:].unfold(2, 2, 2).unfold(3, 2, 2).amax((-2, -1))
    wanted = torch.cat([masked, rest], dim=1)
    found = partly(x)
    for part in range(share):
        for c in range(own):
            torch.testing.assert_close(found[:, share * c + part], wanted[:, own * part + c])


def test_a_mixture_of_partial_channels_passes_the_others_once() -> None:
    """Whatever the weights, `none` among them, as long as they sum to 1; `none` alone is no edge."""
    task = tiny.task(NB201, scale=replace(tiny.SCALE, channels=4))
    learner = task.learner(PcDarts(TRAINING), TRAINING)
    cell = next(learner.supernet.blocks())
    x = torch.randn(3, 4, 8, 8)
    for e, _ in cell.edges:
        theta = torch.randn(5).softmax(0)
        mixed = sum(theta[op] * cell.forms[e, op](x) for op in range(5))
        assert torch.allclose(mixed[:, 1:], x[:, 1:], atol=1e-6)  # a share of one channel: it stays in front
        assert not torch.allclose(mixed[:, 0], x[:, 0], atol=1e-3)
    assert learner.estimate((0,) * 6) == learner.estimate((0, 0, 0, 0, 1, 0))  # nothing leads to the output
    first = learner.space.kernels_at(cell.place, 0, 3)  # of width 4, a 3x3 kernel of one channel on 8x8 pixels
    assert [kernel.multiply_adds for kernel in first] == [9 * 64]


def test_edges_share_their_node() -> None:
    """Of NAS-Bench-201: 1, 2 and 3 edges into a node."""
    edges = torch.tensor([5.0, 0.0, 1.0, 0.0, 0.0, 2.0])
    shares = edge_shares(edges, same_target(NB201))
    torch.testing.assert_close(shares[0], torch.tensor(1.0))
    torch.testing.assert_close(shares[1:3], torch.tensor([0.0, 1.0]).softmax(0))
    torch.testing.assert_close(shares[3:], torch.tensor([0.0, 0.0, 2.0]).softmax(0))


def test_every_operation_is_trained_once_in_a_fair_step() -> None:
    """And the weights move as the sum of the gradients of the paths says."""
    search = FairNas(TRAINING)
    learner, twin = (tiny.in_float64(tiny.learner(search, TRAINING, NB201)) for _ in range(2))
    paths = [region for _, region in search.descents(twin)]
    assert [sorted(path.lists[edge][0] for path in paths) for edge in range(6)] == [[0, 1, 2, 3, 4]] * 6
    batch = next(learner.train.epoch())
    total = sum((twin.loss(batch, None, path) for path in paths), torch.zeros((), dtype=torch.float64))
    twin.optimiser.zero_grad()
    total.backward()
    torch.nn.utils.clip_grad_norm_(twin.weights, 5.0)
    twin.optimiser.step()
    assert float(learner.update_weights(batch)) == pytest.approx(float(total.detach()) / 5)
    for ours, theirs in zip(learner.weights, twin.weights, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_fair_steps_repeat_what_is_short_and_are_paid_for() -> None:
    search = FairNas(TRAINING)
    learner = tiny.task(NB201).learner(search, TRAINING, REGION)
    paths = [region for _, region in search.descents(learner)]
    counts = [[sum(path.lists[edge] == (op,) for path in paths) for op in REGION.lists[edge]] for edge in range(6)]
    assert len(paths) == 5
    assert [sorted(count) for count in counts] == [[2, 3], [5], [2, 3], [1] * 5, [2, 3], [5]]
    tiny.fit(learner, 1)
    images = len(learner.train) * 32
    assert learner.meter.total().backward_images == 5 * images
    assert search.passes(NB201) == 10


def test_smoothing_moves_the_weights_step_alone() -> None:
    """By less than the radius before it is scaled, on allowed operations, and more at the end than at the start."""
    search = Darts(TRAINING, radius=0.3)
    learner = tiny.task(NB201).learner(search, TRAINING, REGION)
    theta, _ = search.theta(learner)
    distances = []
    for epochs in (0, 2):
        learner.steps = epochs * len(learner.train)
        ((moved, region),) = search.descents(learner)
        assert moved is not None
        assert region == REGION
        assert moved[~learner.allowed].abs().max() == 0
        torch.testing.assert_close(moved.sum(-1), torch.ones(6))
        distances.append(float((moved - theta).detach().abs().max()))
    assert 0 < distances[0] < 0.06
    assert distances[1] > 0.06
    torch.testing.assert_close(search.theta(learner)[0], theta)


def test_a_row_that_smoothing_empties_takes_its_largest() -> None:
    moved = torch.tensor([[-0.2, -0.1, 0.9], [0.5, 0.5, 0.5]])
    allowed = torch.tensor([[True, True, False], [True, True, True]])
    assert projected(moved, allowed).tolist() == [[0.0, 1.0, 0.0], pytest.approx([1 / 3] * 3)]


def test_a_perturbation_keeps_what_is_missed_most_and_puts_the_learner_back() -> None:
    """By hand: accuracies of the mixture without each operation; afterwards weights, alpha, momentum, region and
    streams are what they were, and the search trains on as if it had not chosen."""
    search = Darts(TRAINING, selection=Perturbation(tuning=0.5))
    plain, learner = (tiny.fit(tiny.learner(search, TRAINING, NB201), 1) for _ in range(2))
    before = [t.clone() for t in tiny.state(learner)]
    genotype, accuracy = search.proposal(learner)
    assert 0 <= accuracy <= 1
    tiny.assert_states_equal(before, tiny.state(learner), 0)
    assert learner.region == NB201.region
    assert len(learner.curve) == 1
    for one in (plain, learner):
        tiny.fit(one, 1)
    tiny.assert_equal(plain, learner, 0)
    edge = 2
    hurts = []
    images = next(learner.valid.in_order(500))
    for op in range(5):
        theta = learner.alpha.detach().softmax(-1)
        theta[edge, op] = 0
        with learner.aside(), torch.no_grad():
            right = learner.supernet(images.images, theta, NB201.region).argmax(1) == images.labels
        hurts.append(1 - float(right.double().mean()))
    assert Perturbation().missed(learner, edge, search.expected) == int(np.argmax(hurts))
    assert search.as_trained == Darts(TRAINING)
    assert NB201.feasible(genotype)


def test_a_perturbation_drops_edges_where_nodes_take_two_and_is_paid_for() -> None:
    """Every operation once over the validation images, and one edge of two nodes among three."""
    search = Darts(TRAINING, selection=Perturbation(tuning=0.0))
    task = tiny.task(TOY_DARTS)
    learner = tiny.fit(task.learner(search, TRAINING), 1)
    genotype, _ = search.proposal(learner)
    assert TOY_DARTS.feasible(genotype)
    tried = sum(map(len, TOY_DARTS.region.lists))
    spent = task.meter.phases["perturb"].forward_images / 64
    assert tried - 10 + 2 * 3 <= spent <= tried + 2 * 3 + 1
    assert search.choosing(task) == tried * 64


def test_a_progressive_search_keeps_the_strongest_and_goes_on() -> None:
    """One child of the largest three weights of every edge, with its parent's state; what was dropped is estimated by
    the parent; images are those that were planned."""
    search: Partition = replace(methods.get("drnas-progressive"), base=Drnas(TRAINING, waits=0.1))
    task = tiny.task(NB201)
    with task.meter.phase("search"):
        found = search.search(task)
    root, child = found.details["tree"]
    assert [len(ops) for ops in child["region"]] == [3] * 6
    assert root["cut"]["edges"] == [0, 1, 2, 3, 4, 5]
    assert len(found.candidates) == 1
    assert Region.of(child["region"]).holds(found.genotype)
    assert found.estimate is not None
    outside = next(g for g in NB201.population if not Region.of(child["region"]).holds(g))
    assert np.isfinite(found.estimate([outside, found.genotype], None)).all()
    parent = task.learner(search.base, TRAINING)
    parent.alpha.data[4] = torch.tensor([0.3, -1.0, 0.2, -2.0, 0.1])
    assert Strongest(3).split(task, parent, 4).children(NB201.region, 4)[0].lists[4] == (0, 2, 4)
    with pytest.raises(BadSpec, match="Rsps gives no alpha by which operations could be kept"):
        replace(search, base=Rsps(TRAINING)).check(task)


def test_a_search_that_samples_is_asked_by_its_mean_weights() -> None:
    """Even ones where there is no alpha; the mean of the Dirichlet distribution; gates."""
    for search, wanted in (
        (Rsps(TRAINING), lambda alpha: torch.full((6, 5), 0.2)),
        (Snas(TRAINING), lambda alpha: alpha.softmax(-1)),
        (Drnas(TRAINING), lambda alpha: concentration(alpha) / concentration(alpha).sum(-1, keepdim=True)),
        (FairDarts(TRAINING), torch.sigmoid),
    ):
        learner = tiny.learner(search, TRAINING, NB201)
        learner.alpha.data = torch.linspace(-1, 1, 30).view(6, 5).clone()
        torch.testing.assert_close(search.expected(learner), wanted(learner.alpha.detach()))


def test_nothing_is_perturbed_where_nothing_is_left() -> None:
    task = tiny.task()
    task.region = TOY.alone((1, 2, 0))
    with pytest.raises(BadSpec, match="every edge of toy has one operation left here: there is nothing to perturb"):
        Darts(TRAINING, selection=Perturbation()).search(task)
    assert task.meter.total().forward_images == 0


def test_an_operation_whose_gradients_part_is_trained_no_more() -> None:
    """A threshold above every cosine stops all after one window: weights, momentum and all; alpha moves on. One below
    every cosine stops none, and the training is that of DARTS."""
    plain, never, always = (
        tiny.learner(search, TRAINING, NB201)
        for search in (
            Darts(TRAINING),
            Darts(TRAINING, stopping=EarlyStop(window=2, threshold=-1.0)),
            Darts(TRAINING, stopping=EarlyStop(window=2, threshold=1.1)),
        )
    )
    for learner in (plain, never):
        tiny.fit(learner, 1)
    tiny.assert_equal(plain, never, 0)
    assert not never.memory[STOPPED].any()
    batch, valid = next(always.train.epoch()), next(always.valid.epoch())
    moved = []
    for _ in range(4):
        before = [p.detach().clone() for _, _, p in always.supernet.owned()], always.alpha.detach().clone()
        always.stepper.alpha(always, batch, valid)
        always.stepper.weights(always, batch, None, True)
        same = [torch.equal(old, p) for old, (_, _, p) in zip(before[0], always.supernet.owned(), strict=True)]
        moved.append((not all(same), all(same), not torch.equal(before[1], always.alpha)))
    assert moved == [(True, False, True), (False, True, True), (False, True, True), (False, True, True)]
    assert int(always.memory[STOPPED].sum()) == len(list(always.supernet.owned()))


def test_what_has_stopped_is_kept_and_adopted() -> None:
    search = Darts(TRAINING, stopping=EarlyStop(window=2, threshold=1.1))
    trained, again, child = (tiny.learner(search, TRAINING, NB201) for _ in range(3))
    tiny.fit(trained, 1)
    again.restore(*trained.state())
    child.adopt(trained, state=True)
    for one in (again, child):
        assert one.memory[STOPPED].any()
        for name, kept in trained.memory.items():
            assert torch.equal(one.memory[name], kept)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda: Gdas(temperature=0.0), "temperature must be more than 0, got 0.0"),
        (lambda: Reinmax(temperature_end=-1.0), "temperature_end must be more than 0, got -1.0"),
        (lambda: Snas(temperature=float("nan")), "temperature must be more than 0, got nan"),
        (lambda: Rsps(stopping=EarlyStop()), "Rsps has no step of alpha whose gradients could be compared"),
        (lambda: Darts(order=2, stopping=EarlyStop()), "the gradients of one validation pass; use order=1"),
        (lambda: Darts(beta=-1.0), "beta must be 0 or more, got -1.0"),
        (lambda: Perturbation(slower=0.0), "slower must be more than 0, got 0.0"),
        (lambda: EarlyStop(window=0), "window must be 1 or more, got 0"),
        (lambda: PcDarts(share=0), "share must be 1 or more, got 0"),
        (lambda: FairNas(radius=0.1), "FairNas has no architecture weights that could be moved; leave radius at 0"),
        (lambda: FairNas(waits=0.1), "FairNas has no alpha that could rest; leave rests and waits at 0"),
        (
            lambda: PcDarts(TRAINING).search(tiny.task()),
            "3 channels cannot be parted into 4 equal shares; choose a share",
        ),
        (lambda: Darts(waits=1.0), "waits must be 0 or more and less than 1, got 1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(fault: Callable[[], Any], message: str) -> None:
    with pytest.raises(BadSpec, match=message):
        fault()


BASES = ("gdas", "reinmax", "drnas", "fairdarts", "beta-darts", "sdarts", "pc-darts", "fairnas", "darts-pt", "oles")


def test_each_has_a_name_of_its_own_in_its_key() -> None:
    keys = {tiny.spec(methods.get(label)).key for label in BASES}
    assert len(keys) == len(BASES)


PARTITIONS = ("fewshot", "gm-darts", "hep")
DEFAULT = {("pc-darts", "gm-darts")}


@pytest.mark.parametrize(
    ("label", "search", "space"),
    [
        pytest.param(
            label, search, space, marks=() if space == "toy" and (label, search) in DEFAULT else pytest.mark.slow
        )
        for space in ("toy", "nb201", "toy-darts", "macro", "darts")
        for search in PARTITIONS
        for label in BASES
    ],
)
def test_each_is_a_base_of_partition_searches(label: str, search: str, space: str, tmp_path: Path) -> None:
    """Its record is in order, on every space, with that space's settings; on NAS-Bench-201 it is the same twice."""
    whole: Partition = methods.get(search, space)
    base = methods.get(label, space)
    method = replace(whole, base=base, judge="proposal" if base.samples else "mixture")
    spec = tiny.spec(contract.smaller(method), 0, space, contract.SCALE, f"{search}-{label}")
    one = execute(spec, Settings(tmp_path / "one", device="cpu"), debug=True)
    assert one.status == "done"
    if space == "nb201":
        two = execute(spec, Settings(tmp_path / "two", device="cpu"), debug=True)
        assert canonical(one.essence()) == canonical(two.essence())
    outcome_in_order(one, spec)
    cost_in_order(one)
