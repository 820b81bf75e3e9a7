"""Evolution against exhaustive search, on scores that are known; and that it keeps its account and its region."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench import spaces
from bench.errors import BadRegion, BadSpec
from bench.spaces.macro import SPACE as MACRO
from bench.spaces.space import Genotype, Region, Space
from bench.streams import numpy_stream
from methods.evolution import Ageing, Evolution, changed, changed_once, crossed
from methods.spos import Spos
from tests import tiny


class Landscape:
    """Every operation of an edge has a worth, and so has every pair on neighbouring edges; who is asked for is kept."""

    def __init__(self, space: Space, seed: int) -> None:
        rng = np.random.default_rng(seed)
        edges, ops = len(space.edges), len(space.ops)
        self.single, self.pairs = rng.normal(size=(edges, ops)), 0.5 * rng.normal(size=(edges, ops, ops))
        self.asked: list[Genotype] = []

    def __call__(self, genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        self.asked += genotypes
        return np.array([self.worth(genotype) for genotype in genotypes])

    def worth(self, genotype: Genotype) -> float:
        single = sum(self.single[edge, op] for edge, op in enumerate(genotype))
        pairs = sum(self.pairs[edge, a, b] for edge, (a, b) in enumerate(itertools.pairwise(genotype)))
        return float(single + pairs)


def rng(seed: int = 0) -> np.random.Generator:
    return numpy_stream(seed, "evolution")


@pytest.mark.parametrize("breeding", [Evolution(), Ageing(samples=1_000)], ids=["spos", "ageing"])
@pytest.mark.parametrize("seed", range(2))
def test_the_best_is_that_of_exhaustive_search(breeding: Any, seed: int) -> None:
    """A sixth of 6,561 architectures is asked for; random search would find the best one time in six."""
    score = Landscape(MACRO, seed)
    expected = max(MACRO.population, key=score.worth)
    visited = breeding.run(MACRO, MACRO.region, score, rng(seed))
    assert visited.best(1) == [expected]
    assert len(score.asked) == len(set(score.asked)) <= breeding.most == 1_000
    assert visited.scores == {genotype: score.worth(genotype) for genotype in score.asked}


@pytest.mark.parametrize("breeding", [Evolution(), Ageing()], ids=["spos", "ageing"])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 1, 1, 1), (3, 3, 2, 1), (3, 3, 3, 3)])
def test_a_small_region_is_searched_whole_and_not_left(breeding: Any, sizes: tuple[int, ...]) -> None:
    region = Region.of([range(size) for size in sizes] + [{1}] * 4)
    score = Landscape(MACRO, 1)
    visited = breeding.run(MACRO, region, score, rng())
    assert set(score.asked) <= set(MACRO.listed(region))
    assert visited.best(1) == [max(MACRO.listed(region), key=score.worth)]
    assert isinstance(breeding, Ageing) or len(score.asked) == MACRO.count(region)


@pytest.mark.parametrize("breeding", [Evolution(population=8, generations=4), Ageing(samples=30)])
def test_children_keep_the_rule_of_a_space(breeding: Any) -> None:
    """On a space whose architectures drop edges, nearly no change of one edge is one; others are drawn."""
    space = spaces.get("toy-darts")
    score = Landscape(space, 0)
    breeding.run(space, space.region, score, rng())
    assert len(score.asked) >= 30
    assert all(space.feasible(genotype) for genotype in score.asked)


def test_a_child_has_its_edges_from_its_parents() -> None:
    one, other, generator = (0,) * 8, (2,) * 8, rng()
    children = [crossed(MACRO, MACRO.region, one, other, generator) for _ in range(200)]
    assert {op for child in children for op in child} == {0, 2}
    assert 0.4 < np.mean(children) / 2 < 0.6
    once = [changed_once(MACRO, MACRO.region, one, generator) for _ in range(200)]
    assert {sum(op != 0 for op in child) for child in once} == {1}
    assert {next(edge for edge in range(8) if child[edge]) for child in once} == set(range(8))
    anew = np.array([changed(MACRO, MACRO.region, one, 0.3, generator) for _ in range(400)])
    # An edge is drawn anew with 0.3 and then differs with 2/3; those that stay as they are throughout are drawn again.
    expected = 0.2 / (1 - 0.8**8)
    assert abs(float((anew > 0).mean()) - expected) < 0.03


def test_scores_that_are_no_number_come_last() -> None:
    def score(genotypes: Sequence[Genotype]) -> NDArray[np.float64]:
        return np.array([np.nan if genotype[0] else sum(genotype) for genotype in genotypes])

    assert Evolution().run(MACRO, MACRO.region, score, rng()).best(1) == [(0, 2, 2, 2, 2, 2, 2, 2)]


@pytest.mark.parametrize("breeding", [Evolution(), Ageing()], ids=["spos", "ageing"])
def test_a_region_without_a_path_is_refused(breeding: Any) -> None:
    """Every node of this space takes two of its edges; here each may take one."""
    space = spaces.get("toy-darts")
    assert space.absent is not None
    region = Region.of([{space.absent} if edge.source else {0, 1} for edge in space.edges])
    with pytest.raises(BadRegion, match="no architecture of toy-darts"):
        breeding.run(space, region, Landscape(space, 0), rng())


@pytest.mark.parametrize(
    "make",
    [
        lambda: Evolution(population=0),
        lambda: Evolution(parents=0),
        lambda: Evolution(mutation=1.5),
        lambda: Ageing(tournament=0),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(BadSpec):
        make()


def test_spos_chooses_the_most_accurate_of_what_it_breeds() -> None:
    """On a region that it searches whole, that is the best of all estimates."""
    space = spaces.get("macro")
    method = Spos()
    learner = tiny.task(space).learner(method, method.training, Region.of([{1, 2}] * 5 + [{0}] * 3))
    tiny.fit(learner, 1)
    genotype, accuracy = method.choose(learner)
    every = list(space.listed(learner.region))
    estimates = learner.estimates(every)[:, 0]
    assert genotype == every[int(estimates.argmax())]
    assert accuracy == estimates.max()


def test_a_base_of_many_supernets_breeds_as_much_as_that_of_one() -> None:
    shared = Spos().shared_out(6)
    assert 6 * shared.choices == 6 * 4 * 50 >= Spos().choices
    assert Spos().shared_out(100).evolution.generations == 1
