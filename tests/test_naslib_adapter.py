"""Tables in the shape of NASLib; and, where a checkout is named, NASLib's own searches on them."""

from __future__ import annotations

import hashlib
import math
import random
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.adapters import checkout, naslib
from bench.adapters.naslib import OPTIMISERS, Search, _Architectures, dataset_api
from bench.errors import BadData, BadGenotype, NoSuchEntry, UnknownName
from bench.scoring.score import score
from bench.spaces.nb201 import SPACE
from bench.store.record import Results
from bench.truth.column import Column
from bench.truth.table import Header, Table
from bench.truth.tabular import TableTruth

WHY_NOT = checkout.missing()
needs_naslib = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


def table(whole: bool = True) -> Table:
    """Validation accuracy 10 to 94 by position, and a test accuracy that runs the other way."""
    up = np.linspace(10, 94, SPACE.size)
    valid = up.copy()
    if not whole:
        valid[7] = math.nan
    columns = {
        Column("accuracy", "cifar10-valid", "x-valid", 200, "777"): valid,
        Column("accuracy", "cifar10-valid", "train", 200, "777"): up + 1,
        Column("train_seconds", "cifar10-valid", "train", 200, "777"): up * 10,
        Column("accuracy", "cifar10", "ori-test", 200, "777"): up[::-1].copy(),
    }
    counts = {"parameters": np.full(SPACE.size, 129306), "multiply_adds": np.full(SPACE.size, 15647360)}
    return Table(Header("made-up", "1", "nb201", "Made up", "the tests", whole), columns, counts)


def test_a_table_has_the_shape_that_naslib_reads() -> None:
    data = dataset_api(table())["nb201_data"]
    arch = SPACE.show(SPACE.population.at(7))
    found = data[arch]["cifar10-valid"]
    assert found["eval_acc1es"][-1] == found["eval_acc1es"][199] == pytest.approx(10 + 84 * 7 / 15_624)
    assert found["train_acc1es"][-1] == pytest.approx(11 + 84 * 7 / 15_624)
    assert len(found["eval_acc1es"]) == 200
    assert found["cost_info"]["train_time"] == pytest.approx(10 * found["eval_acc1es"][-1])
    assert (found["cost_info"]["params"], found["cost_info"]["flops"]) == (0.129306, 15.64737)
    assert math.isnan(found["cost_info"]["latency"])
    assert math.isnan(found["eval_losses"][-1])
    assert len(data) == 15_625
    assert next(iter(data)) == SPACE.show(SPACE.population.at(0))
    assert list(data[arch]) == ["cifar10-valid", "cifar100", "ImageNet16-120"]


def test_what_the_table_lacks_is_no_number() -> None:
    data = dataset_api(table(whole=False))["nb201_data"]
    known = data[SPACE.show(SPACE.population.at(8))]["cifar10-valid"]
    with pytest.raises(NoSuchEntry, match="last epoch of a training, not epoch 0"):
        known["eval_acc1es"][0]
    with pytest.raises(NoSuchEntry, match="not epoch slice"):
        known["eval_acc1es"][:5]
    with pytest.raises(NoSuchEntry, match="it has no seed of it"):
        data[SPACE.show(SPACE.population.at(7))]["cifar10-valid"]
    with pytest.raises(NoSuchEntry, match="no dataset 'cifar100'"):
        data[SPACE.show(SPACE.population.at(8))]["cifar100"]
    with pytest.raises(NoSuchEntry, match="no curves of 'ninapro'"):
        data[SPACE.show(SPACE.population.at(8))]["ninapro"]
    with pytest.raises(BadGenotype):
        data["|nor_conv_5x5~0|"]


@pytest.mark.parametrize(
    ("search", "words"),
    [(Search("Bananas", "cifar10", 0, 5), "optimiser 'Bananas'"), (Search("LocalSearch", "svhn", 0, 5), "data set")],
)
def test_unknown_names_are_refused(search: Search, words: str) -> None:
    with pytest.raises(UnknownName, match=words):
        search.run(table())


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadData, match="is no checkout of NASLib"):
        checkout.load(tmp_path)
    monkeypatch.setenv(checkout.ENVIRONMENT, str(tmp_path))
    assert str(checkout.missing()).startswith(f"{tmp_path} is no checkout")


def test_the_commit_of_a_checkout_is_known(tmp_path: Path) -> None:
    assert checkout.commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=T", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert checkout.commit(tmp_path) is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert checkout.commit(tmp_path) == head


def test_the_key_names_search_and_table() -> None:
    one, other = table(), table(whole=False)
    keys = {
        Search(name, "cifar10", seed, 5, 200).key(held)
        for name in OPTIMISERS
        for seed in (0, 1)
        for held in (one, other)
    }
    assert len(keys) == 12


def test_the_label_names_what_is_not_usual() -> None:
    assert Search("LocalSearch", "cifar10", 0).label == "NASLib LocalSearch"
    assert Search("LocalSearch", "cifar10", 0, 50, 12).label == "NASLib LocalSearch(epochs=12, steps=50)"


def test_training_seconds_are_those_of_all_that_was_asked_for() -> None:
    held = table()
    data = dataset_api(held)["nb201_data"]
    assert isinstance(data, _Architectures)
    for position in (3, 5, 3):
        data[SPACE.show(SPACE.population.at(position))]
    seconds = held.column(dataset="cifar10-valid", split="train", epochs=200, seeds="777", metric="train_seconds")
    assert data.training_seconds("cifar10-valid") == pytest.approx(seconds[3] + seconds[5])
    assert data.training_seconds("cifar100") is None


GOLDEN = {
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|": (4, 3, 2, 0, 1, 4),
    "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|": (1, 0, 2, 3, 4, 1),
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|none~2|": (2, 2, 0, 3, 2, 1),
}
ALL_OF_NASLIB = "07418806a4076af1ef1d78edc9ac2946"


def test_notations_are_those_that_naslib_gave() -> None:
    """From `convert_str_to_op_indices` of NASLib at commit 0b51bc18; over the whole space, the hash of its answers."""
    for arch, compact in GOLDEN.items():
        assert SPACE.to_naslib(SPACE.parse(arch)) == compact
        assert SPACE.from_naslib(compact) == SPACE.parse(arch)
    answers = bytes(code for index in range(SPACE.size) for code in SPACE.to_naslib(SPACE.from_index(index)))
    assert hashlib.blake2b(answers, digest_size=16).hexdigest() == ALL_OF_NASLIB


@needs_naslib
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_naslib_searches_and_the_record_is_scored(optimiser: str, tmp_path: Path) -> None:
    held, results, steps = table(), Results(tmp_path), 12
    states = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    record = Search(optimiser, "cifar10", 1, steps).run(held)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # type: ignore[index,union-attr]
    valid = held.column(dataset="cifar10-valid", split="x-valid", epochs=200, seeds="777")
    ends = [valid[SPACE.population.row(tuple(point["genotype"]))] for point in record.trace]
    assert len(ends) == steps
    assert ends == sorted(ends)  # what it holds best only ever gets better, by the table and in our notation
    assert record.genotype is not None
    assert record.candidates[0].estimate == ends[-1] / 100
    assert 1 < record.details["architectures_asked_for"] <= steps
    results.save(record)
    assert results.find(record.key) == record
    row = next(row for row in score(record, TableTruth(held), results) if row.target == "cifar10")
    position = SPACE.population.row(record.genotype)
    assert row.valid == valid[position]
    assert row.test == pytest.approx(104 - valid[position], abs=1e-4)  # NASLib itself calls the first one its test
    assert row.test != row.valid


@needs_naslib
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_sharing_the_supernet_changes_no_step(optimiser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against NASLib as it is, which copies it for every architecture."""
    search = Search(optimiser, "cifar10", 2, 14)
    shared = search.run(table())
    monkeypatch.setattr(naslib, "_light", lambda space: space)
    copied = search.run(table())
    assert [point["genotype"] for point in shared.trace] == [point["genotype"] for point in copied.trace]
    assert shared.details == copied.details


@needs_naslib
def test_notations_are_those_of_naslib() -> None:
    """All 15,625 from strings and back; some through NASLib's graph of a whole network."""
    checkout.load()
    theirs: Any = import_module("naslib.search_spaces.nasbench201.conversions")
    spaces: Any = import_module("naslib.search_spaces")
    for genotype in SPACE.population:
        arch, compact = SPACE.show(genotype), SPACE.to_naslib(genotype)
        assert theirs.convert_str_to_op_indices(arch) == compact
        assert theirs.convert_op_indices_to_str(compact) == arch
    for genotype in ((4, 3, 2, 1, 0, 4), (0, 1, 2, 3, 4, 0), (1, 0, 4, 2, 3, 3)):
        graph = spaces.NasBench201SearchSpace()
        theirs.convert_op_indices_to_naslib(list(SPACE.to_naslib(genotype)), graph)
        assert theirs.convert_naslib_to_str(graph) == SPACE.show(genotype)
        assert SPACE.from_naslib(theirs.convert_naslib_to_op_indices(graph)) == genotype


@needs_naslib
def test_naslib_repeats_itself_by_seed() -> None:
    def chosen(seed: int) -> Any:
        return Search("RandomSearch", "cifar10", seed, 4).run(table()).genotype

    assert chosen(3) == chosen(3)
