"""How long blocks take, fitted on networks: planted times are found again, files are settings, and what is neither is
refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import methods
from analysis.figures import accuracy_vs_latency
from analysis.load import load
from bench.cli.commands import main
from bench.errors import BadSpec, BadTable, NoSuchEntry, UnknownName
from bench.runs.run import Settings, execute
from bench.runs.study import Study
from bench.spaces.accel import SPACE
from bench.store import speeds
from bench.store.record import Results
from bench.store.spec import with_settings
from bench.truth import latency
from bench.truth.column import Column
from bench.truth.table import Header, Table
from tests import contract, tiny
from tests.test_analysis import made_up_run

REST, TARGET = 1.5, 6.0
TIMES = np.random.default_rng(3).uniform(0.1, 2, (len(SPACE.edges), len(SPACE.ops)))
"""Milliseconds of every option of every block."""
GENOTYPES = np.array(list(SPACE.population))


def _planted() -> Any:
    return TIMES[np.arange(len(SPACE.edges)), GENOTYPES].sum(1) + REST


@pytest.fixture(scope="module")
def table() -> Table:
    """Times of networks that are sums over blocks: as a latency, and as a throughput of a third of the networks."""
    speeds = np.where(np.arange(len(GENOTYPES)) % 3, np.nan, 1_000 * latency.IMAGES / _planted())
    columns = {
        Column("latency_zcu102", "ImageNet", "val", 16, "0"): _planted() / 1_000,
        Column("throughput_a100", "ImageNet", "val", 16, "0"): speeds,
        Column("throughput_3090", "ImageNet", "val", 16, "0"): np.where(np.arange(len(GENOTYPES)) < 900, 5.0, np.nan),
    }
    header = Header("made", "1", "accel", "made up", "a test", False, population=SPACE.population.about)
    return Table(header, columns)


@pytest.mark.parametrize("device", ["latency_zcu102", "throughput_a100"])
def test_planted_times_are_found(device: str, table: Table) -> None:
    """But for constants that could stand in any block: the fastest option of each takes nothing."""
    found = latency.fitted(table, device)
    fastest = np.array([times[sorted(ops)].min() for times, ops in zip(TIMES, SPACE.region.allowed, strict=True)])
    for edge, ops in enumerate(SPACE.region.lists):
        np.testing.assert_allclose(found.speeds.blocks[edge, ops], TIMES[edge, ops] - fastest[edge], atol=1e-4)
        others = sorted(set(range(len(SPACE.ops))) - set(ops))
        assert (found.speeds.blocks[edge, others] == 0).all()
    assert found.speeds.rest == pytest.approx(REST + fastest.sum(), abs=1e-4)
    assert found.tau > 0.98
    assert found.networks == (5_125 if device == "latency_zcu102" else 1_709)
    new = SPACE.sample(SPACE.region, np.random.default_rng(0))
    expected = TIMES[np.arange(len(new)), list(new)].sum() + REST
    assert found.speeds.of([new]).tolist() == pytest.approx([expected], abs=1e-3)


def test_what_was_not_measured_is_refused(table: Table) -> None:
    with pytest.raises(UnknownName, match="did you mean 'latency_zcu102'"):
        latency.fitted(table, "latency_zcu10")
    with pytest.raises(NoSuchEntry, match="has no latency_vck190"):
        latency.fitted(table, "latency_vck190")
    with pytest.raises(BadTable, match="throughput_3090 of 900 networks, too few"):
        latency.fitted(table, "throughput_3090")


@pytest.mark.usefixtures("images_once")
def test_a_file_is_a_setting_of_proxyless(table: Table, tmp_path: Path) -> None:
    """By the command, and into a search; what exists is not written over."""
    table.save(tmp_path / "accel.parquet")
    out = tmp_path / "zcu102.json"
    asked = ["latency", str(tmp_path / "accel.parquet"), "latency_zcu102", str(out), "--target", str(TARGET)]
    assert main(asked) == 0
    assert main(asked) == 2
    method = with_settings(methods.get("proxyless", "accel"), {"latency": str(out)})
    assert method.latency.target == TARGET
    blocks = np.array(method.latency.blocks)
    path = [ops[0] for ops in SPACE.region.lists]
    expected = TIMES[np.arange(7), path].sum() + REST
    assert blocks[np.arange(7), path].sum() + method.latency.rest == pytest.approx(expected, abs=1e-3)
    (spec,) = Study("own", "", "patches", "smoke", ("proxyless",), (0,), "accel").specs({"latency": str(out)})
    assert spec.method == method
    assert spec.label == f"proxyless(latency={out})"
    small = replace(contract.smaller(method), waits=0.0, every=1)
    record = execute(tiny.spec(small, 0, "accel", contract.SCALE), Settings(tmp_path, device="cpu"))
    assert record.status == "done"
    kept = record.identity["method"]["config"]["latency"]
    assert kept["target"] == TARGET
    assert len(kept["blocks"]) == 7


GOOD = {"blocks": [[1.0] * 48] * 7, "target": 5.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(GOOD)[:40], "Expecting"),
        (json.dumps({**GOOD, "targte": 5.0}), "did you mean 'target'"),
        (json.dumps({"target": 5.0}), "blocks"),
        (json.dumps({**GOOD, "target": "5"}), "target"),
        (json.dumps({**GOOD, "target": 0.5}), "more than 1 millisecond"),
        (json.dumps({**GOOD, "blocks": [[-1.0]]}), "0 or more"),
        ("[]", "object"),
        ('{"target": 1.5, "target": 2}', "stands twice"),
        (None, "cannot be read"),
    ],
)
def test_files_that_are_no_settings_are_refused_in_one_line(text: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadSpec) as caught:
        with_settings(methods.get("proxyless"), {"latency": str(path)})
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_part_that_may_be_of_several_kinds_comes_from_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="name one of its fields"):
        with_settings(methods.get("fewshot"), {"base": str(tmp_path / "own.json")})


# The figure


def _drawn(results: Results) -> pd.DataFrame:
    frame = load(results).frame
    return accuracy_vs_latency.prepare(frame, speeds.those_of(results, "accel"), results)


def test_the_figure_places_choices_by_the_sums(table: Table, tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    tests = [60.0 + row / 10 for row in range(40)]
    chosen = SPACE.parse("e6k3l1s1;" * 6 + "e6k3l1s1")
    shared = {"space": "accel", "targets": ("made",), "kind": "surrogate", "pairs": ([0.5] * 40, tests)}
    made_up_run(results, "rsps", 0, test=66.0, genotype=chosen, **shared)
    made_up_run(results, "proxyless", 0, test=None, genotype=chosen, **shared)
    assert accuracy_vs_latency.draw(load(results).frame, results).paths == ()
    own = latency.fitted(table, "latency_zcu102", TARGET).speeds
    speeds.write(own, results.root / "speeds" / "zcu102.json")
    data = _drawn(results)
    probed = data[data["kind"] == "probe"]
    assert probed["test"].tolist() == pytest.approx(tests)
    expected = TIMES[np.arange(7), GENOTYPES[:40]].sum(1) + REST
    np.testing.assert_allclose(probed["milliseconds"], expected, atol=2e-3)
    (choice,) = data[data["kind"] == "choice"].to_dict("records")
    assert (choice["label"], choice["test"]) == ("rsps", 66.0)
    assert choice["milliseconds"] == pytest.approx(TIMES[np.arange(7), list(chosen)].sum() + REST, abs=2e-3)
    assert data.loc[data["kind"] == "target", "milliseconds"].tolist() == [TARGET]
    best = data[data["kind"] == "front"]
    for time, value in zip(best["milliseconds"], best["test"], strict=True):
        best_so_far = max(t for t, ms in zip(tests, probed["milliseconds"], strict=True) if ms <= time)
        assert value == pytest.approx(best_so_far)
    drawn = accuracy_vs_latency.draw(load(results).frame, results)
    assert {path.suffix for path in drawn.paths} == {".pdf", ".png", ".csv", ".md"}


def test_speeds_that_cannot_be_trusted_are_named(table: Table, tmp_path: Path) -> None:
    """And those of another space are passed over."""
    results = Results(tmp_path)
    own = latency.fitted(table, "latency_zcu102").speeds
    speeds.write(own, tmp_path / "speeds" / "a.json")
    speeds.write(replace(own, space="macro"), tmp_path / "speeds" / "b.json")
    told = json.loads((tmp_path / "speeds" / "a.json").read_text())
    (tmp_path / "speeds" / "c.json").write_text(json.dumps({**told, "blocks": [[1.0], [1.0, 2.0]]}))
    (found,) = speeds.those_of(results, "accel")
    assert found.device == "latency_zcu102"
    ((path, why),) = results.damaged.items()
    assert path.name == "c.json"
    assert "different numbers of options" in why
    with pytest.raises(BadSpec, match="exists already"):
        speeds.write(own, tmp_path / "speeds" / "a.json")
