"""Identities over time: a field that is added later changes no key of what was there before it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import methods
from bench.runs.study import STUDIES, changed
from bench.search.learner import Training
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
    (spec,) = changed(STUDIES["nb201"], methods=("darts",), seeds=(0,)).specs()
    assert spec.key == key_of(spec.identity)
    assert COMMITTED.find(spec.key) is not None


@pytest.mark.skipif(not RECORDS, reason="this copy holds no committed records")
def test_every_committed_record_names_code_that_is_in_the_history() -> None:
    def ask(*words: str) -> str | None:
        done = subprocess.run(
            ["git", "-C", str(COMMITTED.root.parent), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    if ask("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("this is no checkout with its whole history")
    made_by = {read_record(path).place["commit"] for path in RECORDS}
    assert not [commit for commit in sorted(made_by) if ask("cat-file", "-e", f"{commit}^{{commit}}") is None]


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
