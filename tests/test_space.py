"""Spaces and regions: combinatorics against counts by hand, notations against a second implementation."""

from __future__ import annotations

import itertools
import pickle
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats_bench.genotype_utils import topology_str2structure

from bench import spaces
from bench.errors import BadGenotype, BadRegion, UnknownName
from bench.spaces.nb201 import CONV1, CONV3, NONE, OPS, POOL, SKIP
from bench.spaces.nb201 import SPACE as NB201
from bench.spaces.space import Genotype, Region
from bench.spaces.toy import SPACE as TOY

nb201_genotypes = st.tuples(*[st.integers(0, 4)] * 6)
nb201_regions = st.lists(st.frozensets(st.integers(0, 4), min_size=1), min_size=6, max_size=6).map(Region.of)


def test_sizes() -> None:
    assert NB201.size == 5**6 == 15_625
    assert TOY.size == 3**3 == 27
    assert len(set(NB201.population)) == 15_625


def test_numbers_of_classes() -> None:
    """6,466 is the number that the benchmark publishes; 9,445 are left without edges off every path."""
    assert len(NB201.classes(NB201.published_class)) == 6_466
    assert len(NB201.classes(NB201.live)) == 9_445
    assert len(NB201.classes(NB201.trained_class)) == 5_044
    assert sum(NB201.live(g) == (NONE,) * 6 for g in NB201.population) == 341


def test_published_class_is_that_of_the_released_package() -> None:
    """Same partition as nats_bench's unique strings, over all cells."""
    theirs: dict[str, set[Genotype]] = {}
    for genotype in NB201.population:
        text = topology_str2structure(NB201.show(genotype)).to_unique_str(consider_zero=True)
        theirs.setdefault(text, set()).add(genotype)
    ours = {frozenset(group) for group in NB201.classes(NB201.published_class).values()}
    assert ours == {frozenset(group) for group in theirs.values()}


def test_every_notation_of_every_cell_round_trips() -> None:
    for row, genotype in enumerate(NB201.population):
        assert NB201.population.row(genotype) == row
        assert NB201.population.at(row) == genotype
        assert NB201.parse(NB201.show(genotype)) == genotype
        assert NB201.from_nested(NB201.to_nested(genotype)) == genotype
        assert NB201.from_naslib(NB201.to_naslib(genotype)) == genotype
        assert NB201.from_index(NB201.to_index(genotype)) == genotype
    for genotype in TOY.population:
        assert TOY.parse(TOY.show(genotype)) == genotype


def test_official_index_at_published_places() -> None:
    """Index 0 and 15,000 as the released files have them; the all-skip cell is 1462 there."""
    first = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert NB201.show(NB201.from_index(0)) == first
    late = "|none~0|+|skip_connect~0|none~1|+|none~0|skip_connect~1|nor_conv_3x3~2|"
    assert NB201.show(NB201.from_index(15_000)) == late


def test_notations_agree_on_a_cell_written_by_hand() -> None:
    genotype = (CONV3, NONE, SKIP, CONV1, POOL, CONV3)
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    nested = (
        "[(('nor_conv_3x3', 0),), (('none', 0), ('skip_connect', 1)), "
        "(('nor_conv_1x1', 0), ('avg_pool_3x3', 1), ('nor_conv_3x3', 2))]"
    )
    assert NB201.show(genotype) == text
    assert NB201.to_nested(genotype) == nested
    # NASLib: edges (1,2)(1,3)(1,4)(2,3)(2,4)(3,4), operations skip, none, 3x3, 1x1, pool
    assert NB201.to_naslib(genotype) == (2, 1, 3, 0, 4, 2)
    for notation in (text, nested, str(NB201.to_index(genotype)), "(3, 0, 1, 2, 4, 3)"):
        assert NB201.read(notation, "own") == genotype


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("|none~0|+|none~0|none~1|+|none~0|nor_conv_5x5~1|none~2|", 33, "'nor_conv_5x5' is no operation"),
        ("|none~0|+|none~0|none~3|+|none~0|none~1|none~2|", 21, "expected '~1'"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|", 40, "'' is no operation"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2| ", 47, "expected the end"),
        ("none~0|", 0, "expected '|'"),
        ("|nöne~0|+|none~0|none~1|+|none~0|none~1|none~2|", 1, "'nöne' is no operation"),
        ("", 0, "expected '|'"),
    ],
)
def test_a_bad_string_is_refused_at_its_position(text: str, position: int, why: str) -> None:
    with pytest.raises(BadGenotype) as caught:
        NB201.parse(text)
    message = str(caught.value)
    assert why in message
    assert f"position {position};" in message
    assert all(op in message for op in OPS)
    assert "\n" not in message


@pytest.mark.parametrize("text", ["15625", "-1", "[1, 2]", "__import__('os')", "[(('none', 0),)]"])
def test_other_bad_notations(text: str) -> None:
    with pytest.raises(BadGenotype):
        NB201.read(text)
    for bad in ((0, 0, 0), (0, 0, 0, 0, 0, 5)):
        with pytest.raises(BadGenotype):
            NB201.check(bad)
        with pytest.raises(BadGenotype):
            NB201.from_naslib(bad)


def test_only_whole_numbers_are_operations() -> None:
    assert NB201.check(np.array([0, 1, 2, 3, 4, 4])) == (0, 1, 2, 3, 4, 4)
    with pytest.raises(BadGenotype, match="takes whole numbers"):
        NB201.check((0.9, 1.7, 2, 3, 4, 4.9))  # type: ignore[arg-type]


def test_an_unknown_name_crosses_processes_as_its_line() -> None:
    error = UnknownName("space", "nb210", ["nb201"])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_unknown_space_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'nb201'"):
        spaces.get("nb210")


def _function(genotype: Genotype, weights: dict[int, np.ndarray], x: np.ndarray) -> np.ndarray:
    """A cell as a function on vectors: weighted operations are tanh, then a matrix; pooling is a fixed matrix."""
    pool = np.full((len(x), len(x)), 1.0) + np.diag(np.arange(len(x)))
    nodes = [x] + [np.zeros_like(x)] * 3
    for edge, op in zip(NB201.edges, genotype, strict=True):
        h = nodes[edge.source]
        e = NB201.edges.index(edge)
        if op == SKIP:
            y = h
        elif op == POOL:
            y = pool @ h
        elif op in (CONV1, CONV3):
            y = weights[e * 5 + op] @ np.tanh(h)
        else:
            continue
        nodes[edge.target] = nodes[edge.target] + y
    return nodes[3]


def test_a_shared_class_is_one_function_on_shared_weights() -> None:
    """Brute force over all cells, with random weights per (edge, operation): members of a class agree in value. Classes
    that agree in value differ in paths without weights alone, which the trained class merges."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=4)
    weights = {k: rng.normal(size=(4, 4)) for k in range(30)}
    by_class: dict[object, tuple[float, ...]] = {}
    by_value: dict[tuple[float, ...], object] = {}
    for genotype in NB201.population:
        value = tuple(np.round(_function(genotype, weights, x), 9))
        key = NB201.live(genotype)
        assert by_class.setdefault(key, value) == value
        known = by_value.setdefault(value, key)
        if known != key:
            assert NB201.trained_class(known) == NB201.trained_class(key)  # type: ignore[arg-type]
    assert (len(by_class), len(by_value)) == (9_445, 7_548)


def test_trained_class_keeps_the_number_of_weights() -> None:
    """Cells that share a training have equally many kernels; `a(x) + b(x)` is not `a(x) + a(x)`."""
    for members in NB201.classes(NB201.trained_class).values():
        counts = {tuple(NB201.live(g).count(op) for op in (CONV1, CONV3)) for g in members}
        assert len(counts) == 1
    twice_one = (CONV3, NONE, SKIP, NONE, SKIP, SKIP)  # node 1 = a(x); output = node 1 + skip(skip(node 1))
    one_each = (CONV3, CONV3, NONE, NONE, SKIP, SKIP)  # output = a(x) + b(x)
    assert NB201.trained_class(twice_one) != NB201.trained_class(one_each)


def test_trained_class_merges_what_differs_only_in_names() -> None:
    left = (CONV3, CONV1, NONE, NONE, SKIP, SKIP)  # a3(x) + b1(x)
    right = (CONV1, CONV3, NONE, NONE, SKIP, SKIP)
    direct = (NONE, NONE, NONE, SKIP, NONE, NONE)
    around = (SKIP, NONE, SKIP, NONE, NONE, SKIP)
    pooled_sum = (SKIP, SKIP, NONE, NONE, POOL, POOL)
    assert NB201.trained_class(left) == NB201.trained_class(right)
    assert NB201.trained_class(direct) == NB201.trained_class(around)
    assert NB201.trained_class(pooled_sum) != NB201.trained_class(direct)


@given(nb201_genotypes)
def test_live_is_idempotent_and_coarser(genotype: Genotype) -> None:
    live = NB201.live(genotype)
    assert NB201.live(live) == live
    assert NB201.trained_class(live) == NB201.trained_class(genotype)


@given(nb201_regions, st.data())
def test_a_cut_partitions_a_region(region: Region, data: st.DataObject) -> None:
    edge = data.draw(st.sampled_from(range(6)))
    ops = sorted(region.allowed[edge])
    if len(ops) < 2:
        with pytest.raises(BadRegion):
            region.cut(edge, [set(ops)])
        return
    at = data.draw(st.integers(1, len(ops) - 1))
    children = region.cut(edge, [set(ops[:at]), set(ops[at:])])
    assert sum(child.size for child in children) == region.size == prod(len(o) for o in region.allowed)
    genotype = region.draw(np.random.default_rng(data.draw(st.integers(0, 99))))
    assert region.holds(genotype)
    assert [child.holds(genotype) for child in children].count(True) == 1


@pytest.mark.parametrize("groups", [[{0}, {1}], [{0, 1}, {1, 2}], [{0, 1, 2}], [set(), {0, 1, 2}], [{0, 1}, {2, 3}]])
def test_groups_that_are_no_partition_are_refused(groups: list[set[int]]) -> None:
    with pytest.raises(BadRegion):
        TOY.region.cut(0, groups)


def test_region_faults_and_views() -> None:
    with pytest.raises(BadRegion, match="edge 1 has no operation left"):
        Region.of([{0}, set(), {1}])
    with pytest.raises(BadRegion, match="no edge 3"):
        TOY.region.cut(3, [{0}, {1, 2}])
    child = TOY.region.cut(1, [{0}, {1, 2}])[1]
    assert child.uncut(TOY.region) == [0, 2]
    assert child.lists == ((0, 1, 2), (1, 2), (0, 1, 2))
    assert child.mask(3).tolist() == [[True] * 3, [False, True, True], [True] * 3]
    assert sorted(child.combinations()) == sorted(g for g in itertools.product(range(3), repeat=3) if g[1] != 0)
    with pytest.raises(BadRegion, match="is not within"):
        child.narrowed(1, {0})


def test_decode_takes_the_largest_allowed_weight() -> None:
    theta = np.array([[0.1, 0.7, 0.2], [0.9, 0.05, 0.05], [0.4, 0.4, 0.2]])
    assert TOY.decode(theta, TOY.region) == (1, 0, 0)
    assert TOY.decode(theta, Region.of([{0, 2}, {1, 2}, {1}])) == (2, 1, 1)


def test_samples_are_uniform() -> None:
    """Chi-square over the 27 cells of the toy space: 26 degrees of freedom, 0.999 quantile 54.05."""
    rng = np.random.default_rng(1)
    counts = np.zeros(27)
    for _ in range(2_700):
        counts[TOY.population.row(TOY.region.draw(rng))] += 1
    assert ((counts - 100) ** 2 / 100).sum() < 54.05
