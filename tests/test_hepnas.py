"""Hierarchies by hand, the distillation loss against NumPy, who teaches whom, and that nobody moves while teaching."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from bench.nets.operations import Norm
from bench.search.learner import Learner, Training
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Region
from bench.spaces.toy import SPACE as TOY
from methods.darts import Darts
from methods.fewshot import Exhaustive
from methods.hepnas import HepNas, Hierarchy, MutualDistillation, divergence, hierarchies
from methods.matching import RandomGroups
from methods.partition import Growth
from methods.rsps import Rsps
from tests import tiny

SHORT = Training(batch=32)


# Hierarchies


def test_hierarchies_by_hand() -> None:
    assert hierarchies(NB201, NB201.region) == [[0], [1, 2], [3, 4, 5]]
    assert hierarchies(TOY, TOY.region) == [[0], [1, 2]]
    assert hierarchies(NB201, NB201.region.narrowed(0, {1}).narrowed(4, {2})) == [[1, 2], [3, 5]]


@pytest.mark.parametrize(
    ("order", "nodes"), [("sequential", [[0], [1, 2], [3, 4, 5]]), ("reversed", [[3, 4, 5], [1, 2], [0]])]
)
def test_order(order: Any, nodes: list[list[int]]) -> None:
    task = tiny.task(NB201)
    choice = Hierarchy(order)
    assert [choice.candidates(task, None, level) for level in range(3)] == nodes  # type: ignore[arg-type]


def test_a_random_order_visits_every_node_once_and_is_none_that_has_a_name() -> None:
    nodes, orders = [(0,), (1, 2), (3, 4, 5)], set()
    for seed in range(40):
        task, choice = tiny.task(NB201, seed), Hierarchy("random")
        visited = [tuple(choice.candidates(task, None, level)) for level in range(3)]  # type: ignore[arg-type]
        assert sorted(visited) == nodes
        orders.add(tuple(visited))
    assert orders == set(itertools.permutations(nodes)) - {tuple(nodes), tuple(nodes[::-1])}


def test_of_two_nodes_a_random_order_is_either() -> None:
    choice = Hierarchy("random")
    first = {tuple(choice.candidates(tiny.task(TOY, seed), None, 0)) for seed in range(20)}  # type: ignore[arg-type]
    assert first == {(0,), (1, 2)}


@pytest.mark.parametrize(("grouping", "sizes"), [(RandomGroups(), (2, 4, 8)), (Exhaustive(), (5, 25, 125))])
def test_children_are_the_product_of_the_groups(grouping: Any, sizes: tuple[int, ...]) -> None:
    task = tiny.task(NB201)
    search = HepNas(grouping=grouping, base=Darts(SHORT))
    tree = Growth(search, task, search.written(task))
    parent: Any = SimpleNamespace(region=NB201.region, name="0")
    for level, size in enumerate(sizes):
        regions, _ = tree.regions(parent, level)
        assert len({r.lists for r in regions}) == len(regions) == size
        assert sum(r.size for r in regions) == parent.region.size
        parent = SimpleNamespace(region=regions[0], name="0")  # children keep what was cut before
        assert all(regions[0].allowed[e] <= NB201.region.allowed[e] for e in range(6))


# The loss


def _numpy_divergence(teacher: np.ndarray[Any, Any], student: np.ndarray[Any, Any]) -> float:
    p, q = log_softmax(teacher, axis=1), log_softmax(student, axis=1)
    return float((np.exp(p) * (p - q)).sum(1).mean())


class _Voice:
    """A learner of fixed logits, which counts how often it is asked."""

    def __init__(self, seed: int) -> None:
        self.logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(6, 10)))
        self.meter = tiny.task().meter
        self.asked = 0

    def mixture(self, images: Any, visitor: Any = None) -> torch.Tensor:
        self.asked += 1
        return self.logits


@pytest.mark.parametrize("teachers", ["parent", "siblings", "both"])
def test_the_distillation_loss_by_hand(teachers: Any) -> None:
    """Child 1 of four: KL from the parent plus the mean KL from children 0, 2, 3, each asked once."""
    parent, *children = [_Voice(seed) for seed in range(5)]
    smd = MutualDistillation(teachers, parent_weight=0.5, siblings_weight=2.0)
    lesson = smd.lesson(children, parent)  # type: ignore[arg-type]
    assert lesson is not None
    own = torch.from_numpy(np.random.default_rng(9).normal(size=(6, 10))).requires_grad_()
    batch: Any = SimpleNamespace(images=None)
    loss = lesson(children[1], batch, own)  # type: ignore[arg-type]
    z = own.detach().numpy()
    by_parent = _numpy_divergence(parent.logits.numpy(), z)
    by_siblings = np.mean([_numpy_divergence(children[k].logits.numpy(), z) for k in (0, 2, 3)])
    wanted = {"parent": 0.5 * by_parent, "siblings": 2 * by_siblings, "both": 0.5 * by_parent + 2 * by_siblings}
    assert loss.item() == pytest.approx(wanted[teachers], rel=1e-9)
    assert [v.asked for v in (parent, *children)] == {
        "parent": [1, 0, 0, 0, 0],
        "siblings": [0, 1, 0, 1, 1],
        "both": [1, 1, 0, 1, 1],
    }[teachers]
    loss.backward()
    assert own.grad is not None
    assert float(own.grad.abs().sum()) > 0


def test_no_teacher_no_lesson_and_an_only_child_has_no_siblings() -> None:
    parent, child = _Voice(0), _Voice(1)
    assert MutualDistillation("none").lesson([child], parent) is None  # type: ignore[list-item, arg-type]
    lesson = MutualDistillation("siblings").lesson([child], parent)  # type: ignore[list-item, arg-type]
    assert lesson is not None
    assert float(lesson(child, SimpleNamespace(images=None), child.logits)) == 0  # type: ignore[arg-type]
    assert float(divergence(child.logits, child.logits)) == pytest.approx(0, abs=1e-12)


# Teachers


def test_teachers_do_not_move() -> None:
    """While child 0 learns, its parent and siblings keep weights, alpha, statistics, gradients and streams."""
    training = Training(batch=32, norm=Norm("running"))
    task = tiny.task()
    parent = task.learner(Darts(training), training)
    parent.fit(1)
    regions = TOY.region.cut(0, [{0}, {1}, {2}])
    children = [task.learner(Darts(training), training, region).adopt(parent, True) for region in regions]

    def state(learner: Learner) -> list[torch.Tensor]:
        return [t.clone() for t in [*learner.weights, *learner.supernet.buffers(), learner.alpha]]

    others = [parent, *children[1:]]
    before = [state(learner) for learner in others]
    lesson = MutualDistillation().lesson(children, parent)
    children[0].fit(1, lesson)
    for learner, old in zip(others, before, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(old, state(learner), strict=True))
    assert all(w.grad is None for child in children[1:] for w in child.weights)
    assert not all(torch.equal(a, b) for a, b in zip(state(children[0]), before[0], strict=True))


def test_a_lesson_pulls_a_child_towards_its_teacher() -> None:
    """The divergence from the parent after three epochs is smaller with the parent's lesson than without."""
    ends = []
    for teachers in ("none", "parent"):
        task = tiny.task()
        parent = task.learner(Darts(SHORT), SHORT)
        parent.fit(3)
        child = task.learner(Darts(SHORT), SHORT)
        lesson = MutualDistillation(teachers, parent_weight=20.0).lesson([child], parent)
        child.fit(3, lesson)
        images = next(iter(child.valid.in_order(64))).images
        ends.append(float(divergence(parent.mixture(images), child.mixture(images))))
    assert ends[1] < ends[0]


def test_the_mixture_accuracy_by_hand() -> None:
    """All 64 validation images at once through the softmax mixture of the region."""
    task = tiny.task()
    region = TOY.region.narrowed(2, {0, 2})
    learner = task.learner(Darts(SHORT), SHORT, region)
    learner.fit(2)
    batch = next(iter(learner.valid.in_order(64)))
    weights = torch.where(torch.from_numpy(region.mask(3)), learner.alpha.detach(), torch.tensor(-torch.inf)).softmax(1)
    logits = learner.supernet(batch.images, weights, TOY.region)
    assert learner.mixture_accuracy() == float((logits.argmax(1) == batch.labels).sum()) / 64


STAGES = HepNas(base=Darts(SHORT), grouping=RandomGroups(), tuning=1, levels=(1, 1, 1))


def test_size_and_accuracies_of_every_stage_are_kept() -> None:
    """The last child kept is not trained on, so its own proposal is the search's, at the discretised accuracy noted for
    it."""
    found = STAGES.search(tiny.task(NB201))
    tree = found.details["tree"]
    winner = max((n for n in tree if n["depth"] == 3), key=lambda n: n["accuracy"])
    assert winner["kept"]
    assert Region.of(winner["region"]).holds(found.genotype)
    assert found.candidates == ((found.genotype, winner["discretised"]),)
    for depth, (count, size) in enumerate([(1, 15625), (2, 15625)]):
        nodes = [n for n in tree if n["depth"] == depth]
        assert len(nodes) == count
        assert sum(n["size"] for n in nodes) == size
        assert all((n["accuracy"] is None) == (depth == 0) for n in nodes)
        assert all((n["discretised"] is None) == (depth == 0) for n in nodes)


def test_a_base_without_a_free_proposal_has_no_discretised_accuracy() -> None:
    sampled = replace(STAGES, base=Rsps(SHORT)).search(tiny.task(NB201))
    assert all(n["discretised"] is None for n in sampled.details["tree"])
