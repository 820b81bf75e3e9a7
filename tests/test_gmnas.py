"""Gradient matching: measures by hand, the cut by brute force and on planted structures, gradients derived twice."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from bench.nets import nb201
from bench.search.learner import Learner, Training
from bench.search.task import Task
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Region
from methods.darts import Darts
from methods.gmnas import GmNas, OneEdge
from methods.matching import Matching, RandomGroups, cosine, filter_cosine, halvings, parted, squared
from methods.parts import Split
from methods.rsps import Rsps
from methods.snas import Snas
from tests import tiny

SHORT = Training(batch=32)


def _trained(base: Any, seed: int = 0) -> tuple[Task, Learner]:
    task = tiny.task(NB201, seed)
    learner = task.learner(base, SHORT)
    learner.fit(1)
    return task, learner


# Measures


def test_measures_by_hand() -> None:
    """Two tensors: a 2 x 3 matrix of filters and a vector, as flat lists of numbers."""
    a = [torch.tensor([[1.0, 2.0, 2.0], [0.0, 3.0, 4.0]]), torch.tensor([5.0])]
    b = [torch.tensor([[2.0, 1.0, 2.0], [0.0, 0.0, 0.0]]), torch.tensor([-1.0])]
    x, y = np.array([1, 2, 2, 0, 3, 4, 5.0]), np.array([2, 1, 2, 0, 0, 0, -1.0])
    assert float(cosine(a, b)) == pytest.approx(1 - x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), abs=1e-6)
    assert float(squared(a, b)) == pytest.approx(((x - y) ** 2).sum())
    assert float(filter_cosine(a, b)) == pytest.approx((1 - 8 / 9) + 1, abs=1e-6)  # the vector does not count
    assert float(cosine(a, a)) == pytest.approx(0, abs=1e-6)


# The minimum cut


@pytest.mark.parametrize(
    ("ops", "sizes"), [(2, [1]), (3, [1] * 3), (4, [2] * 3), (5, [2] * 10), (7, [2] * 21 + [3] * 35)]
)
def test_halvings(ops: int, sizes: list[int]) -> None:
    """Each two-group partition once; NAS-Bench-201 has 10, seven operations have 21 + 35."""
    found = list(halvings(range(10, 10 + ops)))
    assert sorted(min(map(len, groups)) for groups in found) == sizes
    assert len({frozenset(map(frozenset, groups)) for groups in found}) == len(found)
    assert all(sorted(a + b) == list(range(10, 10 + ops)) for a, b in found)


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_the_cut_is_the_best_of_all_two_group_partitions(count: int, seed: int) -> None:
    """Against bit masks over all 2^n assignments."""
    upper = np.triu(np.random.default_rng(seed).random((count, count)), 1)
    distances = upper + upper.T
    split = parted(distances, range(count))
    least = 1 if count < 4 else 2
    best = min(
        sum(upper[i, j] for i in range(count) for j in range(i + 1, count) if (mask >> i & 1) == (mask >> j & 1))
        for mask in range(2**count)
        if least <= mask.bit_count() <= count - least
    )
    assert split.within == pytest.approx(best)
    assert split.within + split.between == pytest.approx(upper.sum())


@given(st.sets(st.integers(0, 4), min_size=2, max_size=2), st.integers(0, 2**32 - 1))
def test_a_planted_partition_is_found(pair: set[int], seed: int) -> None:
    """Operations 0..4 with a planted pair; distances in a group are below those between, whatever they are."""
    rng = np.random.default_rng(seed)
    distances = np.array([[rng.uniform(0, 0.3 if (i in pair) == (j in pair) else 0) + (
        0 if (i in pair) == (j in pair) else rng.uniform(0.7, 1.0)) for j in range(5)] for i in range(5)])  # fmt: skip
    groups = parted((distances + distances.T) / 2, range(5)).groups
    assert {frozenset(g) for g in groups} == {frozenset(pair), frozenset(range(5)) - pair}


class _Planted:
    """A supernet of linear losses: operation o of the one edge has the gradient `gradients[o]`."""

    def __init__(self, gradients: torch.Tensor) -> None:
        self.shared = torch.nn.Parameter(torch.zeros(gradients.shape[1]))
        self.table = gradients
        self.region = Region.of([range(len(gradients)), [0]])
        self.relaxation = SimpleNamespace(theta=lambda learner: (torch.full((2, len(gradients)), 0.2), self.region))
        self.supernet = SimpleNamespace(shared_by=lambda edge: [self.shared])
        self.asked: list[Region] = []

    def loss(self, batch: Any, theta: torch.Tensor, region: Region) -> torch.Tensor:
        self.asked.append(region)
        (op,) = region.allowed[0]
        return theta[0, op] * (self.shared @ self.table[op])


@pytest.mark.parametrize(("weight", "size"), [("hard", 1.0), ("soft", 0.2)])
def test_planted_gradients_are_parted(weight: Any, size: float) -> None:
    """Operations {1, 4} pull one way, {0, 2, 3} another: one pass per operation finds it, at either weight."""
    one, two = torch.tensor([1.0, 0.2, 0.0]), torch.tensor([-0.3, 1.0, 0.5])
    nudges = torch.tensor([[0, 0.1, 0], [0.1, 0, 0], [0, 0, 0.1], [0.1, 0.1, 0], [0, 0, -0.1]])
    table = torch.stack([two, one, two, two, one]) + nudges
    planted = _Planted(table)
    matching = Matching(weight=weight)
    gradients = matching.gradients(planted, None, 0)  # type: ignore[arg-type]
    assert all(torch.allclose(g[0], size * row) for g, row in zip(gradients, table, strict=True))
    assert [sorted(r.allowed[0]) for r in planted.asked] == [[0], [1], [2], [3], [4]]
    distances = matching.distances(planted, None, 0).numpy()  # type: ignore[arg-type]
    assert parted(distances, range(5)).groups == ((1, 4), (0, 2, 3))


# Gradients of a real supernet


@pytest.mark.parametrize("base", [Darts(SHORT), Rsps(SHORT), Snas(SHORT)], ids=["darts", "rsps", "snas"])
def test_gradients_are_those_of_the_masked_plain_network(base: Any) -> None:
    """Another way to the same numbers: all operations computed one by one, weights of the others zero, and every
    parameter's gradient looked up by name: cells and reductions, without the edge, the stem and the head."""
    _, learner = _trained(base)
    edge, batch = 2, next(iter(learner.train.epoch()))
    theta, region = base.theta(learner)
    fixed = SimpleNamespace(theta=lambda _: (theta, region))
    learner.relaxation = fixed  # type: ignore[assignment]
    found = Matching().gradients(learner, batch, edge)
    plain = nb201.NB201Network(NB201, learner.supernet.shape, SHORT.norm, 0, "other", lean=False)
    plain.load_state_dict(learner.supernet.state_dict())
    whole = torch.zeros(6, 5) if theta is None else theta.detach().clone()
    if theta is None:
        for e, (op,) in enumerate(region.lists):
            whole[e, op] = 1
    for op, gradient in enumerate(found):
        masked = whole.clone()
        masked[edge] = F.one_hot(torch.tensor(op), 5)
        plain.zero_grad()
        F.cross_entropy(plain(batch.images, masked, NB201.region), batch.labels).backward()
        named = {
            name: torch.zeros_like(p) if p.grad is None else p.grad
            for name, p in plain.named_parameters()
            if name.startswith(("stages", "reductions")) and f"weighted.{edge}/" not in name
        }
        wanted = torch.cat([named[name].flatten() for name in named])
        names = {id(p): name for name, p in learner.supernet.named_parameters()}
        own = dict(zip([names[id(p)] for p in learner.supernet.shared_by(edge)], gradient, strict=True))
        assert set(own) == set(named)
        assert torch.allclose(torch.cat([own[name].flatten() for name in named]), wanted, atol=1e-5, rtol=1e-3)


def test_matching_leaves_the_supernet_as_it_was() -> None:
    task, learner = _trained(Snas(SHORT))
    before = [w.clone() for w in [*learner.weights, learner.alpha]]
    noise = learner.noise.get_state()
    split = Matching(50).split(task, learner, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, [*learner.weights, learner.alpha], strict=True))
    assert torch.equal(noise, learner.noise.get_state())
    assert split.distances is not None
    assert split.distances.shape == (5, 5)
    assert np.array_equal(split.distances, split.distances.T)
    assert np.array_equal(np.diag(split.distances), np.zeros(5))
    again = Matching(50).split(task, learner, 1)
    assert again.distances is not None
    assert not np.array_equal(split.distances, again.distances)  # SNAS draws anew
    darts = _trained(Darts(SHORT))
    tables = [Matching(50).split(*darts, 1).distances for _ in range(2)]
    assert np.array_equal(tables[0], tables[1])  # type: ignore[arg-type]  # the same batches, nothing else is drawn


def test_distances_are_averaged_over_batches() -> None:
    """Two batches of a pass against the mean of their tables."""
    task, learner = _trained(Darts(SHORT))
    matching = Matching(50)  # 2 at the tiny scale
    from bench.nets.streams import torch_stream

    batches = learner.train.drawn_from(torch_stream(0, "cut/0/3")).endless()
    tables = [matching.distances(learner, batch, 3) for batch in itertools.islice(batches, 2)]
    split = matching.split(task, learner, 3)
    assert split.distances is not None
    assert np.allclose(split.distances, (sum(tables[1:], tables[0]) / 2).numpy(), atol=1e-6)


# The choice of the edge


def test_the_edge_of_the_largest_cut_or_the_least_within() -> None:
    splits = {2: Split(((0,), (1,)), None, 0.3, 0.9), 4: Split(((0,), (1,)), None, 0.1, 0.5)}
    assert OneEdge("between").chosen(splits) == [2]
    assert OneEdge("within").chosen(splits) == [4]


def test_branches_choose_edges_for_themselves_and_never_twice() -> None:
    task = tiny.task(NB201)
    found = GmNas(base=Darts(SHORT), levels=(15, 15)).search(task)
    tree = found.details["tree"]
    cuts = {node["name"]: node["cut"] for node in tree if node["cut"]}
    assert len(cuts) == 3
    assert set(cuts["0"]["splits"]) == set("012345")
    first = str(cuts["0"]["edges"][0])
    for name in ("1", "2"):
        assert set(cuts[name]["splits"]) == set("012345") - {first}
    for cut in cuts.values():
        best = max(cut["splits"], key=lambda e: cut["splits"][e]["between"])
        assert cut["edges"] == [int(best)]
    leaves = [node for node in tree if node["depth"] == 2]
    assert sum(leaf["size"] for leaf in leaves) == NB201.size
    assert [Region.of(leaf["region"]).holds(g) for (g, _), leaf in zip(found.candidates, leaves, strict=True)] == [
        True
    ] * 4


def test_random_groups_have_the_sizes_of_matching_and_are_uniform() -> None:
    drawn = set()
    for seed in range(60):
        task = tiny.task(NB201, seed)
        learner = SimpleNamespace(region=NB201.region, name="0")
        groups = RandomGroups().split(task, learner, 1).groups  # type: ignore[arg-type]
        assert sorted(map(len, groups)) == [2, 3]
        drawn.add(groups)
    assert len(drawn) == 10


def test_supernets_and_edges_draw_apart() -> None:
    """Groups of another supernet or another edge, and the edge of another supernet, are drawn anew: over twenty seeds
    some differ."""

    def groups(name: str, edge: int, seed: int) -> Any:
        parent: Any = SimpleNamespace(region=NB201.region, name=name)
        return RandomGroups().split(tiny.task(NB201, seed), parent, edge).groups

    def edge(name: str, seed: int) -> list[int]:
        parent: Any = SimpleNamespace(region=NB201.region, name=name)
        return OneEdge("random").candidates(tiny.task(NB201, seed), parent, 0)

    assert any(groups("1", 0, seed) != groups("2", 0, seed) for seed in range(20))
    assert any(groups("1", 0, seed) != groups("1", 1, seed) for seed in range(20))
    assert any(edge("1", seed) != edge("2", seed) for seed in range(20))


def test_batches_are_shrunk_by_the_factor_of_a_fair_search() -> None:
    assert Matching(100).times(0.25).batches == 25
    assert Matching(100).times(0.001).batches == 1
