"""Chains of cells against networks built alone, FaDE-ranks by hand, outer searches on known landscapes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.integrate import quad
from scipy.stats import norm

import methods
from bench.errors import BadGenotype, BadSpec
from bench.metrics import random_best_of_n
from bench.nets import nb201
from bench.nets.mixture import Gates
from bench.nets.operations import Norm
from bench.nets.rows import Rowed
from bench.nets.supernet import network_of, supernet_of
from bench.search.learner import Learner, Training
from bench.search.task import Task
from bench.spaces.layout import Shape
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.rows import rows_of
from bench.spaces.space import Region
from bench.spaces.toy import SPACE as TOY
from methods.bayes import Bayes, expected_improvement
from methods.darts import Darts
from methods.embedding import Embedding
from methods.fade import Fade, _best, _finalists, _note
from methods.hyper import HyperDarts, factors
from methods.rsps import Rsps
from tests import tiny

SHAPE = Shape(4, 2, 10, 3, 8)
CELLS = ((3, 1, 0, 2, 4, 3), (1, 0, 3, 3, 1, 2), (0, 2, 1, 4, 3, 1))
THREE = rows_of(NB201, [CELLS] * 3)
SHORT = Training(epochs=50, batch=32, alpha_rate=3e-3)
UNSCALED = replace(tiny.SCALE, epochs=1.0)


def _fade(**fields: Any) -> Fade:
    return Fade(**{"inner": HyperDarts(SHORT), "rounds": 3, "cells": 4, **fields})


# The space


def test_a_chain_reads_what_it_writes() -> None:
    assert THREE.size == 27
    for genotype in THREE.population:
        assert THREE.parse(THREE.show(genotype)) == genotype
    assert THREE.path((2, 0, 1)) == (CELLS[2], CELLS[0], CELLS[1])
    assert len(THREE.functions(list(THREE.population))[1]) == 27


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([CELLS, CELLS[:2]], "equally many"),
        ([(CELLS[0], CELLS[0])], "all different"),
        ([], "equally many"),
        ([(), ()], "equally many"),
    ],
)
def test_bad_rows_are_refused(cells: Any, words: str) -> None:
    with pytest.raises(BadSpec, match=words):
        rows_of(NB201, cells)


def test_foreign_cells_are_refused() -> None:
    with pytest.raises(BadGenotype):
        rows_of(NB201, [((0, 1, 2, 3, 4, 5),)])
    with pytest.raises(BadGenotype, match="takes 3"):
        THREE.parse(NB201.show(CELLS[0]))
    other = " > ".join(NB201.show((0,) * 6) for _ in range(3))
    with pytest.raises(BadGenotype, match="not among"):
        THREE.parse(other)


# The network


def _net(space: Any = THREE, shape: Shape = SHAPE) -> Rowed:
    net = supernet_of(space, shape, Norm(), 3, "weights/0")
    assert isinstance(net, Rowed)
    return net


def test_a_path_of_one_cell_is_the_network_of_that_cell() -> None:
    """The chain (c, c, c) against the ordinary supernet on one architecture, with the same weights put in."""
    net, plain = _net(), nb201.NB201Network(NB201, SHAPE, Norm(), 5, lean=False)
    images = torch.randn(7, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for c, cell in enumerate(CELLS):
        own = dict(net.state_dict())
        for name, value in plain.state_dict().items():
            parts = name.split(".")
            if parts[0] != "stages":
                value.copy_(own[name])
            elif own.get(place := f"stages.{parts[1]}.0.cells.{c}.{parts[2]}.{'.'.join(parts[3:])}") is not None:
                value.copy_(own[place])
        alone = Region.of([{op} for op in cell])
        ours = net(images, None, Region.of([{c}] * 3))
        assert torch.allclose(ours, plain(images, None, alone), atol=1e-5)
        assert net.multiply_adds(Region.of([{c}] * 3)) == plain.multiply_adds(alone)


def test_a_row_is_the_weighted_sum_of_its_cells() -> None:
    """With a one-hot theta the mixture is the path; in the first row it is linear in theta."""
    net = _net()
    images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    one_hot = torch.eye(3)[[1, 0, 2]]
    path = net(images, None, Region.of([{1}, {0}, {2}]))
    assert torch.allclose(net(images, one_hot, THREE.region), path, atol=1e-5)
    row = net.stages[0][0]  # type: ignore[index]
    x = torch.randn(5, 4, 8, 8)
    weights = torch.tensor([0.2, 0.3, 0.5])
    parts = [row((x,), None, Region.of([{c}] * 3))[0] for c in range(3)]
    wanted = sum(w * part for w, part in zip(weights, parts, strict=True))
    (found,) = row((x,), Gates(weights.expand(3, 3), x.dtype), THREE.region)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_cells_share_no_weights_and_hold_no_others() -> None:
    """Each cell has the kernels of its own operations: parameters by hand."""
    net = _net()
    kernels = {2: 1, 3: 9}
    taps = [sum(kernels.get(op, 0) for op in cell) for cell in CELLS]
    for row, width in enumerate((4, 8, 16)):
        count = sum(p.numel() for p in net.of_edge(row))
        assert count == SHAPE.cells * width * width * sum(taps)
    assert net.multiply_adds(THREE.region) > net.multiply_adds(Region.of([{0}] * 3))


@pytest.mark.parametrize(("rows", "stages"), [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (5, [2, 2, 1])])
def test_rows_are_spread_over_the_stages(rows: int, stages: list[int]) -> None:
    net = _net(rows_of(TOY, [((2, 1, 0), (1, 2, 2))] * rows))
    assert [len(stage) for stage in net.stages] == stages  # type: ignore[arg-type]
    assert net(torch.zeros(2, 3, 8, 8), None, net.space.region).shape == (2, 10)


# Ranks


def test_the_cell_of_the_largest_product_is_estimated_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows of three cells: by the sum of its weights cell 0 would lead, by their product cell 1 does."""
    p = torch.tensor([[0.69, 0.3, 0.01], [0.01, 0.2, 0.79], [0.7, 0.2, 0.1]])
    asked: list[Any] = []

    def estimate(path: Any) -> tuple[float, float]:
        asked.append(path)
        return 0.4, 9.0

    trained = SimpleNamespace(masked_alpha=p.log, estimate=estimate)
    monkeypatch.setattr(Fade, "trained", lambda self, task, cells, number: trained)
    found = Fade(rounds=1, cells=3).search(tiny.task(NB201))
    (told,) = found.details["rounds"]
    assert told["ranks"] == pytest.approx([0.69 * 0.01 * 0.7, 0.3 * 0.2 * 0.2, 0.01 * 0.79 * 0.1], rel=1e-5)
    assert asked == [(1, 1, 1)]
    assert found.candidates == ((tuple(told["cells"][1]), 0.4),)
    assert found.genotype == tuple(told["cells"][1])


def test_a_cell_that_is_best_twice_is_a_finalist_once_at_its_higher_accuracy() -> None:
    rounds = [{"top": top, "accuracy": accuracy} for top, accuracy in (((1,), 0.6), ((2,), 0.5), ((1,), 0.4))]
    assert _finalists(rounds) == (((1,), 0.6), ((2,), 0.5))
    assert _best(rounds) == (1,)


def test_small_ranks_are_kept_whole() -> None:
    """A rank is a product: a loser of three rows at a hundredth each has 1e-6, and still an order."""
    weights = np.array([[0.98, 0.0101, 0.0099]] * 3)
    note = _note({"cells": [(0,), (1,), (2,)], "weights": weights, "ranks": weights.prod(0), "accuracy": 0.5})
    assert note["ranks"] == weights.prod(0).tolist()
    assert note["ranks"][1] > note["ranks"][2] > 0


# Regularisation


def test_factors_by_hand() -> None:
    for progress in (0.0, 0.25, 0.5, 1.0):
        assert factors(3, progress, "independent").tolist() == pytest.approx([1 - 2 * progress] * 3)
        wanted = [max(-1, 1 - 2 * progress * s) for s in (2, 1.5, 1)]
        assert factors(3, progress, "dependent").tolist() == pytest.approx(wanted)
        assert factors(3, progress, "none").tolist() == [0, 0, 0]


def _inside(inner: HyperDarts) -> Learner:
    task = tiny.task(NB201, scale=UNSCALED)
    return task.on(THREE, "round0").learner(inner, inner.training, epochs=4)


@pytest.mark.parametrize("mode", ["none", "independent", "dependent"])
def test_alpha_follows_loss_and_penalty(mode: Any) -> None:
    """After one epoch of four: the penalty's derivative by hand is 2 r p_c (p_c - sum p^2), added to the loss's."""
    learner = _inside(HyperDarts(SHORT, regularised=mode, strength=0.7))
    learner.fit(1)
    with torch.no_grad():
        learner.alpha.copy_(torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))
    batch = next(iter(learner.valid.in_order(32)))
    relaxation = learner.relaxation
    assert isinstance(relaxation, HyperDarts)
    plain = Darts(SHORT).gradient(learner, batch, batch)
    p = learner.alpha.detach().softmax(-1)
    r = factors(3, 0.25, mode)
    by_hand = 2 * r[:, None] * p * (p - p.square().sum(-1, keepdim=True))
    assert torch.allclose(relaxation.gradient(learner, batch, batch), plain + 0.7 * by_hand, atol=1e-6)


def test_joint_training_is_one_pass_for_both() -> None:
    """Alpha's Adam step against the gradient of the training loss plus the penalty; no validation image is seen."""
    inner = HyperDarts(SHORT, joint=True)
    learner = _inside(inner)
    with learner.meter.phase("search"):
        twin = _inside(inner)
        batch = next(iter(twin.train.epoch()))
        loss = F.cross_entropy(twin.supernet.train()(batch.images, *inner.theta(twin)), batch.labels)
        wanted = twin.alpha_gradient(loss + inner.penalty(twin))
        seen: list[torch.Tensor] = []
        step = learner.alpha_optimiser.step
        learner.alpha_optimiser.step = lambda: (seen.append(learner.alpha.grad.clone()), step())  # type: ignore
        learner.fit(1, inner.lesson())
    assert torch.allclose(seen[0], wanted, atol=1e-6)
    assert len(seen) == 3
    assert learner.meter.total().forward_images == learner.meter.total().backward_images == 3 * 32
    bilevel = _inside(HyperDarts(SHORT))
    with bilevel.meter.phase("search"):
        bilevel.fit(1)
    assert bilevel.meter.total().forward_images == 2 * 3 * 32


# The outer search


def test_cost_of_fade_by_hand() -> None:
    """Per round: one hyper-architecture, alpha and weights in turn, and the validation images once for its top."""
    task = tiny.task(scale=replace(tiny.SCALE, epochs=0.04))
    with task.meter.phase("search"):
        _fade().search(task)
    phases, images = task.meter.phases, 3 * 2 * 3 * 32  # rounds, epochs, batches, images
    for name in ("alpha", "weights"):
        assert (phases[name].forward_images, phases[name].backward_images) == (images, images)
    assert (phases["choose"].forward_images, phases["choose"].backward_images) == (3 * 64, 0)
    assert task.meter.total().supernets == 3


def test_rounds_draw_different_cells_and_weights() -> None:
    task = tiny.task(NB201)
    found = _fade().search(task)
    rounds = found.details["rounds"]
    assert all(len({tuple(c) for c in r["cells"]}) == 4 for r in rounds)
    assert len({tuple(map(tuple, r["cells"])) for r in rounds}) == 3
    assert found.estimate is None  # ranks of different rounds have no common scale
    first, second = (tiny.task(NB201).on(THREE, name).learner(HyperDarts(SHORT), SHORT) for name in ("a", "b"))
    assert not torch.equal(first.weights[0], second.weights[0])


def test_the_pseudo_gradient_by_hand() -> None:
    points, ranks = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), np.array([0.1, 0.3, 0.1])
    u = 0.2 * points[0] + 0.6 * points[1] + 0.2 * points[2] - points.mean(0)  # the centre cancels out
    moved = _fade(stride=0.5).moved(np.array([1.0, 1.0]), points, ranks)
    assert moved == pytest.approx(np.array([1.0, 1.0]) + 0.5 * u / np.linalg.norm(u))


def test_cells_of_a_round_lie_spread_around_the_centre() -> None:
    seen: list[Any] = []
    embedding: Any = SimpleNamespace(nearest=lambda points, rng: seen.append(points))
    Fade(cells=4_000, spread=0.3).drawn(embedding, np.array([1.0, -2.0]), np.random.default_rng(0))
    assert seen[0].shape == (4_000, 2)
    assert seen[0].mean(0) == pytest.approx([1, -2], abs=0.03)
    assert seen[0].std(0) == pytest.approx([0.3, 0.3], rel=0.05)


class _Ranked:
    """A trained hyper-architecture whose weights are the softmax of known values of its cells."""

    def __init__(self, values: list[float]) -> None:
        self.values = torch.tensor(values)

    def masked_alpha(self) -> torch.Tensor:
        return self.values.expand(3, -1)

    def estimate(self, genotype: Any) -> tuple[float, float]:
        return float(self.values[genotype[0]]) / 100, 0.0


def test_the_outer_search_climbs_where_random_search_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A landscape of known ranks: the number of 3x3 convolutions. Forty rounds of six cells, mean over the last ten."""
    monkeypatch.setattr(Fade, "trained", lambda self, task, cells, number: _Ranked([2.0 * c.count(3) for c in cells]))
    ends = {}
    for outer in ("pseudo-gradient", "random"):
        found = Fade(outer=outer, rounds=40, cells=6).search(tiny.task(NB201))
        late = found.details["rounds"][-10:]
        ends[outer] = np.mean([cell.count(3) for r in late for cell in r["cells"]])
    assert ends["random"] < 2
    assert ends["pseudo-gradient"] > 4


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cells": 28}, "28 different cells of 27"),
        ({"cells": 0}, "1 or more"),
        ({"rounds": 0}, "1 or more"),
        ({"inner": Rsps()}, "cannot rank"),
        ({"inner": Darts()}, "cannot rank"),
        ({"inner": HyperDarts(SHORT, order=2, joint=True)}, "second order"),
        ({"inner": HyperDarts(replace(SHORT, batch=65))}, "validation images are fewer"),
    ],
)
def test_what_cannot_be_done_is_refused_before_training(fields: dict[str, Any], words: str) -> None:
    task = tiny.task()
    with task.meter.phase("search"), pytest.raises(BadSpec, match=words):
        _fade(**fields).search(task)
    assert task.meter.total().forward_images == 0


# The embedding


def test_one_hot_points_snap_to_themselves_and_to_the_largest_coordinates() -> None:
    embedding, rng = Embedding(NB201, NB201.region), np.random.default_rng(0)
    assert embedding.points.shape == (15625, 30)
    assert embedding.nearest(embedding.of(list(CELLS)), rng) == list(CELLS)
    point = rng.normal(size=(1, 30))
    assert embedding.nearest(point, rng) == [tuple(point.reshape(6, 5).argmax(1))]
    same = embedding.nearest(np.repeat(embedding.of([CELLS[0]]), 3, axis=0), rng)
    assert len(set(same)) == 3
    assert all(sum(a != b for a, b in zip(cell, CELLS[0], strict=True)) <= 1 for cell in same)


def test_summaries_by_hand() -> None:
    """Convolutions, and edges on the longest path, each in standard deviations over the space; cells of one bucket
    are drawn alike. Two operations of five are convolutions: over six edges they deviate by sqrt(6 2/5 3/5) = 1.2."""
    embedding = Embedding(NB201, NB201.region, "summary")
    cells = [(3, 3, 3, 3, 3, 3), (0, 0, 0, 0, 0, 0), (1, 0, 2, 0, 0, 4), (1, 0, 2, 3, 0, 0)]
    points = embedding.of(cells)
    assert points[:, 0] * 1.2 == pytest.approx([6, 0, 1, 2])
    assert points[:, 1] / points[0, 1] * 3 == pytest.approx([3, 0, 3, 1])
    assert embedding.points.std(0) == pytest.approx([1, 1])
    rng = np.random.default_rng(0)
    drawn = embedding.nearest(np.repeat(embedding.of([(1, 0, 2, 0, 0, 4)]), 50, axis=0), rng)
    assert len(set(drawn)) == 50
    assert np.allclose(embedding.of(drawn), embedding.of([(1, 0, 2, 0, 0, 4)]))


# The rival


def test_random_best_of_n_is_the_best_of_n_random_networks_trained_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a known landscape: the argmax of the cells drawn, all different; no process is fitted, no opinion held."""
    monkeypatch.setattr(Bayes, "accuracy", lambda self, task, cell: sum(cell) / 24)
    monkeypatch.setattr("methods.bayes.fitted", lambda *_: pytest.fail("a process was fitted"))
    bests = []
    for seed in range(30):
        found = methods.get("random-best-of-10").search(tiny.task(NB201, seed))
        assert len({cell for cell, _ in found.candidates}) == 10
        assert found.genotype == max(found.candidates, key=lambda finalist: finalist[1])[0]
        assert found.estimate is None
        bests.append(sum(found.genotype))
    every = np.array([sum(cell) for cell in NB201.population])
    assert np.mean(bests) == pytest.approx(random_best_of_n(every, 10), abs=1)


def test_equally_promising_cells_are_drawn_by_lot() -> None:
    """A process that tells no cell from another: the next one is any, not the first in order."""

    class Flat:
        def predict(self, points: Any, return_std: bool) -> Any:
            return np.full(len(points), 0.5), np.full(len(points), 0.1)

    embedding, known = Embedding(NB201, NB201.region), {(0,) * 6: 0.5}
    drawn = {Bayes().next(embedding, known, Flat(), np.random.default_rng(seed)) for seed in range(20)}
    assert len(drawn) > 15
    assert not drawn & set(known)


def test_expected_improvement_by_integration() -> None:
    for mean, deviation, best in ((0.5, 0.2, 0.6), (0.1, 0.05, 0.6), (0.9, 0.3, 0.6)):
        wanted, _ = quad(lambda v, m=mean, s=deviation, b=best: max(v - b, 0) * norm.pdf(v, m, s), best, best + 5)
        found = expected_improvement(np.array([mean]), np.array([deviation]), best)
        assert found[0] == pytest.approx(wanted, abs=1e-6)
    assert expected_improvement(np.array([0.3]), np.array([0.0]), 0.6)[0] == 0


def test_bayes_finds_the_best_of_a_known_landscape_sooner_than_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """An additive landscape on 27 cells: 12 evaluations find the best for most seeds, chance in 12 of 27."""

    def accuracy(self: Bayes, task: Task, cell: tuple[int, ...]) -> float:
        return sum((0.1, 0.3, 0.6)[op] * weight for op, weight in zip(cell, (1.0, 0.5, 0.8), strict=True)) / 3

    monkeypatch.setattr(Bayes, "accuracy", accuracy)
    hits = 0
    for seed in range(10):
        found = Bayes(networks=12).search(tiny.task(seed=seed))
        assert len(found.candidates) == 12 == len({g for g, _ in found.candidates})
        hits += found.genotype == (2, 2, 2)
    assert hits >= 9


def test_bayes_estimates_follow_the_accuracies_it_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of the process: near what was measured, over a range of 0.8, and no cross-entropy."""
    monkeypatch.setattr(Bayes, "accuracy", lambda self, task, cell: 0.1 + 0.4 * sum(cell) / 3)
    found = Bayes(networks=12).search(tiny.task())
    assert found.estimate is not None
    told = found.estimate([cell for cell, _ in found.candidates], None)
    assert told[:, 0] == pytest.approx([accuracy for _, accuracy in found.candidates], abs=0.1)
    assert np.isnan(told[:, 1]).all()
    worst, best = found.estimate([(0, 0, 0), (2, 2, 2)], None)[:, 0]
    assert best - worst > 0.5


def test_bayes_trains_a_cell_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(Learner, "fit", lambda self: seen.append(self.region.lists))
    monkeypatch.setattr(Learner, "estimate", lambda self, cell: (0.25, seen.append(cell)))
    assert Bayes(replace(Bayes().base, training=SHORT)).accuracy(tiny.task(), (2, 0, 1)) == 0.25
    assert seen == [((2,), (0,), (1,)), (2, 0, 1)]


@pytest.mark.parametrize(("fields", "words"), [({"networks": 28}, "more than 27"), ({"first": 11}, "1 to 10")])
def test_bayes_refuses(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSpec, match=words):
        Bayes(**fields).search(tiny.task())


def test_every_stack_of_a_row_of_two_input_cells_pays_for_its_inputs() -> None:
    """Against torch's counter, of the plain form: k stacks bring their inputs to width k times."""
    from torch.utils.flop_counter import FlopCounterMode

    from bench.spaces.toy_darts import SPACE as DARTS

    space = rows_of(DARTS, [list(DARTS.population)[:3]] * 3)
    net = network_of(space)(space, Shape(4, 1, 10, 3, 16), Norm(), 3, "weights/0", lean=False)
    for region in (space.region, Region.of([{0}, {1, 2}, {2}])):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(torch.zeros(2, 3, 16, 16), None, region)
        assert counter.get_total_flops() == 2 * 2 * net.multiply_adds(region)
