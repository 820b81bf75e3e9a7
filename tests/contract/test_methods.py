"""The contract: equal seeds, equal records; costs that add up; estimates, candidates and configuration in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import methods
from bench import spaces
from bench.runs.run import Settings, execute, make
from bench.search.meter import Cost
from bench.store.record import Record, Results, read_record, to_json
from bench.store.spec import RunSpec, Scale, canonical, plain
from tests import contract, tiny
from tests.stops import Stop, kept_at_every_epoch

pytestmark = pytest.mark.usefixtures("images_once")

SMALLEST = "toy"
"""The space on which everything is tried."""

COUNTS = [f.name for f in fields(Cost) if f.name not in ("wall_s", "device_s", "peak_bytes")]


def _spec(label: str, space: str, seed: int = 0, scale: Scale = contract.SCALE) -> RunSpec:
    return tiny.spec(contract.smaller(methods.get(label, space)), seed, space, scale, label)


def _run(spec: RunSpec, folder: Path) -> Record:
    return execute(spec, Settings(folder, device="cpu"), debug=True)


def _outcome(record: Record) -> str:
    """What a seed decides."""
    digest = None if record.estimates is None else record.estimates["blake2b"]
    return canonical([to_json(record.candidates), to_json(record.details), digest])


def _cases() -> Iterator[Any]:
    """Every method on every space; on the larger ones one of each class of methods, and the others slow."""
    for space in contract.SPACES:
        for label in contract.LABELS:
            often = space == SMALLEST and label not in contract.SELDOM
            often = often or label in contract.FEWER.get(space, contract.KINDS)
            yield pytest.param(label, space, marks=() if often else pytest.mark.slow)


@pytest.mark.parametrize(("label", "space"), _cases())
def test_method(label: str, space: str, tmp_path: Path) -> None:
    spec = _spec(label, space)
    record = _run(spec, tmp_path / "one")
    assert record.status == "done"
    if space in (SMALLEST, "nb201") or label == "darts":
        assert canonical(record.essence()) == canonical(_run(spec, tmp_path / "two").essence())
    _outcome_is_in_order(record, spec)
    _cost_is_in_order(record)
    path = Results(tmp_path / "one").run_path(spec.key)
    assert canonical(to_json(read_record(path))) == canonical(to_json(record))
    assert make(spec, Settings(tmp_path / "one", device="cpu"), lambda share: None, True)[1] is False
    if space == SMALLEST and record.cost["supernets"]:
        assert _outcome(_run(_spec(label, space, seed=1), tmp_path / "one")) != _outcome(record)


@pytest.mark.parametrize("label", contract.KINDS)
def test_a_search_that_is_stopped_goes_on(label: str, tmp_path: Path) -> None:
    """To the same record, to the bit, with no epoch trained twice; after the first epoch and after the last but one."""
    spec = _spec(label, "toy")
    with kept_at_every_epoch() as trained:
        whole = _run(spec, tmp_path / "whole")
    for stop in {1, len(trained) - 1} & set(range(1, len(trained) + 1)):
        folder = tmp_path / str(stop)
        with kept_at_every_epoch(stop), pytest.raises(Stop):
            _run(spec, folder)
        with kept_at_every_epoch() as again:
            record = _run(spec, folder)
        assert canonical(record.essence()) == canonical(whole.essence())
        assert len(again) == len(trained) - stop
        assert record.place["stops"] == 1


def _outcome_is_in_order(record: Record, spec: RunSpec) -> None:
    space = spaces.get(spec.space)
    candidates = [c.genotype for c in record.candidates]
    assert record.genotype in candidates
    assert len(candidates) >= 1
    assert all(space.check(g) == g for g in candidates)
    known = [c.estimate for c in record.candidates if c.estimate is not None]
    assert all(0 <= e <= 1 for e in known)
    if len(known) > 1:
        chosen = [c.estimate for c in record.candidates if c.genotype == record.genotype]
        assert max(known) in chosen
    assert tuple(record.trace[-1]["genotype"]) == record.genotype
    costs = [point["forward_images"] for point in record.trace]
    assert costs == sorted(costs)
    assert costs[-1] <= record.cost["forward_images"]
    if record.estimates is not None:
        assert 0 <= record.estimates["opinions"] <= record.estimates["probe"] == spec.scale.probe


def _cost_is_in_order(record: Record) -> None:
    phases = record.cost["phases"].values()
    for name in COUNTS:
        assert record.cost[name] == pytest.approx(sum(phase[name] for phase in phases))
    assert 0 <= record.cost["backward_images"] <= record.cost["forward_images"]
    assert (record.cost["supernets"] > 0) == (record.cost["parameters"] > 0) == (record.cost["forward_images"] > 0)


@pytest.mark.parametrize("label", contract.LABELS)
def test_configuration(label: str) -> None:
    """Plain data: it survives JSON, and a hash tells it from every other."""
    method = methods.get(label)
    text = canonical(plain(method))
    assert canonical(json.loads(text)) == text
    assert hash(method) == hash(methods.get(label))


def test_no_two_methods_share_a_key() -> None:
    keys = {label: _spec(label, "nb201").key for label in contract.LABELS}
    full = {label: tiny.spec(methods.get(label)).key for label in contract.LABELS}
    assert len(set(full.values())) == len(full)
    assert set(keys) == set(full)


@pytest.mark.parametrize("label", contract.LABELS)
def test_too_few_images_are_refused_before_training(label: str, tmp_path: Path) -> None:
    """In one line, with nothing spent; a method that trains nothing does not mind."""
    record = execute(_spec(label, "toy", scale=contract.SCARCE), Settings(tmp_path, device="cpu"))
    assert record.cost["forward_images"] == 0
    if record.status == "failed":
        assert "fewer" in record.message
        assert "\n" not in record.message
    else:
        assert record.cost["supernets"] == 0


BLOCKED = """
import json, sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("bench.truth", "bench.scoring", "bench.metrics", "analysis")):
            raise RuntimeError(f"a search reached for {name}")
sys.meta_path.insert(0, Wall())
from pathlib import Path
from bench.runs.run import Settings, execute
from tests import contract
from tests.contract.test_methods import _spec
import bench.runs.run
loaded = contract.patches("patches")
bench.runs.run.images.load = lambda name, root: loaded
for label, space in [*((label, "toy") for label in contract.KINDS), ("darts-2nd", "nb201")]:
    record = execute(_spec(label, space), Settings(Path(sys.argv[1]), device="cpu"), debug=True)
    print(label, record.status)
"""


def test_every_search_runs_where_no_truth_can_be_imported(tmp_path: Path) -> None:
    environment: dict[str, Any] = {**os.environ, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=root,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [word for label in (*contract.KINDS, "darts-2nd") for word in (label, "done")]
