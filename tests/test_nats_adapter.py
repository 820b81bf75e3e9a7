"""The stand-in for nats_bench against nats_bench itself, on the same made-up data."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nats_bench
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.adapters.nats import NATSTopology, create
from bench.errors import BadGenotype, BadTable, BenchError, NoSuchEntry, UnknownName
from bench.spaces.nb201 import SPACE
from bench.spaces.toy import SPACE as TOY
from bench.truth import counts as counting
from bench.truth.column import Column
from bench.truth.official import counts, measurements
from bench.truth.official.assembling import Assembler
from bench.truth.table import Header, Table
from tests import official_files as made

INDICES = (0, 11, 284)
ONE_SEED = 11
DATASETS = tuple(made.SPLITS)


@pytest.fixture(scope="module")
def architectures() -> dict[int, dict[int, Any]]:
    return {i: made.results(i, nats_bench, (888,) if i == ONE_SEED else made.ALL[200])[0] for i in INDICES}


@pytest.fixture(scope="module")
def theirs(architectures: dict[int, dict[int, Any]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = made.nats_folder(tmp_path_factory.mktemp("nats") / "simple", architectures)
    return nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)


@pytest.fixture(scope="module")
def table(architectures: dict[int, dict[int, Any]]) -> Table:
    return with_counts(architectures)


def with_counts(architectures: Mapping[int, Mapping[int, Any]]) -> Table:
    """The same architectures, and of all others the counts alone."""
    assembler = Assembler()
    for index in range(SPACE.size):
        if index in architectures:
            assembler.add(measurements.row_of(index, architectures[index]))
            continue
        genotype = SPACE.from_index(index)
        held = [kind(SPACE, genotype, made.SHAPES["cifar10"]) for kind in (counting.parameters, counting.multiply_adds)]
        sizes = [["cifar10", 200, *counts.official(*held, "cifar10")]]
        assembler.add({"index": index, "arch": SPACE.show(genotype), "runs": [], "latency": [], "counts": sizes})
    return assembler.table("made-up", "Made up", "the tests", "nats-folder")


@pytest.fixture
def ours(table: Table) -> NATSTopology:
    return create(table, "tss", fast_mode=True, verbose=False, seed=3)


def same(left: Any, right: Any) -> int:
    """How many numbers were compared; they agree to the seven digits of float32, and what is missing to the key."""
    if isinstance(left, Mapping):
        assert set(left) == set(right)
        return sum(same(left[key], right[key]) for key in left if key != "comment")
    if isinstance(left, tuple):
        return sum(same(a, b) for a, b in zip(left, right, strict=True))
    if left is None:
        assert right is None
        return 0
    assert math.isclose(left, right, rel_tol=2e-7)
    return 1


@pytest.mark.parametrize("hp", ["12", "200", 12, 200])
@pytest.mark.parametrize("dataset", DATASETS)
def test_more_info_is_the_same_for_means_seeds_and_the_last_epoch(
    ours: NATSTopology, theirs: Any, hp: Any, dataset: str
) -> None:
    compared = 0
    seed = 111 if int(hp) == 12 else 888
    for index in INDICES:
        for asked in ({"is_random": False}, {"is_random": seed}, {"is_random": False, "iepoch": int(hp) - 1}):
            arguments = {"hp": hp, **asked}
            compared += same(
                theirs.get_more_info(index, dataset, **arguments), ours.get_more_info(index, dataset, **arguments)
            )
    assert compared >= 9 * 8


def test_drawn_seeds_are_the_same_when_both_start_alike(theirs: Any, table: Table) -> None:
    """Theirs draws from the global generator, ours from its own: given one start, answer by answer the same."""
    ours, compared = create(table, seed=5), 0
    random.seed(5)
    theirs.reset_time()
    for _ in range(5):
        for index in INDICES:
            for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
                compared += same(theirs.get_more_info(index, dataset), ours.get_more_info(index, dataset))
                mine = ours.simulate_train_eval(index, dataset, hp="200")
                compared += same(theirs.simulate_train_eval(index, dataset, hp="200"), mine)
        compared += same(float(theirs.random()), float(ours.random()))
    assert compared > 500
    assert ours.used_time == pytest.approx(theirs.used_time)
    ours.reset_time()
    ours.simulate_train_eval(0, "cifar10", account_time=False)
    assert ours.used_time == 0


MANY = tuple(random.Random(0).sample(range(SPACE.size), 9))
INDEX = st.sampled_from(MANY)
HP = st.sampled_from(["12", "200", 12, 200])
NAME = st.sampled_from([*DATASETS, "svhn"])
MORE = st.tuples(INDEX, NAME, st.booleans(), HP, st.sampled_from([True, False, 111, 777, 888, 999]))
CALLS = st.one_of(
    MORE.map(
        lambda a: ("get_more_info", a[0], a[1], int(a[3]) - 1 if a[2] else None, *a[3:])
    ),  # the last epoch or none
    st.tuples(st.just("simulate_train_eval"), INDEX, NAME, st.none(), HP, st.booleans()),
    st.tuples(st.just("get_cost_info"), INDEX, NAME, HP),
    st.tuples(st.just("get_latency"), INDEX, NAME, HP),
    st.tuples(st.just("find_best"), NAME, st.sampled_from(["x-valid", "x-test", "ori-test", "train"])),
    st.tuples(st.just("query_index_by_arch"), INDEX.map(lambda index: SPACE.show(SPACE.from_index(index)))),
    st.tuples(st.just("arch"), INDEX),
    st.tuples(st.just("random")),
    st.tuples(st.just("reset_time")),
)
"""What a script may ask, with what is not there among it."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Table]:
    """nats_bench, and a table of the same architectures, each with one to three seeds on CIFAR-100."""
    seeds = [made.ALL[200][: 1 + place % 3] for place in range(len(MANY))]
    held = {index: made.results(index, nats_bench, some)[0] for index, some in zip(MANY, seeds, strict=True)}
    folder = made.nats_folder(tmp_path_factory.mktemp("many") / "simple", held)
    api = nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)
    for index in MANY:
        api.get_more_info(index, "cifar10", is_random=False)  # find_best looks among those that were opened
    return api, with_counts(held)


@given(st.lists(CALLS, min_size=1, max_size=8), st.integers(0, 2**32))
@settings(max_examples=60)
def test_any_sequence_of_questions_has_the_same_answers(both: tuple[Any, Table], calls: Any, seed: int) -> None:
    """Call by call the same numbers, the same draws and the same simulated time; or both refuse."""
    theirs, ours = both[0], create(both[1], seed=seed)
    theirs.reset_time()
    random.seed(seed)
    for name, *arguments in calls:
        more = {"hp": "200"} if name == "find_best" else {}
        state = random.getstate()
        try:
            right = getattr(theirs, name)(*arguments, **more, **({"enforce_all": False} if more else {}))
        except (KeyError, ValueError, TypeError, AssertionError):
            random.setstate(state)  # it may have drawn before it refused; ours does not
            with pytest.raises(BenchError):
                getattr(ours, name)(*arguments, **more)
            continue
        state = random.getstate()
        found = getattr(ours, name)(*arguments, **more)
        assert random.getstate() == state
        assert right == found if isinstance(right, (str, int)) else same(right, found) >= 0
    assert ours.used_time == pytest.approx(theirs.used_time, rel=2e-7)


@pytest.mark.parametrize("hp", ["12", "200"])
@pytest.mark.parametrize("dataset", DATASETS)
def test_costs_are_the_same(ours: NATSTopology, theirs: Any, hp: str, dataset: str) -> None:
    for index in INDICES:
        assert same(theirs.get_cost_info(index, dataset, hp), ours.get_cost_info(index, dataset, hp)) >= 7
        assert same(theirs.get_latency(index, dataset, hp), ours.get_latency(index, dataset, hp)) == 1


def test_indices_and_strings_are_the_same(ours: NATSTopology, theirs: Any) -> None:
    class Structure:
        def tostr(self) -> str:
            return str(theirs.arch(284))

    assert len(ours) == len(theirs) == len(ours.meta_archs)
    for index in (0, 1, 284, 15_624):
        assert ours.arch(index) == ours[index] == theirs.arch(index)
        assert ours.query_index_by_arch(theirs.arch(index)) == index == ours.query_index_by_arch(np.int64(index))
    assert ours.query_index_by_arch(Structure()) == 284
    assert ours.meta_archs[:3] == theirs.meta_archs[:3]
    assert ours.meta_archs[-1] == theirs.meta_archs[-1]


def test_the_best_is_the_same(ours: NATSTopology, theirs: Any) -> None:
    for index in INDICES:
        theirs.get_more_info(index, "cifar10")  # makes it one of those that it knows
    for dataset, split in (("cifar10", "valid"), ("cifar10", "test"), ("cifar100", "x-test"), ("cifar100", "test")):
        for limits in ({}, {"flop_max": 100}, {"param_max": 0.12}):
            asked = {"hp": "200", **limits}
            assert same(
                theirs.find_best(dataset, split, enforce_all=False, **asked), ours.find_best(dataset, split, **asked)
            )
    with pytest.raises(NoSuchEntry, match="within these limits"):
        ours.find_best("cifar10", "test", flop_max=0, hp="200")


def test_no_global_generator_is_touched(ours: NATSTopology) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    for _ in range(3):
        ours.get_more_info(0, "cifar10", hp="200")
        ours.simulate_train_eval(0, "cifar100")
        ours.random()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index,union-attr]


def test_the_same_seed_gives_the_same_answers(table: Table) -> None:
    def draws(seed: int) -> list[float]:
        api = create(table, seed=seed)
        return [api.get_more_info(0, "cifar10", hp="200")["test-accuracy"] for _ in range(20)]

    assert draws(1) == draws(1) != draws(2)
    assert len(set(draws(1))) == 3


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda api: api.query_index_by_arch("|nor_conv_5x5~0|"), BadGenotype, "no operation"),
        (lambda api: api.query_index_by_arch(15_625), BadGenotype, r"0\.\.15624"),
        (lambda api: api.query_index_by_arch(-1), BadGenotype, "no architecture -1"),
        (lambda api: api.query_index_by_arch(None), BadGenotype, "neither"),
        (lambda api: api.get_more_info(0, "svhn"), UnknownName, "data set 'svhn'"),
        (lambda api: api.get_more_info(0, "cifar10", hp="90"), NoSuchEntry, "cifar10 with 12, cifar10 with 200"),
        (lambda api: api.get_more_info(0, "cifar10", iepoch=3), NoSuchEntry, "the last epoch, 11, not epoch 3"),
        (lambda api: api.get_more_info(0, "cifar10", is_random=999), NoSuchEntry, "no seed 999.* it has 111"),
        (lambda api: api.get_more_info(1, "cifar10"), NoSuchEntry, "no training of"),
        (lambda api: api.simulate_train_eval(0, "cifar10-valid"), UnknownName, "did you mean 'cifar10'"),
        (lambda api: api.arch(15_625), IndexError, "no architecture"),
    ],
)
def test_what_is_not_there_is_said(ours: NATSTopology, call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(ours)


def test_a_table_of_means_answers_what_it_can(tmp_path: Path) -> None:
    """As an extract does: no seeds, no training accuracy, no times."""
    column = Column("accuracy", "cifar10", "ori-test", 200, "mean")
    header = Header("means", "1", "nb201", "Made up", "the tests", True)
    Table(header, {column: np.linspace(10, 94, SPACE.size)}).save(tmp_path / "means.parquet")
    api = create(str(tmp_path / "means.parquet"))
    info = api.get_more_info(0, "cifar10", hp="200")
    assert info["test-accuracy"] == pytest.approx(10 + 84 * SPACE.population.row(SPACE.from_index(0)) / 15_624)
    assert info["train-accuracy"] is info["train-all-time"] is info["test-all-time"] is None
    assert "valid-accuracy" not in info
    assert api.get_latency(0, "cifar10", "200") is None
    with pytest.raises(NoSuchEntry, match="has no 'parameters'"):
        api.get_cost_info(0, "cifar10", "200")
    with pytest.raises(NoSuchEntry, match="no training on cifar100"):
        api.simulate_train_eval(0, "cifar100", hp="200")


@pytest.mark.parametrize("is_random", [False, True])
def test_means_of_one_split_and_a_run_of_another_are_one_training(is_random: bool) -> None:
    """As in the extract on ImageNet16-120: the test accuracy is a mean, the validation accuracy of one run."""
    cell = ("accuracy", "ImageNet16-120")
    columns = {
        Column(*cell, "x-test", 200, "mean"): np.linspace(10, 46, SPACE.size),
        Column(*cell, "x-valid", 200, "run"): np.linspace(10, 47, SPACE.size),
    }
    api = create(Table(Header("both", "1", "nb201", "Made up", "the tests", True), columns))
    for _ in range(5):
        info = api.get_more_info(
            SPACE.to_index(SPACE.population.at(15_624)), "ImageNet16-120", hp="200", is_random=is_random
        )
        assert (info["test-accuracy"], info["valid-accuracy"]) == (46, 47)


def test_another_space_is_refused() -> None:
    with pytest.raises(UnknownName, match="search space 'sss'"):
        create("nowhere", "sss")
    header = Header("toy", "1", "toy", "Made up", "the tests", True)
    toy = Table(header, {Column("accuracy", "patches", "test", 1, "0"): np.linspace(10, 50, TOY.size)})
    with pytest.raises(NoSuchEntry, match="is of space toy"):
        create(toy)


@pytest.mark.parametrize("index", [0, 1, 777, 9_930, 15_624])
def test_the_rest_of_its_surface_answers_as_the_package_does(index: int) -> None:
    """Against the package's own code, which needs no data for these."""
    from nats_bench import NATStopology as Package
    from nats_bench.genotype_utils import topology_str2structure

    header = Header("means", "1", "nb201", "Made up", "the tests", True)
    column = Column("accuracy", "cifar10", "ori-test", 200, "mean")
    api = create(Table(header, {column: np.full(15_625, 90.0)}))
    arch = api.arch(index)
    assert api.str2lists(arch) == Package.str2lists(arch)
    assert np.array_equal(api.str2matrix(arch), Package.str2matrix(arch))
    assert api.get_unique_str(index) == topology_str2structure(arch).to_unique_str(consider_zero=True)
    assert (api.search_space_name, api.full_train_epochs) == ("topology", 200)
    assert api.evaluated_indexes == tuple(range(15_625))
    with pytest.raises(BadTable, match="give the path of a table"):
        create(None, "tss")
