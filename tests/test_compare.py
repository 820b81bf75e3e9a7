"""`diff`: what differs between two made-up runs is printed, what does not is counted; faults are one line."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.cli.commands import main
from bench.cli.compare import Field, fields
from bench.store.record import Candidate, Record, Results, Score
from bench.store.spec import SCALES, key_of, plain
from tests import edited

ARCHITECTURE = "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|"


def run(seed: int = 0, epochs: int = 50, **others: Any) -> Record:
    """A made-up record; `others` are its fields."""
    identity = {
        "schema": 1,
        "method": {"name": "darts.Darts", "version": 1, "config": {"training": {"epochs": epochs, "batch": 64}}},
        "space": "nb201",
        "dataset": "patches",
        "seed": seed,
        "scale": plain(SCALES["smoke"]),
    }
    values = {
        "key": key_of(identity),
        "label": "darts",
        "identity": identity,
        "status": "done",
        "message": "",
        "genotype": (3,) * 6,
        "architecture": ARCHITECTURE,
        "candidates": (Candidate((3,) * 6, 0.5),),
        "trace": (),
        "details": {},
        "cost": edited.cost(weights={"forward_images": 10}),
        "estimates": None,
        "place": {"code": "c0de", "device": "cpu"},
    }
    return Record(**{**values, **others})


def score(**values: Any) -> Score:
    """A made-up score by truth t on data set c; all that is not given is None or nothing."""
    every = {f.name: None for f in dataclasses.fields(Score) if f.default is f.default_factory is dataclasses.MISSING}
    return Score(**{**every, "truth": "t", "target": "c", "truth_checksum": "5u3", **values})


def differing(one: Record, other: Record) -> dict[str, tuple[Any, Any]]:
    return {f"{f.part}/{f.name}": (f.a, f.b) for f in fields(one, other, [], []) if f.differs}


def test_only_what_differs_is_named() -> None:
    assert differing(run(), run()) == {}
    assert differing(run(), run(seed=1)) == {"settings/seed": (0, 1)}
    assert differing(run(), run(epochs=10)) == {"settings/method.config.training.epochs": (50, 10)}


def test_every_part_is_compared() -> None:
    other = replace(
        run(),
        status="diverged",
        architecture=None,
        candidates=(Candidate((3,) * 6, 0.25), Candidate((1,) * 6, None)),
        cost=edited.cost(weights={"forward_images": 10}, cut={"forward_images": 20}),
        place={"code": "c0de", "device": "cuda"},
    )
    assert differing(run(), other) == {
        "choice/status": ("done", "diverged"),
        "choice/architecture": (ARCHITECTURE, None),
        "choice/candidates": (1, 2),
        "choice/candidate 1.estimate": (0.5, 0.25),
        "choice/candidate 2.genotype": (None, "1 1 1 1 1 1"),
        "cost/total.forward_images": (10, 30),
        **{f"cost/cut.{name}": (None, 20 if name == "forward_images" else 0) for name in edited.ACCOUNT},
        "place/device": ("cpu", "cuda"),
    }


def test_lists_of_objects_are_numbered() -> None:
    one, other = run(place={"parts": [{"a": 1}, {"a": 2}]}), run(place={"parts": [{"a": 1}, {"a": 3}], "betas": [1]})
    assert differing(one, other) == {"place/parts.2.a": (2, 3), "place/betas": (None, [1])}


def test_scores_are_compared_by_truth_and_target() -> None:
    known = {"valid": None, "test": 90.0, "rank": 7}
    one = score(test=90.0, panel={"tau_top10": 0.5}, candidates=({"genotype": [3] * 6, "estimate": 0.5, **known},))
    other = replace(one, test=91.0, panel={"tau_top10": 0.25}, candidates=({**one.candidates[0], "rank": 3},))
    found = {f.name: (f.a, f.b) for f in fields(run(), run(), [one], [other]) if f.differs}
    assert found == {"t/c.test": (90, 91), "t/c.tau_top10": (0.5, 0.25), "t/c.candidate 1.rank": (7, 3)}
    alone = [f.name for f in fields(run(), run(), [one], []) if f.differs]
    assert {"t/c.test", "t/c.tau_top10", "t/c.truth_checksum"} <= set(alone)


@pytest.fixture
def two(results: Path) -> tuple[str, str, str]:
    """The folder and the keys of two saved runs."""
    one, other = (
        run(),
        run(seed=1, architecture="another cell", cost=edited.cost(weights={"forward_images": 10, "gmacs": 1e-9})),
    )
    for record in (one, other):
        Results(results).save(record)
    return str(results), one.key, other.key


def test_the_command_prints_what_differs(two: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, a, b = two
    assert main(["diff", a[:8], b, "--results", folder]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:2] == ["A", a]
    assert ["settings", "seed", "0", "1"] in lines
    assert ["cost", "total.gmacs", "0", "1e-09"] in lines
    assert not any("batch" in line[1] for line in lines if len(line) > 1)
    assert lines[-1][:3] == ["4", "fields", "differ,"]
    assert main(["diff", a, b, "--all", "--results", folder]) == 0
    assert "method.config.training.batch" in capsys.readouterr().out


def test_json_names_both_runs(two: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, a, b = two
    assert main(["diff", a, b, "--json", "--results", folder]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["a"]["key"], said["b"]["key"]) == (a, b)
    assert vars(Field("settings", "seed", 0, 1)) in said["fields"]
    assert all(field["a"] != field["b"] for field in said["fields"])
    assert main(["diff", a, b, "--json", "--all", "--results", folder]) == 0
    assert len(json.loads(capsys.readouterr().out)["fields"]) == said["same"] + len(said["fields"])


def test_keys_that_are_none_are_one_line(two: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, a, b = two
    keys = [run(seed=seed).key for seed in range(40)]
    twin = next(key for key in keys if key[0] == a[0] and key not in (a, b))
    Results(Path(folder)).save(run(seed=keys.index(twin)))
    for words, message in (
        ((a, "zz"), "none of 3 runs begins with 'zz'"),
        (("", a), "give the key of one of 3 runs"),
        ((a[0], b), "give more digits"),
        ((a,), "diff takes two keys"),
    ):
        assert main(["diff", *words, "--results", folder]) == 2
        error = capsys.readouterr().err.strip()
        assert message in error
        assert "\n" not in error


def test_help_and_diff_load_no_torch(two: tuple[str, str, str]) -> None:
    folder, a, b = two
    code = (
        "import sys\nfrom bench.cli.commands import main\n"
        f"assert main(['diff', {a!r}, {b!r}, '--results', {folder!r}]) == 0\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
