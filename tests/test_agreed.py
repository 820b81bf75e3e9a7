"""A study that is written down before it runs is run as it was written, or not; and who begins with whom is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import methods
from bench.cli.commands import main
from bench.runs.study import STUDIES
from bench.store.parents import apart, parent_of
from bench.store.record import Results
from bench.store.spec import described, with_settings

pytestmark = pytest.mark.usefixtures("images_once")

RUN = ["run", "smoke", "--methods", "largest", "parameters", "--space", "toy"]


def test_a_plan_is_kept_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--results", str(tmp_path)]
    assert main([*RUN, *where, "--seeds", "0", "1", "--pin"]) == 0
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert sorted(plan["runs"].values()) == [f"{name} seed {s}" for name in ("largest", "parameters") for s in (0, 1)]
    assert not list(Results(tmp_path).records())
    assert main([*RUN, *where, "--seeds", "1"]) == 0  # a part of it
    assert {record.key for record in Results(tmp_path).records()} < set(plan["runs"])
    capsys.readouterr()
    for changed, said in (
        (["--seeds", "0", "2"], "2 runs not planned (of such settings), largest seed 2 first"),
        (["--seeds", "0", "--scale", "quick"], "not planned"),
    ):
        assert main([*RUN, *where, *changed]) == 2
        assert said in capsys.readouterr().err
        assert len(list(Results(tmp_path).records())) == 2
    assert main([*RUN, *where, "--seeds", "0", "2", "--pin"]) == 2
    assert "otherwise" in capsys.readouterr().err


def test_the_whole_study_is_what_was_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "decisive", "--results", str(tmp_path), "--pin"]) == 0
    plan = tmp_path / "plan.json"
    written = json.loads(plan.read_text())
    assert len(written["runs"]) == len(STUDIES["decisive"].specs())
    changed = {**written, "runs": {**written["runs"], "0" * 16: "other seed 0"}}
    plan.write_text(json.dumps(changed))
    capsys.readouterr()
    assert main(["run", "decisive", "--results", str(tmp_path)]) == 2
    assert "it was damaged or edited" in capsys.readouterr().err
    del changed["seal"]  # as plans were written before
    plan.write_text(json.dumps(changed))
    assert main(["run", "decisive", "--results", str(tmp_path)]) == 2
    assert "1 run planned and not asked for, other seed 0 first" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"study": "smoke", "runs": 3}'])
def test_a_plan_that_cannot_be_read(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(content)
    assert main([*RUN, "--results", str(tmp_path), "--seeds", "0"]) == 2
    assert "cannot read the plan" in capsys.readouterr().err


def test_who_begins_otherwise_is_told_with_what_differs() -> None:
    study = STUDIES["decisive"]
    told = {spec.label: spec.identity["method"] for spec in study.specs()}
    assert apart(told) == []
    assert len({parent_of(method) for method in told.values()}) == 1
    other = described(with_settings(methods.get("then-gm"), {"base.training.batch": "32", "levels": "40"}))
    (line,) = apart({**told, "mine": other})
    assert line == "mine does not begin as gumbel does: base.training.batch, epochs"
    assert apart({"mine": other, "random": described(methods.get("random"))}) == []
    (line,) = apart({**told, "random": described(methods.get("random"))})
    assert line == "random does not begin as gumbel does: no parent of its own"
