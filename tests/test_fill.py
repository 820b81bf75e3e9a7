"""Architectures trained on demand get the very numbers that the finished table holds, and change nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BadTable
from bench.spaces import toy_darts
from bench.spaces.nb201 import SPACE
from bench.spaces.space import Genotype
from bench.truth import fill
from bench.truth.merge import merge
from bench.truth.passes import NB201, TOY_DARTS
from bench.truth.plan import Plan, class_order, load_images, rows_by_class, series, trained_instead
from bench.truth.recipe import Recipe
from bench.truth.shards import COLUMNS, Series
from bench.truth.table import Table
from bench.truth.tabular import TableTruth
from bench.truth.workers import work
from tests.test_generate import fill as made_up

TINY = Plan(
    Recipe(channels=4, images=128, batch=32), seeds=(0, 1), train_images=128, valid_images=64, test_images=64, block=2
)
ORDER = class_order(SPACE)
DARTS = toy_darts.SPACE
TINY_DARTS = replace(TINY, recipe=replace(TINY.recipe, images=32, batch=16), block=400, space=DARTS.name)


def _merged(plan: Plan, shards: Series) -> Table:
    return merge(plan, [shards], "made-up", "for tests")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """An unfinished table: the first two of four classes."""
    shards = series(TINY, tmp_path / "a", load_images(TINY).digest, ORDER[:4])
    work(TINY, shards, [0])
    return _merged(TINY, shards)


def _train(plan: Plan, genotypes: list[Genotype], folder: Path) -> None:
    for job in fill.jobs(plan, genotypes, folder):
        job(lambda share: None)


def test_a_missing_cell_gets_the_numbers_of_the_finished_table(table: Table, tmp_path: Path) -> None:
    known, wanted, other = (SPACE.population.at(ORDER[k]) for k in (0, 2, 3))
    twin = SPACE.population.at(int(np.flatnonzero(trained_instead(SPACE) == SPACE.population.row(wanted))[-1]))
    folder = tmp_path / "more"
    missing = fill.OnDemand(table, TINY, folder).missing([known, wanted, twin])
    assert missing == [wanted]
    _train(TINY, missing, folder)
    truth = fill.OnDemand(table, TINY, folder)
    shards = series(TINY, tmp_path / "b", load_images(TINY).digest, ORDER[:4])
    work(TINY, shards, [0, 1])
    finished = TableTruth(_merged(TINY, shards))
    asked = [known, wanted, twin]
    np.testing.assert_array_equal(truth.scores(asked, "patches"), finished.scores(asked, "patches"))
    assert np.isfinite(truth.scores(asked, "patches")).all()
    assert np.isnan(truth.scores([other], "patches")).all()
    bare = TableTruth(table)  # what the table says of its population does not change
    assert truth.checksum == bare.checksum
    mine, its = truth.reference("patches"), bare.reference("patches")
    np.testing.assert_array_equal(mine.test, its.test)
    assert (mine.known, mine.best, mine.population) == (its.known, its.best, "all 15,625")


def test_nothing_is_trained_twice(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = SPACE.population.at(ORDER[2])
    _train(TINY, [wanted], tmp_path)
    monkeypatch.setattr(fill, "train_one", None)
    _train(TINY, [wanted], tmp_path)
    assert fill.OnDemand(table, TINY, tmp_path).missing([wanted]) == []


def test_outside_a_sample_architectures_are_trained_by_name(tmp_path: Path) -> None:
    shards = series(TINY_DARTS, tmp_path / "a", "no digest", class_order(DARTS))
    made_up(shards, [0])
    table = _merged(TINY_DARTS, shards)
    sampled = rows_by_class(DARTS)
    every = list(DARTS.listed(DARTS.region))
    outside = [g for g in every if DARTS.population.find(g) is None]
    alike = next(g for g in outside if DARTS.trained_class(g) in sampled)  # of a class that the sample has
    new = next(g for g in outside if DARTS.trained_class(g) not in sampled)
    twin = next((g for g in outside if g != new and DARTS.trained_class(g) == DARTS.trained_class(new)), new)
    inside = DARTS.population.at(sampled[DARTS.trained_class(alike)])
    folder = tmp_path / "more"
    truth = fill.OnDemand(table, TINY_DARTS, folder)
    assert truth.missing([new, alike, inside, twin, new]) == [new]
    assert truth.scores([alike], "patches").tolist() == truth.scores([inside], "patches").tolist()
    _train(TINY_DARTS, [new], folder)
    again = fill.OnDemand(table, TINY_DARTS, folder)
    assert again.missing([twin, new]) == []
    (content,) = (json.loads(path.read_text()) for path in folder.iterdir())
    assert tuple(content["genotype"]) == new
    expected = [np.float32(content["values"][name]).mean(dtype=float) for name in ("valid_accuracy", "test_accuracy")]
    assert again.scores([new, twin], "patches").tolist() == [expected, expected]
    assert again.reference("patches").population == "240 sampled"
    assert len(again.reference("patches").test) == 240


def _content(**changes: object) -> str:
    values = {name: [50.0, 52.0] for name in COLUMNS}
    return json.dumps({"genotype": SPACE.population.at(1), "seeds": (0, 1), "values": values} | changes)


def test_files_by_row_of_the_whole_space_are_read_too(table: Table, tmp_path: Path) -> None:
    row = ORDER[3]
    content = json.loads(_content(position=row))
    del content["genotype"]
    (tmp_path / f"{row:05d}.json").write_text(json.dumps(content))
    truth = fill.OnDemand(table, TINY, tmp_path)
    assert truth.scores([SPACE.population.at(row)], "patches").tolist() == [[51.0, 51.0]]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        '{"position": 1}',
        "[]",
        _content(values={name: [1.0] for name in COLUMNS}),
        _content(seeds=(0, 2)),
        _content(genotype=(0,) * 6),
        _content(genotype=(9,) * 6),
    ],
)
def test_a_damaged_file_is_skipped_and_named(table: Table, tmp_path: Path, content: str) -> None:
    path = tmp_path / "0-0-0-0-0-1.json"
    path.write_text(content)
    damaged = fill.OnDemand(table, TINY, tmp_path).damaged
    assert list(damaged) == [path]
    assert f"`python -m bench aside {path}`" in damaged[path]


def test_a_table_of_another_population_is_refused_before_anything_trains(table: Table, tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=r"nb201, all 15,625; the architectures of toy-darts, 240 sampled are asked for"):
        fill.OnDemand(table, TINY_DARTS, tmp_path)


def test_other_settings_have_another_folder_and_those_of_before_the_same(tmp_path: Path) -> None:
    assert fill.folder_of(tmp_path, NB201.plan).name == "patches-056669fc90eaec11"
    plans = (NB201.plan, replace(NB201.plan, seeds=(5,)), TOY_DARTS.plan, replace(TOY_DARTS.plan, judged=None))
    assert len({fill.folder_of(tmp_path, plan) for plan in plans}) == 4
