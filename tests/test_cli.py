"""The command line: what a person types, right and wrong. Every fault is one line, exit code 2, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands import main

ROOT = Path(__file__).parent.parent
SMALL = ["--scale", "smoke", "--methods", "random", "largest"]


def _run(results: Path, *words: str) -> int:
    return main(["run", "smoke", "--results", str(results), *words])


def _fault(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a refused command."""
    capsys.readouterr()
    assert main(list(words)) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "\n" not in error
    assert "Traceback" not in error
    return error


def test_run_list_show(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(results, *SMALL) == 0
    printed = capsys.readouterr().out
    assert "2 runs: nb201 on patches, scale smoke" in printed
    assert "[2/2]" in printed
    assert _run(results, *SMALL) == 0
    assert capsys.readouterr().out.count("done already") == 2
    assert main(["list", "runs", "--results", str(results), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["method"] for row in rows} == {"random", "largest"}
    assert all(row["code"] == "this" for row in rows)
    assert main(["show", rows[0]["key"][:8], "--results", str(results)]) == 0
    shown = capsys.readouterr().out
    assert rows[0]["architecture"] in shown
    assert "scale.channels" in shown
    assert "total" in shown
    assert main(["show", rows[0]["key"], "--results", str(results), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["key"] == rows[0]["key"]


@pytest.mark.parametrize("what", ["methods", "studies", "datasets", "scales", "spaces"])
def test_everything_that_can_be_named_is_listed(what: str, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", what, "--results", str(results)]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 2
    assert main(["list", what, "--results", str(results), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) >= 2


def test_json_is_alone_on_standard_output(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(results, *SMALL, "--json") == 0
    captured = capsys.readouterr()
    assert {row["status"] for row in json.loads(captured.out)} == {"done"}
    assert "[2/2]" in captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nb210"], "unknown study 'nb210'; did you mean 'nb201'?"),
        (["run", "smoke", "--methods", "dart"], "unknown method 'dart'; did you mean 'darts'?"),
        (["run", "smoke", "--space", "nb101"], "unknown space 'nb101'; did you mean 'nb201'?"),
        (["run", "smoke", "--dataset", "patchs"], "unknown image set 'patchs'; did you mean 'patches'?"),
        (["run", "smoke", "--scale", "smoky"], "unknown scale 'smoky'; did you mean 'smoke'?"),
        (["run", "smoke", "--methods", "darts", "--set", "ordr=2"], "did you mean 'order'?"),
        (["run", "smoke", "--set", "order"], "--set takes FIELD=VALUE, not 'order'"),
        (["run", "smoke", "--seeds", "1", "1"], "seeds [1, 1] repeat"),
        (["run", "smoke", "--seeds", "-1"], "seed -1 is not allowed"),
        (["run", "smoke", "--device", "cuda"], "torch sees no CUDA device here"),
        (["run", "smoke", "--device", "tpu"], "--device tpu is not known"),
        (["show", "feedbeef"], "unknown run 'feedbeef'"),
        (["score", "--truth", "absent.parquet"], "absent.parquet"),
        (["import", "absent.csv", "out.parquet"], "absent.csv"),
    ],
)
def test_faults_are_one_line(
    words: list[str], message: str, results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    where = [] if words[0] == "import" else ["--results", str(results)]
    assert message in _fault(capsys, *words, *where)
    assert not (results / "runs").exists() or not list((results / "runs").glob("*.json"))


def test_missing_image_files_stop_before_the_search(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "smoke", "--dataset", "cifar10", "--data", str(tmp_path), "--results", str(results)]
    assert str(tmp_path) in _fault(capsys, *words)


def test_scoring_nothing_says_what_to_do(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.test_score import small_table

    path = tmp_path / "table.parquet"
    small_table().save(path)
    assert "make some with `python -m bench run`" in _fault(
        capsys, "score", "--truth", str(path), "--results", str(results)
    )


def test_results_that_are_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results").write_text("a file")
    assert "choose another folder" in _fault(capsys, "run", "smoke", *SMALL, "--results", str(tmp_path / "results"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--seds", "3"], "unknown option '--seds'; did you mean '--seeds'?"),
        (["run", "--pool", "serail"], "invalid choice 'serail'"),
        (["run", "--seeds", "one"], "one"),
        (["rnu"], "Expected one of {run, score, list, show, diff, import"),
        ([], "Expected one of {run, score, list, show, diff, import"),
    ],
)
def test_words_that_make_no_sense(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in _fault(capsys, *words)


def test_a_failed_run_makes_the_exit_code_one(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch larger than the images: the run says so, the others go on."""
    words = ["--methods", "darts", "snas", "--set", "training.batch=100000"]
    assert _run(results, *words) == 1
    printed = capsys.readouterr().out
    assert printed.count("failed in") == 2
    assert "are fewer than a batch of 100000" in printed


@pytest.mark.parametrize("module", ["bench", "bench.commands"])
def test_entry_points(module: str, tmp_path: Path) -> None:
    code = (
        [sys.executable, "-m", module] if module == "bench" else [str(Path(sys.executable).parent / "supernet-bench")]
    )
    done = subprocess.run([*code, "--help"], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ})
    assert done.returncode == 0
    assert "run" in done.stdout
