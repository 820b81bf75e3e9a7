"""The command line: what a person types, right and wrong. Every fault is one line, exit code 2, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from bench.cli.commands import COMMANDS, main
from bench.runs.pool import Job, Processes, Serial, Tick
from bench.store.record import Results

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
    assert rows[0]["space"] == "nb201"
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
        (["run", "smoke", "--device", "cpu:x"], "--device cpu:x is not known"),
        (["run", "smoke", "--workers", "-1", "--pool", "processes"], "--workers -1: give 1 or more"),
        (["run", "smoke", "--threads", "0"], "--threads 0: a run has 1 thread or more"),
        (["run", "smoke", "--methods", "fewshot", "--set", "teaching.parent_weight=2"], "names a field of None"),
        (["run", "smoke", "--methods", "darts", "--set", "order.x=1"], "names a field of 1"),
        (["run", "smoke", "--methods", "darts", "--set", "training.alpha_betas=0.5"], "expected 2"),
        (["run", "smoke", "--methods", "darts", "--set", "training.epochs=-5"], "epochs must be 1 or more, got -5"),
        (["run", "smoke", "--methods", "darts", "--set", "training.batch=0"], "batch must be 1 or more, got 0"),
        (["list"], "there is no folder"),
        (["show", "feedbeef"], "make runs with `python -m bench run smoke --results "),
        (["diff", "feed", "beef"], "there is no folder"),
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
    words = ["score", "--truth", str(path), "--results", str(results)]
    assert f"there is no folder {results}" in _fault(capsys, *words)
    assert not results.exists()
    results.mkdir()
    assert f"make some with `python -m bench run --results {results}`" in _fault(capsys, *words)
    assert _run(results, "--methods", "random") == 0
    left = "1 run left out: it searched nb201, this table holds toy; make some"
    assert f"{results} holds no run that made-up can score; {left}" in _fault(capsys, *words)
    assert _run(results, "--methods", "random", "--space", "toy") == 0
    capsys.readouterr()
    assert main(words) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == left.partition(";")[0]
    assert second.startswith("1 run scored by made-up (")
    assert second.endswith(f": 1 row in {results}/scores")
    assert "it searched patches, --dataset asks for cifar10;" in _fault(capsys, *words, "--dataset", "cifar10")


def test_a_run_is_scored_once_unless_it_is_asked_for_again(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_score import small_table

    path = tmp_path / "table.parquet"
    small_table().save(path)
    words = ["score", "--truth", str(path), "--results", str(results)]
    assert _run(results, "--methods", "random", "--space", "toy") == 0
    assert main(words) == 0
    (file,) = (results / "scores").iterdir()
    states = [(file.read_bytes(), file.stat().st_mtime_ns)]
    for more, said in (([], True), (["--again"], False)):
        capsys.readouterr()
        assert main([*words, *more]) == 0
        assert ("--again" in capsys.readouterr().out) is said
        states.append((file.read_bytes(), file.stat().st_mtime_ns))
    (first, made), (second, kept), (third, anew) = states
    assert first == second == third
    assert made == kept < anew


def test_show_prints_digits_that_mean_something(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_score import small_table

    path = tmp_path / "table.parquet"
    small_table().save(path)
    assert _run(results, "--methods", "parameters", "--space", "toy") == 0
    assert main(["score", "--truth", str(path), "--results", str(results)]) == 0
    (key,) = (p.stem for p in (results / "runs").glob("*.json"))
    capsys.readouterr()
    assert main(["show", key, "--results", str(results), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["scores"]
    assert main(["show", key, "--results", str(results)]) == 0
    heading, line = (text.split() for text in capsys.readouterr().out.splitlines()[-2:])
    shown = dict(zip(heading, line, strict=True))
    assert shown["test"] == f"{row['test']:.2f}"
    assert shown["tau"] == f"{row['tau']:.4f}" != str(row["tau"])


def test_finished_runs_start_no_process(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def here(pool: Processes, jobs: Sequence[Job], tick: Tick) -> Iterator[tuple[int, Any]]:
        asked.append(len(jobs))
        return Serial().map(jobs, tick)

    monkeypatch.setattr(Processes, "map", here)
    assert _run(results, "--methods", "largest") == 0
    capsys.readouterr()
    for jobs, status in ((1, "done in"), (0, "done already")):
        assert _run(results, "--methods", "random", "largest", "--pool", "processes") == 0
        said = capsys.readouterr().out
        assert f"random seed 0: {status}" in said
        assert "largest seed 0: done already" in said
        assert (asked.pop() if asked else 0) == jobs
    assert _run(results, "--methods", "parameters", "--pool", "processes", "--workers", "3") == 0
    at_a_time = {record.label: record.place["workers"] for record in Results(results).records()}
    assert (at_a_time["largest"], at_a_time["parameters"]) == (1, 3)


def test_methods_are_listed_by_file_and_subject(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "methods"]) == 0
    plain = capsys.readouterr().out
    (line,) = (line for line in plain.splitlines() if line.startswith("fewshot-rsps "))
    assert line.split(maxsplit=3)[1:] == [
        "methods/fewshot.py",
        "nb201",
        "Few-Shot NAS (Zhao, Wang, Tian, Fonseca & Guo, ICML 2021, arXiv 2006.06863).",
    ]
    assert "learning_rate" not in plain
    assert main(["list", "methods", "--all"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("darts-2nd "))
    usual, own = line.split("; on darts: ")
    assert all(word in usual.split() for word in ("training.precision=fp32", "rests=0", "order=2", "eps=0.01"))
    assert own.startswith("training.nesterov=false training.weight_decay=0.0003;")
    assert " training.alpha_betas=0.5,0.999 " in line
    assert main(["list", "methods", "--json"]) == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["darts-2nd"]["settings"]["order"] == 2
    assert rows["gm-darts-random"]["settings"]["grouping.draw"] == 0


def test_settings_for_other_spaces_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """By what differs from those of NAS-Bench-201."""
    assert main(["list", "methods", "--all"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("hep "))
    assert " nb201, toy, darts " in line
    assert " levels=10,10,10 " in line
    assert "; on toy: levels=10,10; on darts: " in line
    assert main(["list", "methods", "--json"]) == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["hep-edgewise"]["elsewhere"] == {"toy": {"levels": [5, 5, 5]}}
    assert rows["hep"]["elsewhere"]["darts"]["edges.cells"] == ["normal"]
    assert (rows["rsps"]["settings for"], rows["rsps"]["elsewhere"]) == (["nb201"], {})


def test_a_run_names_the_methods_without_settings_for_its_space(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that cannot run on those of NAS-Bench-201 is refused in one line, with nothing trained."""
    from methods import hepnas

    monkeypatch.setattr(hepnas, "SETTINGS", {})
    assert _run(results, "--space", "toy", "--methods", "largest", "parameters", "hep") == 1
    lines = capsys.readouterr().out.splitlines()
    (said,) = (line for line in lines if "no settings for toy" in line)
    assert said.startswith("parameters, hep have ")  # `largest` has nothing to set
    assert said.endswith("nb201")
    (refused,) = (line for line in lines if "failed" in line)
    assert "toy has 2" in refused
    (failure,) = Results(results).failures()
    assert failure.cost["forward_images"] == 0
    monkeypatch.undo()
    assert _run(results, "--space", "nb201", "--methods", "largest", "parameters") == 0
    assert "no settings" not in capsys.readouterr().out


def test_a_probe_of_everything_is_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "scales"]) == 0
    heading, *lines = (line.split() for line in capsys.readouterr().out.splitlines())
    probes = {line[0]: line[heading.index("probe")] for line in lines}
    assert (probes["quick"], probes["paper"]) == ("3000", "all")


def test_a_folder_without_runs_holds_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = f"{tmp_path} holds no runs; make some with `python -m bench run --results {tmp_path}`"
    assert main(["list", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{none}\n"
    assert main(["list", "--results", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert _fault(capsys, "show", "feedbeef", "--results", str(tmp_path)) == f"error: {none}"
    assert _run(tmp_path, "--methods", "random") == 0
    error = _fault(capsys, "show", "feedbeef", "--results", str(tmp_path))
    assert (
        error == f"error: none of 1 run begins with 'feedbeef'; `python -m bench list --results {tmp_path}` shows them"
    )


def test_help_says_what_set_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--set order=2 --set training.epochs=10" in said


def test_results_that_are_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results").write_text("a file")
    assert "choose another folder" in _fault(capsys, "run", "smoke", *SMALL, "--results", str(tmp_path / "results"))


def test_a_diverged_run_is_kept_and_makes_the_exit_code_one(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = ["learning_rate=1e30", "learning_rate_end=1e30", "clip=0"]
    words = ["--methods", "darts", "--scale", "smoke", *(w for text in wild for w in ("--set", f"training.{text}"))]
    assert _run(results, *words) == 1
    printed = capsys.readouterr().out
    assert "diverged in" in printed
    assert "lower the learning rate" in printed
    assert "Traceback" not in printed
    assert _run(results, *words) == 1  # it is a result: not run again
    assert "diverged already" in capsys.readouterr().out


def test_a_record_that_cannot_be_trusted_is_named_by_every_command(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(results, "--scale", "smoke", "--methods", "random") == 0
    (path,) = (results / "runs").iterdir()
    content = path.read_text()
    edited, cut = content.replace('"seed": 0', '"seed": 5'), content[:300]
    for spoilt, message in ((edited, "not what it was sealed with"), (cut, "is not whole JSON")):
        path.write_text(spoilt)
        for command in (["run", "smoke", "--methods", "random"], ["list", "runs"], ["show", path.stem], ["score"]):
            capsys.readouterr()
            assert main([*command, "--results", str(results)]) in (1, 2)
            said = "".join(capsys.readouterr())
            assert f"{path}" in said
            assert message in said
            assert f"`python -m bench aside {path}`" in said
            assert "Traceback" not in said
        assert path.read_text() == spoilt


BAD_TABLES = {
    "empty": (b"", "is empty (0 bytes); fetch or make it again"),
    "page": (b"<!doctype html>", "is a web page, not a table; open it in a browser"),
    "archive": (
        b"BZh91AY",
        "is no Parquet file (it starts with b'BZh91AY'); make a table of it with `python -m bench import`",
    ),
    "cut": (None, "is cut off after 300 bytes; fetch or make it again"),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_a_table_that_is_none_is_one_line(
    kind: str, results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_score import small_table

    content, message = BAD_TABLES[kind]
    path = tmp_path / "table.parquet"
    small_table().save(path)
    path.write_bytes(path.read_bytes()[:300] if content is None else content)
    error = _fault(capsys, "score", "--truth", str(path), "--results", str(results))
    assert error.startswith(f"error: {path}: {message}")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "15625 of 15625 architectures are missing"),
        (["50"], "15624 of 15625 architectures are missing"),
        (["100.01"], "line 2: 'c10_test_200' is 100.01; it takes 0..100 percent"),
        (["-3"], "line 2: 'c10_test_200' is -3; it takes 0..100 percent"),
        (["50", "50"], "stands twice, in lines 2 and 3"),
        (["good"], "line 2: 'good' in column 'c10_test_200' is no number"),
    ],
)
def test_numbers_that_make_no_table_are_one_line(
    rows: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.test_convert import HEADING

    arch = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    lines = [f"0,{arch},{text},{','.join(['50'] * 10)},0.129306,15.64736,,," for text in rows]
    path, out = tmp_path / "extract.csv", tmp_path / "out.parquet"
    path.write_text("\n".join([HEADING, *lines]))
    assert message in _fault(capsys, "import", str(path), str(out))
    path.write_text("\n".join([HEADING.replace("c10_test_200", "c10_tset_200"), *lines]))
    assert "unknown column 'c10_tset_200'; did you mean 'c10_test_200'?" in _fault(
        capsys, "import", str(path), str(out)
    )
    assert not out.exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody can write to")
def test_results_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["run", "smoke", *SMALL], ["naslib", "table.parquet"]):
        error = _fault(capsys, *words, "--results", "/proc/results")
        assert "cannot write /proc/results" in error
        assert "choose another folder with --results" in error


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", ", ".join(COMMANDS)),
        ("rum", "'run'"),
        ("RUN", "'run'"),
        ("help", "known: " + ", ".join(sorted(COMMANDS)[:4])),
        ("--json list", "--json"),
        ("--print-completion bash", "--print-completion"),
        ("run --print-completion bash", "--print-completion"),
        ("run --seds 3", "'--seeds'"),
        ("run --SEEDS 3", "'--seeds'"),
        ("run --studdy nb201", "'--study'"),
        ("run -x", "'-x'"),
        ("score --no-train-mising", "'--no-train-missing'"),
        ("show a b", "'b'"),
        ("run --pool serail", "'serial'"),
        ("run --pool SERIAL", "'serial'"),
        ("list method", "'methods'"),
        ("list --what method", "'methods'"),
        ("score --dataset patchs", "'patches'"),
        ("run smoke --dataset CIFAR10-JPG", "'cifar10-jpeg'"),
        ("run smoke --methods DARTS", "'darts'"),
        ("run smoke --scale Smoke", "'smoke'"),
        ("run --seeds 1 a", "--seeds takes a whole number, not 'a'"),
        ("run --seeds=1.5", "--seeds takes a whole number, not '1.5'"),
        ("run --seeds 99999999999999999999", "--seeds"),
        ("run --seeds", "--seeds"),
        ("run --workers many nb201", "--workers takes a whole number, not 'many'"),
        ("run --workers", "--workers"),
        ("run --json=maybe", "--json takes true or false"),
        ("run --results=", "--results"),
        ("score --results=", "--results"),
        ("import", "source"),
        ("naslib", "table"),
        ("diff 01aa", "two keys"),
    ],
)
def test_words_that_make_no_sense_name_what_does(words: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert named in _fault(capsys, *words.split())


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("training.epcohs=3", "'epochs'"),
        ("training.EPOCHS=3", "'epochs'"),
        ("training.norm.statistic=batch", "'statistics'"),
        ("training.norm.statistics=runing", "'running'"),
        ("ordr=2", "'order'"),
        ("order=3", "known: 1, 2"),
        ("order=1.0", "order"),
        ("order=true", "order"),
        ("training.epochs=10^400", "training.epochs takes a whole number"),
        ("training.epochs=1.0", "training.epochs takes a whole number"),
        ("training.epochs=true", "training.epochs takes a whole number"),
        ("training.epochs=9223372036854775808", "training.epochs"),
        ("training.epochs=" + 5_000 * "9", "training.epochs"),
        ("training.clip=1e400", "training.clip"),
        ("training.clip=nan", "training.clip"),
        ("training.clip=", "training.clip takes a number"),
        ("training.nesterov=1", "training.nesterov takes true or false"),
        ("training.alpha_betas=0.5", "training.alpha_betas"),
        ("training.alpha_betas=0.5,x", "training.alpha_betas takes a number, not 'x'"),
        ("training=3", "training.FIELD"),
        ("order.x=1", "'order.x'"),
    ],
)
def test_settings_that_make_no_sense_name_what_does(
    setting: str, named: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "smoke", "--methods", "darts", "--set", setting, "--results", str(results)]
    assert named in _fault(capsys, *words)
    assert not results.exists()


@pytest.mark.parametrize("words", ["--version", "run --version", "list runs --version --json"])
def test_the_version_is_that_of_the_package(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    assert capsys.readouterr().out.strip() == metadata.version("supernet-bench")


def test_sources_that_are_not_installed_have_no_version(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert "install" in _fault(capsys, "--version")


@pytest.mark.parametrize("words", ["--help", "-h", *(f"{name} --help" for name in COMMANDS)])
def test_help_is_no_fault(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    captured = capsys.readouterr()
    assert words.split()[0].strip("-") in captured.out
    assert not captured.err


@pytest.mark.parametrize(
    ("program", "words", "named"),
    [
        ("analysis", "--workrs 2", "'--workers'"),
        ("bench.truth.sheet", "--ofical x", "'--official'"),
        ("bench.truth.generate", "--limit 1.5", "--limit takes a whole number"),
    ],
)
def test_the_other_programs_refuse_words_in_one_line_too(program: str, words: str, named: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", program, *words.split()], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 2
    assert named in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_failed_run_makes_the_exit_code_one(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A batch larger than the images: the run says so, the others go on."""
    words = ["--methods", "darts", "snas", "--set", "training.batch=100000"]
    assert _run(results, *words) == 1
    printed = capsys.readouterr().out
    assert printed.count("failed in") == 2
    assert "are fewer than a batch of 100000" in printed


@pytest.mark.parametrize("module", ["bench", "bench.cli.commands"])
def test_entry_points(module: str, tmp_path: Path) -> None:
    code = (
        [sys.executable, "-m", module] if module == "bench" else [str(Path(sys.executable).parent / "supernet-bench")]
    )
    done = subprocess.run([*code, "--help"], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ})
    assert done.returncode == 0
    assert "run" in done.stdout
