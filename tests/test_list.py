"""`list`: filters, order and columns against a hand-made folder; what there is not is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.commands import main
from bench.store.record import Results
from bench.store.spec import scale_named
from tests.test_analysis import SMALL, made_up_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = Results(tmp_path_factory.mktemp("list") / "results")
    for seed, (test, tau) in enumerate(((91.0, 0.4), (89.0, None), (90.0, 0.7))):
        made_up_run(results, "darts", seed, test=test, tau=tau, images=(100 * (3 - seed), 10), ranked=None)
    made_up_run(results, "darts(order=2)", 0, test=88.0, tau=0.1)
    made_up_run(
        results, "gm-darts", 1, targets=("patches", "cifar10"), test=80.0, scale=scale_named("quick", {"probe": "7"})
    )
    made_up_run(results, "random", 1, status="failed", scored=False, dataset="cifar10")
    made_up_run(results, "largest", 0, scored=False, space="toy")
    return results.root


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert main(["list", *words, "--results", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ((), {"darts 0", "darts 1", "darts 2", "darts(order=2) 0", "gm-darts 1", "random 1", "largest 0"}),
        (("--methods", "darts"), {"darts 0", "darts 1", "darts 2", "darts(order=2) 0"}),
        (("--methods", "darts(order=2)"), {"darts(order=2) 0"}),
        (("--methods", "*darts", "--seeds", "1"), {"darts 1", "gm-darts 1"}),
        (("--methods", "random", "largest"), {"random 1", "largest 0"}),
        (("--seeds", "1", "2"), {"darts 1", "darts 2", "gm-darts 1", "random 1"}),
        (("--status", "failed"), {"random 1"}),
        (("--dataset", "cifar10"), {"random 1"}),
        (("--space", "toy"), {"largest 0"}),
        (("--scale", "quick"), {"gm-darts 1"}),
        (("--scale", "quick+probe=7"), {"gm-darts 1"}),
        (("--scale", SMALL.name, "--space", "nb201", "--seeds", "2"), {"darts 2"}),
        (("--status", "timeout"), set()),
        (("--methods", "x*"), set()),
    ],
)
def test_filters(folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], runs: set[str]) -> None:
    assert {f"{row['method']} {row['seed']}" for row in listed(folder, capsys, *words)} == runs


def test_columns_and_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--methods", "darts", "--columns", "tau", "method", "test", "forward_images")
    rows = listed(folder, capsys, *words, "--sort", "tau", "--descending")
    assert [list(row) for row in rows] == [["tau", "method", "test", "forward_images"]] * 4
    assert [row["tau"] for row in rows] == [0.7, 0.4, 0.1, None], "what is not known comes last"
    assert [row["test"] for row in listed(folder, capsys, *words, "--sort", "test")] == [88.0, 89.0, 90.0, 91.0]
    rows = listed(folder, capsys, "--sort", "method", "forward_images", "--columns", "method", "seed")
    assert [(row["method"], row["seed"]) for row in rows][:3] == [("darts", 2), ("darts", 1), ("darts", 0)]
    assert main(["list", *words, "--sort", "tau", "--results", str(folder)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["tau", "method", "test", "forward_images"]
    assert lines[1] == ["0.1000", "darts(order=2)", "88.00", "3000"]
    assert lines[4] == ["darts", "89.00", "200"]


def test_scores_are_rows_by_truth_and_data_set(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(folder, capsys, "--scores", "--methods", "gm-darts", "largest")
    assert {(row["method"], row["truth"], row["target"], row["test"]) for row in rows} == {
        ("gm-darts", "table", "patches", 80.0),
        ("gm-darts", "table", "cifar10", 80.0),
        ("largest", None, None, None),
    }
    assert {"tau_top10", "regret_test"} <= set(rows[0])
    assert main(["list", "--scores", "--results", str(folder)]) == 0
    assert {"key", "tau", "rank"} <= set(capsys.readouterr().out.splitlines()[0].split())


def test_runs_are_listed_without_an_array_library(folder: Path) -> None:
    code = (
        "import sys\nfrom bench.cli.commands import main\n"
        f"assert main(['list', '--sort', 'seconds', '--results', {str(folder)!r}]) == 0\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_other_lists_have_columns_and_order_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(folder, capsys, "spaces", "--columns", "space", "edges", "--sort", "edges")
    assert rows[0] == {"space": "toy", "edges": 3}
    assert [row["edges"] for row in rows] == sorted(row["edges"] for row in rows)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "metod"), "did you mean 'method'? there are key, method, space"),
        (("--sort", "tua"), "regret_test"),
        (("spaces", "--columns", "x"), "there are space, architectures"),
        (("--methods", "dartz"), "did you mean 'darts'"),
        (("--space", "nb2"), "nb201"),
        (("--status", "over"), "known: diverged, done"),
        (("--seeds", "first"), "--seeds takes a whole number"),
        (("methods", "--seeds", "1"), "--seeds chooses among runs"),
        (("spaces", "--scores"), "--scores chooses among runs"),
        (("--descending",), "--sort COLUMN"),
    ],
)
def test_what_there_is_not_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert main(["list", *words, "--results", str(folder)]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_completion_is_installed_for_each_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script names commands, options and choices; that shells take it was tried by hand (docs/use.md)."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for shell in ("bash", "zsh", "fish"):
        assert main(["--install-completion", "--shell", shell]) == 0
        script = max((p for p in tmp_path.rglob("*supernet-bench*") if p.is_file()), key=lambda p: p.stat().st_mtime)
        text = script.read_text()
        assert all(word in text for word in ("rerun", "descending", "diverged"))
    monkeypatch.setenv("HOME", "/proc/nowhere")
    assert main(["--install-completion", "--shell", "fish"]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write the completion")
