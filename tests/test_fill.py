"""Cells trained on demand get the very numbers that the finished table holds, and change nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BadTable, NoSuchEntry
from bench.spaces.nb201 import SPACE
from bench.truth import fill
from bench.truth.merge import merge
from bench.truth.plan import Plan, class_order, load_images, series, trained_instead
from bench.truth.standalone import Training
from bench.truth.table import Table
from bench.truth.workers import work

TINY = Plan(
    Training(channels=4, images=128, batch=32), seeds=(0, 1), train_images=128, valid_images=64, test_images=64, block=2
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """An unfinished table: the first two of four classes."""
    monkeypatch.setattr(fill, "PLAN", TINY)
    shards = series(TINY, tmp_path / "a", load_images(TINY).digest, class_order()[:4])
    work(TINY, shards, [0])
    return merge(TINY, [shards])


def _silent(share: float) -> None:
    pass


def test_a_missing_cell_gets_the_numbers_of_the_finished_table(table: Table, tmp_path: Path) -> None:
    known, wanted = (SPACE.population.at(class_order()[k]) for k in (0, 2))
    twin = SPACE.population.at(int(np.flatnonzero(trained_instead() == SPACE.population.row(wanted))[-1]))
    positions = fill.missing(table, [known, wanted, twin])
    assert positions == [SPACE.population.row(wanted)]
    folder = tmp_path / "more"
    for job in fill.jobs(positions, folder):
        job(_silent)
    truth = fill.OnDemand(table, folder)
    shards = series(TINY, tmp_path / "b", load_images(TINY).digest, class_order()[:4])
    work(TINY, shards, [0, 1])
    finished = fill.TableTruth(merge(TINY, [shards]))
    for cell in (known, wanted, twin):
        assert truth.scores(cell, "patches") == finished.scores(cell, "patches")
    with pytest.raises(NoSuchEntry):
        truth.scores(SPACE.population.at(class_order()[3]), "patches")


def test_what_the_table_says_of_the_space_does_not_change(table: Table, tmp_path: Path) -> None:
    wanted = SPACE.population.at(class_order()[2])
    for job in fill.jobs(fill.missing(table, [wanted]), tmp_path / "more"):
        job(_silent)
    truth, bare = fill.OnDemand(table, tmp_path / "more"), fill.TableTruth(table)
    assert truth.checksum == bare.checksum
    assert truth.coverage("patches") == bare.coverage("patches")
    np.testing.assert_array_equal(truth.column("patches", "test"), bare.column("patches", "test"))
    assert truth.best("patches") == bare.best("patches")


def test_nothing_is_trained_twice(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = SPACE.population.at(class_order()[2])
    (job,) = fill.jobs(fill.missing(table, [wanted]), tmp_path)
    job(_silent)
    monkeypatch.setattr(fill, "train_class", None)
    job(_silent)
    assert fill.missing(fill.filled(table, tmp_path), [wanted]) == []


def test_a_file_without_a_value_of_every_seed_is_refused(table: Table, tmp_path: Path) -> None:
    values = {name: [1.0] * (len(fill.PLAN.seeds) - 1) for name in fill.COLUMNS}
    content = {"position": 1, "seeds": fill.PLAN.seeds, "seconds": 1.0, "values": values}
    (tmp_path / "00001.json").write_text(json.dumps(content))
    with pytest.raises(BadTable, match="not a value of every seed"):
        fill.filled(table, tmp_path)


@pytest.mark.parametrize("content", ["", "{}", '{"position": 1}', "[]"])
def test_a_damaged_file_is_refused(table: Table, tmp_path: Path, content: str) -> None:
    (tmp_path / "00001.json").write_text(content)
    with pytest.raises(BadTable, match="move it aside and score again"):
        fill.filled(table, tmp_path)


def test_other_settings_have_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = fill.folder_of(tmp_path)
    monkeypatch.setattr(fill, "PLAN", replace(TINY, seeds=(5,)))
    assert fill.folder_of(tmp_path) != before
