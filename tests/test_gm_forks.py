"""GM-NAS as in its two MobileNet searches: partitions by brute force and by the authors' code, kernels that are cut
while depth stays, and the trees that their settings grow.

Golden values: skhu101/GM-NAS, commit a69837dac, `mincut_split_ofa` and `mincut_split_proxylessnas` on uniform symmetric
matrices.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import methods
from bench import spaces
from bench.errors import BadSpec
from bench.search.learner import Training
from bench.spaces.space import Region
from methods.budget import counted, fair
from methods.gmnas import OF_GATES, OF_KERNELS, GmNas, OneEdge
from methods.matching import Matching, RandomGroups, parted, partitions
from methods.partition import Growth
from methods.parts import Split
from methods.proxyless import Proxyless
from methods.shrink import Shrink
from tests import contract, tiny

MACRO = spaces.get("macro")


def distances(count: int, seed: int) -> NDArray[np.float64]:
    drawn = np.random.RandomState(seed).uniform(0, 1, (count, count))
    drawn = (drawn + drawn.T) / 2
    np.fill_diagonal(drawn, 0)
    return drawn


@pytest.mark.parametrize(("ops", "groups", "expected"), [(3, 3, 1), (4, 3, 6), (5, 3, 25), (6, 3, 15), (7, 3, 105)])
def test_every_partition_into_three_is_there_once(ops: int, groups: int, expected: int) -> None:
    """Stirling numbers S(3, 3), S(4, 3), S(5, 3); then with two operations in each group or more."""
    found = list(partitions(range(ops), groups))
    assert len({frozenset(map(frozenset, split)) for split in found}) == len(found) == expected
    assert all(sorted(itertools.chain(*split)) == list(range(ops)) for split in found)


@pytest.mark.parametrize("seed", range(5))
def test_three_groups_have_the_least_distance_within(seed: int) -> None:
    table = distances(6, seed)

    def within(split: tuple[tuple[int, ...], ...]) -> float:
        return float(sum(table[a, b] for group in split for a, b in itertools.combinations(group, 2)))

    every = set()
    for order in itertools.permutations(range(6)):
        every.add(tuple(sorted(tuple(sorted(order[k : k + 2])) for k in (0, 2, 4))))
    found = parted(table, range(6), 3)
    assert found.within == pytest.approx(min(map(within, every)))
    assert found.within == pytest.approx(within(found.groups))
    assert found.within + found.between == pytest.approx(np.triu(table).sum())


@pytest.mark.parametrize(
    ("count", "seed", "groups", "between"),
    [
        (2, 0, {(0,), (1,)}, 0.658976),
        (3, 0, {(2,), (0, 1)}, 1.289009),
        (5, 0, {(3, 4), (0, 1, 2)}, 3.245749),
        (5, 1, {(3, 4), (0, 1, 2)}, 3.009535),
        (5, 2, {(3, 4), (0, 1, 2)}, 2.626196),
        (6, 3, {(3, 4, 5), (0, 1, 2)}, 4.770852),
    ],
)
def test_the_rule_of_once_for_all_is_that_of_its_code(
    count: int, seed: int, groups: set[tuple[int, ...]], between: float
) -> None:
    found = parted(distances(count, seed), range(count), rule="ofa")
    assert set(found.groups) == groups
    assert found.between == pytest.approx(between, abs=1e-6)


@pytest.mark.parametrize(
    ("count", "seed", "groups", "within"),
    [
        (5, 0, {(2, 4), (0, 1, 3)}, 1.754746),
        (5, 1, {(1, 3), (0, 2, 4)}, 1.260847),
        (5, 2, {(0, 1), (2, 3, 4)}, 1.076407),
        (6, 3, {(0, 1, 2), (3, 4, 5)}, 2.541572),
    ],
)
def test_two_groups_are_those_of_the_code_on_proxylessnas(
    count: int, seed: int, groups: set[tuple[int, ...]], within: float
) -> None:
    found = parted(distances(count, seed), range(count))
    assert set(found.groups) == groups
    assert found.within == pytest.approx(within, abs=1e-6)


# Kernels alone


def test_kernels_are_cut_and_every_child_keeps_the_rest() -> None:
    assert Matching(of="kernels").common(MACRO, (0, 1, 2)) == (0,)
    assert Matching(of="kernels").common(spaces.get("nb201"), (0, 1, 2, 3, 4)) == (0, 1, 4)
    assert Matching(of="kernels").common(MACRO, (0, 2)) == ()
    assert Matching(of="kernels").common(spaces.get("toy"), (0, 1, 2)) == ()
    assert Matching().common(MACRO, (0, 1, 2)) == ()
    children = Split(((1,), (2,)), common=(0,)).children(MACRO.region, 3)
    assert [region.lists[3] for region in children] == [(0, 1), (0, 2)]
    assert [region.uncut(MACRO.region) for region in children] == [[0, 1, 2, 4, 5, 6, 7]] * 2


def test_distances_of_kernels_are_those_between_kernels() -> None:
    base = Shrink(Training(batch=32, nested=True))
    task = tiny.task(MACRO)
    learner = tiny.fit(task.learner(base, base.training), 1)
    grouping = Matching(of="kernels", batches=2)
    split = grouping.split(task, learner, 4)
    assert (set(split.groups), split.common) == ({(1,), (2,)}, (0,))
    assert split.distances is not None
    assert split.distances.shape == (2, 2)
    assert split.between == pytest.approx(float(split.distances[0, 1]))
    assert split.note()["common"] == [0]


# The searches


def regions(method: Any, space: str = "macro") -> list[Region]:
    """Those of the leaves of a search in which every phase lasts a step."""
    method = contract.smaller(method)
    task = tiny.task(spaces.get(space), scale=contract.SCALE)
    method.check(task)
    plan = method.written(task)
    growth = Growth(method, task, plan)
    method.run(plan, growth)
    parents = {node.parent for node in growth.nodes}
    return [node.learner.region for node in growth.nodes if node.learner.name not in parents]


def test_proxylessnas_cuts_into_two_and_then_into_three() -> None:
    leaves = regions(methods.get("gm-proxyless", "macro"))
    assert len(leaves) == 6
    sizes = [sorted(len(ops) for ops in region.lists if len(ops) < 3) for region in leaves]
    assert sorted(sizes) == sorted([[1, 1]] * 3 + [[1, 2]] * 3)
    assert sum(region.size for region in leaves) == MACRO.size
    covered = {genotype for region in leaves for genotype in MACRO.listed(region)}
    assert len(covered) == MACRO.size


def test_once_for_all_cuts_three_kernels_and_no_depth() -> None:
    leaves = regions(methods.get("gm-shrink", "macro"))
    assert len(leaves) == 8
    for region in leaves:
        cut = [ops for ops in region.lists if len(ops) < 3]
        assert len(cut) == 3
        assert all(ops in ((0, 1), (0, 2)) for ops in cut)
    assert {genotype for region in leaves for genotype in MACRO.listed(region)} == set(MACRO.population)


@pytest.mark.parametrize(("label", "leaves"), [("gm-proxyless", 6), ("gm-proxyless-random", 6), ("gm-shrink", 8)])
def test_what_is_planned_is_what_grows(label: str, leaves: int) -> None:
    method = methods.get(label, "macro")
    task = tiny.task(MACRO)
    assert counted(method, task, method.written(task)).leaves == leaves


def test_the_two_forks_choose_edges_by_criteria_of_opposite_sign() -> None:
    splits = {0: Split(((0,), (1, 2)), within=0.2, between=1.0), 1: Split(((0,), (1, 2)), within=0.5, between=2.0)}
    assert isinstance(OF_GATES.edges, OneEdge)
    assert OF_GATES.edges.chosen(splits) == [0]
    assert OF_KERNELS.edges.chosen(splits) == [1]
    assert sum(OF_GATES.levels) + OF_GATES.final == Proxyless().training.epochs
    assert sum(OF_KERNELS.levels) + OF_KERNELS.final == Shrink().training.epochs == sum(Shrink().phases)


def test_a_fair_search_on_gates_costs_what_its_base_does() -> None:
    method = replace(OF_GATES, protocol="fair")
    task = tiny.task(MACRO, scale=replace(tiny.SCALE, train_images=960, valid_images=256, epochs=0.2))
    shrunk, plan = fair(method, task)
    steps = 960 // 64
    budget = round(task.scale.epochs_of(160) * steps) * 64 * method.base.passes(MACRO) + 256
    assert counted(shrunk, task, plan).total == pytest.approx(budget, rel=0.1)


@pytest.mark.parametrize("grouping", [Matching(into=(1,)), Matching(into=()), RandomGroups(into=(0, 2))])
def test_groups_that_cannot_be_are_refused(grouping: Any) -> None:
    with pytest.raises(BadSpec, match="2 groups or more"):
        GmNas(grouping=grouping, edges=OneEdge("random")).check(tiny.task(MACRO))
