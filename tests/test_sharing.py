"""Studies of several machines: parts of a study, what they will take, and their folders made one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from bench.cli.commands import main
from bench.errors import BadRecord, BadSpec
from bench.runs.collect import collect
from bench.runs.expected import MARGIN, START, Estimator
from bench.runs.run import Settings, execute
from bench.runs.shard import Shard
from bench.spaces.toy import SPACE
from bench.store.record import Candidate, Record, Results
from bench.store.spec import RunSpec
from methods.baselines import RandomArchitecture
from methods.darts import Darts
from tests import tiny

SCALE = replace(tiny.SCALE, train_images=256, valid_images=128)


def _specs(count: int) -> list[RunSpec]:
    return [tiny.spec(RandomArchitecture(), seed) for seed in range(count)]


@pytest.mark.parametrize("of", [1, 3, 16, 50])
def test_parts_hold_every_run_once_and_are_as_large(of: int) -> None:
    specs = _specs(40)
    parts = [Shard(number, of).of_all(specs) for number in range(1, of + 1)]
    assert Counter(s.key for part in parts for s in part) == Counter(s.key for s in specs)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["17/16", "0/4", "3", "3/0", "-1/4", "a/b", "1/2/3", ""])
def test_a_part_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(BadSpec) as caught:
        Shard.parsed(text)
    assert "\n" not in str(caught.value)
    assert "--shard" in str(caught.value)


def _made(folder: Path, *seeds: int) -> dict[str, Record]:
    runs = [execute(tiny.spec(RandomArchitecture(), seed), Settings(folder)) for seed in seeds]
    runs.append(execute(tiny.spec(methods.get("parameters"), seeds[0]), Settings(folder)))
    return {run.key: run for run in runs}


def test_parts_collected_are_the_whole_byte_by_byte(tmp_path: Path) -> None:
    one, two = _made(tmp_path / "one", 0, 1), _made(tmp_path / "two", 1, 2)
    into = Results(tmp_path / "all")
    found = collect([tmp_path / "one", tmp_path / "two"], into)
    assert (found.new, found.known) == (5, 1)
    assert {r.key: r for r in into.records()}.keys() == one.keys() | two.keys()
    for path in [p for p in (tmp_path / "all").rglob("*") if p.is_file() and not p.name.startswith(".")]:
        beside = [tmp_path / part / path.relative_to(into.root) for part in ("one", "two")]
        assert path.read_bytes() in [p.read_bytes() for p in beside if p.exists()]
    assert len(list((into.root / "estimates").iterdir())) == 2
    again = collect([tmp_path / "one", tmp_path / "two"], into)
    assert (again.new, again.known) == (0, 6)


def test_folders_that_contradict_each_other_are_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (record, *_) = _made(tmp_path / "one", 0).values()
    other = tuple(0 if op else 1 for op in record.genotype or ())
    said = {"genotype": other, "architecture": SPACE.show(other), "candidates": (Candidate(other, None),)}
    Results(tmp_path / "two").save(replace(record, **said))  # type: ignore[arg-type]
    words = ["collect", str(tmp_path / "one"), str(tmp_path / "two"), "--results", str(tmp_path / "all")]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert record.key in line
    assert "contradict" in line
    assert not (tmp_path / "all").exists()


def test_a_damaged_file_is_skipped_and_named_and_never_replaces_one(tmp_path: Path) -> None:
    keys = list(_made(tmp_path / "one", 0))
    into = Results(tmp_path / "all")
    collect([tmp_path / "one"], into)
    broken = into.run_path(keys[0])
    broken.write_text("{}")
    found = collect([tmp_path / "one"], into)
    assert found.new == 0
    assert list(into.damaged) == [broken]
    assert broken.read_text() == "{}"


def test_what_is_no_results_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="no results folder"):
        collect([tmp_path / "nowhere"], Results(tmp_path / "all"))


@pytest.mark.parametrize(
    "label",
    [
        *("darts", "darts-2nd", "fewshot", "largest", "rsps"),
        *(pytest.param(label, marks=pytest.mark.slow) for label in ("fade-random", "random-best-of-10")),
    ],
)
def test_what_is_foreseen_is_what_the_meter_counts(label: str) -> None:
    """What is drawn at random has a size that is known on average alone."""
    drawn = label in ("rsps", "fade-random", "random-best-of-10")
    method = methods.get(label, "toy")
    task = tiny.task(scale=SCALE)
    foreseen = method.foreseen(task).total
    with task.meter.phase("all"):
        method.search(task)
    assert foreseen == pytest.approx(task.meter.total().gmacs, rel=0.25 if drawn else 0.05)


def _record(spec: RunSpec, gmacs: float, seconds: float) -> Any:
    return replace(
        _RECORD,
        key=spec.key,
        identity=spec.identity,
        cost={"gmacs": gmacs, "device_s": seconds, "wall_s": 9e9, "peak_bytes": 1 << 30},
        place={"device": "cpu", "cpu_s": seconds, "code": ""},
    )


_RECORD = Record("", "tested", {}, "done", "", (0, 0, 0), "", (), (), {}, {}, None, {})


def test_records_say_what_runs_take_the_nearest_first() -> None:
    spec = tiny.spec(Darts(), 5, scale=SCALE)
    same = [_record(tiny.spec(Darts(), seed, scale=SCALE), 1.0, took) for seed, took in enumerate((10.0, 20.0, 90.0))]
    twice = Darts(order=2)
    cpu = torch.device("cpu")
    expected = Estimator(same, cpu).of(spec)
    assert (expected.seconds, expected.basis, expected.records) == (START + 20.0, "same settings", 3)
    assert expected.memory == int(MARGIN * (1 << 30))
    task = tiny.task(scale=SCALE)
    ratio = twice.foreseen(task).total / Darts().foreseen(task).total
    made = [_record(tiny.spec(Darts(), 0, scale=SCALE), Darts().foreseen(task).total, 7.0)]
    other = Estimator(made, cpu).of(tiny.spec(twice, 0, scale=SCALE))
    assert other.basis == "same method class"
    assert other.seconds == pytest.approx(ratio * (START + 7.0))
    none = Estimator([], cpu).of(spec)
    assert none.basis == "multiply-adds"
    assert none.seconds is not None
    assert none.seconds > START


def test_a_study_in_parts_is_planned_made_and_collected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--methods", "random", "largest", "--space", "toy", "--scale", "smoke", "--seeds", "0", "1"]
    for part in ("1/2", "2/2"):
        assert main(["run", *asked, "--shard", part, "--results", str(tmp_path / part.replace("/", "of"))]) == 0
    folders = [str(tmp_path / "1of2"), str(tmp_path / "2of2")]
    assert main(["collect", *folders, "--results", str(tmp_path / "all")]) == 0
    capsys.readouterr()
    assert main(["plan", *asked, "--results", str(tmp_path / "all"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["whole"]["there already"] == 4
    assert main(["plan", *asked, "--results", str(tmp_path / "none"), "--records", str(tmp_path / "all")]) == 0
    said = capsys.readouterr().out
    assert "same settings" in said
    assert "4 runs" in said
