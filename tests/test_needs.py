"""What a run needs is told before it starts: held against peaks that were measured, and refused where it cannot fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import images
from bench.cli.commands import main
from bench.errors import BenchError
from bench.runs import needs, room
from bench.runs.again import spec_of
from bench.runs.beforehand import Batch
from bench.runs.expected import Estimator, Expected
from bench.runs.needs import Disk
from bench.search.learner import Training
from bench.store.record import Results
from bench.store.spec import with_settings
from methods import get
from tests.soak import peaks

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")


SOME = ("random", "darts", "rsps", "fewshot", "gm-snas(protocol=fair)")


@pytest.mark.parametrize("labels", [SOME, pytest.param((), marks=pytest.mark.slow)], ids=["some", "all"])
def test_memory_is_that_of_records_within_a_factor_of_two(labels: Sequence[str]) -> None:
    """Peaks of the committed records, on the CPU and on a GPU: none of them is asked."""
    seen: dict[tuple[Any, ...], tuple[Any, int]] = {}
    for record in Results(ROOT / "results").records():
        identity, peak, device = record.identity, record.cost["peak_bytes"], record.place["device"]
        kind = identity["space"], identity["dataset"], identity["scale"]["name"], record.label, device
        if labels and (record.label not in labels or identity["dataset"] != "patches"):
            continue
        if peak and kind not in seen and images.available(identity["dataset"]) is None:
            seen[kind] = record, peak
    found = {}
    estimators = {device: Estimator([], torch.device(device)) for device in ("cpu", "cuda")}
    for kind, (record, peak) in seen.items():
        try:
            spec = spec_of(record)
        except BenchError:
            continue  # of a method that has other settings by now
        found[kind] = estimators[kind[-1]].of(spec).memory / peak
    assert len(found) >= len(labels or range(40))
    assert {kind: ratio for kind, ratio in found.items() if not 0.5 < ratio < 2} == {}


@pytest.mark.slow
def test_memory_and_disk_are_those_that_a_process_takes(tmp_path: Path) -> None:
    """A run whose steps take most of the memory, in a process of its own; the largest resident set by the system."""
    one = peaks.measured("large batches", tmp_path)
    assert 0.5 < one.expected / one.peak < 2
    assert one.files <= one.disk.stays
    assert one.disk.stays - needs.RECORD < 2 * (one.files + needs.FILE)


def test_the_batch_of_a_step_is_found_wherever_it_is_set() -> None:
    large = {"base.training.batch": "96"}
    assert needs.batch_of(get("darts")) == Training().batch == 64
    assert needs.batch_of(get("gm-darts")) == get("gm-darts").base.training.batch
    assert needs.batch_of(with_settings(get("fewshot"), large)) == 96
    assert needs.batch_of(get("random")) == needs.BATCH


# What there is


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_memory_is_what_the_tightest_control_group_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both versions of control groups, as the kernel's documentation describes their files."""
    monkeypatch.setattr(room, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(room, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(room, "_free", lambda: 9 << 30)
    assert room.memory() == 9 << 30
    (tmp_path / "own").write_text("0::/user/job\n")
    group(tmp_path / "groups" / "user", memory__max=4_000, memory__current=1_500, memory__stat="inactive_file 500")
    group(tmp_path / "groups" / "user" / "job", memory__max="max", memory__current=1_000, memory__stat="anon 1")
    assert room.memory() == 4_000 - 1_500 + 500
    (tmp_path / "own").write_text("4:memory:/docker/1\n1:cpu:/\n")
    own = tmp_path / "groups" / "memory" / "docker" / "1"
    group(own, memory__limit_in_bytes=700, memory__usage_in_bytes=900, memory__stat="total_inactive_file 50")
    assert room.memory() == 0
    (own / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert room.memory() == 9 << 30


def test_the_disk_is_that_of_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    assert room.disk(tmp_path / "not" / "yet") is not None
    room.require_disk(tmp_path / "not" / "yet", 1, "this takes")


# The line


def batch(workers: int = 4, **changes: Any) -> Batch:
    each = [Expected(60.0 * n, 1 << 30, "multiply-adds", disk=Disk(1 << 20, 9 << 20)) for n in (1, 2, 3)]
    parts = {"names": ["a", "b", "c"], "each": each, "workers": workers, "device": CPU, "folder": Path("results")}
    return Batch(**{**parts, **changes})


def test_a_batch_takes_what_its_runs_take_together() -> None:
    assert (batch().at_a_time, batch().seconds) == (3, 180.0)
    assert (batch(1).seconds, batch(2).seconds) == (360.0, 180.0)
    assert batch(2).disk == (3 + 2 * 9) << 20
    assert batch(each=[*batch().each[:2], Expected(None, 1, "nothing")]).seconds is None


@pytest.mark.parametrize(
    ("memory", "disk", "said"),
    [
        (5 << 29, 1 << 40, "2 at a time fit, --workers 2"),
        (1 << 29, 1 << 40, "choose a smaller --scale"),
        (1 << 40, 20 << 20, "20 MiB free: make room"),
        (1 << 40, 29 << 20, "--shard 1/3"),
    ],
)
def test_what_cannot_fit_is_refused_before_it_starts_with_what_would(
    memory: int,
    disk: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(room, "memory", lambda: memory)
    monkeypatch.setattr(room, "disk", lambda folder: disk)
    monkeypatch.setattr(Estimator, "of", lambda self, spec: batch().each[0])
    words = ["run", "smoke", "--methods", "random", "largest", "parameters", "--pool", "processes", "--workers", "3"]
    assert main([*words, "--results", str(tmp_path / "results")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not list(Results(tmp_path / "results").records())


def test_a_run_says_what_it_takes_and_what_a_limit_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", "smoke", "--methods", "random", "--results", str(tmp_path)]
    monkeypatch.setattr(Estimator, "of", lambda self, spec: Expected(3_600.0, 1 << 29, "same settings", 1, Disk(1, 1)))
    assert main([*words, "--time-limit", "1800"]) == 0
    said = capsys.readouterr().out
    assert "this takes about 1 h 00 min, up to 512 MiB for a run of" in said
    assert "--time-limit 1800 is shorter than 1 run will take, random seed 0 most of all" in said
    assert main([*words, "--time-limit", "1800"]) == 0
    assert "this takes" not in capsys.readouterr().out, "nothing is left to be made"


def test_short_runs_are_told_by_a_bound_and_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bench.runs.expected.measured", lambda *_: pytest.fail("a pace was measured"))
    assert main(["run", "smoke", "--methods", "darts", "--results", str(tmp_path)]) == 0
    (record,) = Results(tmp_path).records()
    told = Estimator([], CPU, briefly=True).of(spec_of(record))
    assert told.at_most
    assert told.seconds is not None
    assert record.place["cpu_s"] < told.seconds


def test_a_plan_has_the_disk_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "smoke", "--methods", "random", "--results", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["whole"]["disk"] == planned["runs"][0]["disk"]["stays"] > 0
