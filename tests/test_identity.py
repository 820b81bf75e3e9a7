"""Identities over time: a field that is added later changes no key of what was there before it."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import methods
from bench.errors import BadRecord
from bench.runs.study import STUDIES, changed
from bench.search.learner import Training
from bench.store import commits
from bench.store.record import Results, read_record
from bench.store.spec import RunSpec, Scale, added, key_of, plain, with_settings
from methods.darts import Darts

COMMITTED = Results(Path(__file__).parent.parent / "results")
RECORDS = sorted((COMMITTED.root / "runs").glob("*.json"))


@dataclass(frozen=True)
class _Before:
    rate: float = 0.1


@dataclass(frozen=True)
class _After:
    rate: float = 0.1
    mode: str = added("old")


def test_an_added_field_counts_only_where_it_was_changed() -> None:
    assert plain(_After()) == plain(_Before()) == {"rate": 0.1}
    assert plain(_After(mode="new")) == {"rate": 0.1, "mode": "new"}
    assert plain(_After(mode="old")) == plain(_After())


def test_precision_is_part_of_the_key_where_it_is_not_single() -> None:
    keys = set()
    for precision in ("fp32", "tf32", "bf16"):
        method = with_settings(Darts(), {"training.precision": precision})
        assert method == replace(Darts(), training=Training(precision=precision))  # type: ignore[arg-type]
        spelt = plain(method)["training"]
        assert spelt.get("precision", "fp32") == precision
        keys.add(RunSpec("darts", method, "nb201", "patches", 0, Scale("s", 4, 1, 64, 64, 1.0, 1, 1)).key)
    assert len(keys) == 3
    assert "precision" not in plain(Darts())["training"]


def test_a_key_is_what_it_was() -> None:
    """The key of the first committed kind of run, as it was written before any field was added."""
    (spec,) = changed(STUDIES["nb201"], methods=("darts",), seeds=(0,), scale="quick").specs()
    assert spec.key == key_of(spec.identity)
    assert COMMITTED.find(spec.key) is not None


@pytest.mark.skipif(not RECORDS, reason="this copy holds no committed records")
def test_the_commits_of_all_records_are_listed() -> None:
    """`python -m bench.store.commits` writes the list; here the records are read as plain JSON."""
    places = [json.loads(path.read_text())["place"] for path in RECORDS]
    found = Counter((place["code"], place["commit"]) for place in places)
    assert commits.read(COMMITTED.root / commits.NAME) == found
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for _, commit in found)


def test_a_list_of_commits_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = Counter({("b" * 16, "1" * 40): 2, ("a" * 16, ""): 1})
    path = tmp_path / commits.NAME
    path.write_text(commits.text(found))
    assert path.read_text().splitlines() == ["code,commit,records", f"{'a' * 16},,1", f"{'b' * 16},{'1' * 40},2"]
    assert commits.read(path) == found


@pytest.mark.parametrize("text", ["", "code,commit\na,b\n", "code,commit,records\na,b,many\n"])
def test_another_file_is_no_list_of_commits(tmp_path: Path, text: str) -> None:
    path = tmp_path / commits.NAME
    path.write_text(text)
    with pytest.raises(BadRecord, match="is no list of commits"):
        commits.read(path)


@pytest.mark.skipif(not RECORDS, reason="this copy holds no committed records")
def test_every_committed_record_is_found_by_its_spec() -> None:
    """Read and checked against its key; for our methods rebuilt from today's method of that name and its settings."""
    for path in RECORDS:
        record = read_record(path)
        if record.identity["method"]["name"].startswith("naslib."):
            continue  # another package's search, described by the adapter; its key was checked in reading
        base, bracket, inside = record.label.partition("(")
        settings = dict(part.split("=", 1) for part in inside[:-1].split(", ")) if bracket else {}
        scale = Scale(**record.identity["scale"])
        place = (record.identity["space"], record.identity["dataset"], record.identity["seed"])
        method = with_settings(methods.get(base, place[0]), settings)
        assert RunSpec(record.label, method, *place, scale).key == record.key == path.stem, record.label
