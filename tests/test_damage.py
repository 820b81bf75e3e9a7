"""One bad file costs itself: it is named with a remedy that works, skipped and counted, and the rest goes on."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import Options, draw_all
from bench.cli.commands import main
from bench.errors import BadRecord
from bench.store import strict
from bench.store.record import Results, read_record
from tests import edited
from tests.edited import edit

METHODS = ("random", "largest", "parameters")  # the last has estimates, and none of them trains
RUN = ["run", "smoke", "--methods", *METHODS]
SCORE = ["score", "--dataset", "patches"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs and their scores."""
    root = tmp_path_factory.mktemp("made") / "results"
    assert main([*RUN, "--results", str(root)]) == 0
    assert main([*SCORE, "--results", str(root)]) == 0
    return root


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Results:
    return Results(Path(shutil.copytree(made, tmp_path / "results")))


def keys(store: Results) -> dict[str, str]:
    return {record.label: record.key for record in Results(store.root).records()}


def do(store: Results, words: list[str]) -> int:
    return main([*words, "--results", str(store.root)])


def remedies(text: str) -> list[str]:
    return re.findall(r"`python -m bench ([^`]*)`", text)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00" * 50),
    "another thing": lambda path: path.write_bytes(b"[1, 2]"),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


MORE = {("a pipe", "run"), ("a folder", "score")}
KINDS = ("run", "score", "estimates", "partial", "truths")
DAMAGED = [
    *(("empty", kind) for kind in KINDS),
    *(
        pytest.param(damage, kind, marks=[] if (damage, kind) in MORE else pytest.mark.slow)
        for damage in list(DAMAGE)[1:]
        for kind in KINDS
    ),
]


@pytest.mark.parametrize(("damage", "kind"), DAMAGED)
def test_a_damaged_file_costs_itself_and_its_remedy_works(
    store: Results, kind: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are scored and drawn; the command that the message names mends it."""
    known = keys(store)
    key = known["parameters"]
    path = {
        "run": store.run_path(key),
        "score": store.score_path(key, "patches-v1"),
        "estimates": store.estimates_path(key),
        "partial": store.partial_path(key),
        "truths": store.truths_path("patches-v1", "patches"),
    }[kind]
    if kind == "partial":
        store.run_path(key).unlink()
        path.write_bytes(b"some")
    DAMAGE[damage](path)
    capsys.readouterr()
    codes = [do(store, RUN), do(store, SCORE)]
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    assert {record.label for record in store.records()} >= {"random", "largest"}
    assert len(list((store.root / "scores").glob("*.json"))) >= 2
    if kind == "score" and damage != "a folder":  # written anew, as a score is free
        assert codes == [0, 0]
        return
    assert 1 in codes
    assert str(path) in said
    (remedy, *_) = [words for words in remedies(said) if words.startswith("aside")]
    assert main(shlex.split(remedy)) == 0
    assert do(store, RUN) == 0
    assert do(store, SCORE) == 0
    assert keys(store) == known
    moved = list((store.root / "aside").rglob(path.name))
    assert len(moved) == 1, "nothing is deleted"


def test_estimates_that_are_gone_have_a_remedy_that_works(store: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """`rm estimates/K.parquet; score` advised what could not work."""
    key = keys(store)["parameters"]
    store.estimates_path(key).unlink()
    assert do(store, [*SCORE, "--again"]) == 1
    said = "".join(capsys.readouterr())
    assert "2 runs scored by patches-v1" in said
    (remedy,) = {words for words in remedies(said) if words.startswith("aside")}
    assert main(shlex.split(remedy)) == 0
    assert not store.run_path(key).exists()
    assert do(store, RUN) == 0
    assert do(store, SCORE) == 0


def test_hidden_and_foreign_files_are_no_records(store: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """Hidden files are passed over, others that look like ours are named."""
    path = store.run_path(keys(store)["random"])
    for folder in ("runs", "scores"):
        (store.root / folder / ".hidden.json").write_text("{")
        (store.root / folder / "notes.txt").write_text("mine")
    assert do(store, ["list"]) == 0
    assert do(store, SCORE) == 0
    copy = path.with_name(f"{path.stem} (1).json")
    shutil.copy(path, copy)
    capsys.readouterr()
    assert do(store, ["list", "--json"]) == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 3
    (remedy,) = remedies(err)
    assert main(shlex.split(remedy)) == 0
    assert not copy.exists()
    assert path.exists(), "what belongs to the original stays"
    assert do(store, ["list"]) == 0


def test_an_edited_record_is_refused_with_its_seal_and_without(store: Results) -> None:
    """A genotype, and a second status."""
    path = store.run_path(keys(store)["largest"])
    text = path.read_text()
    edit(path, lambda record: record.update(genotype=[0] * 6))
    with pytest.raises(BadRecord, match="not what it was sealed with"):
        read_record(path)
    edit(path, lambda record: None, "without")
    with pytest.raises(BadRecord, match=r"its choice \[0, 0, 0, 0, 0, 0\] is \|none~0\|"):
        read_record(path)
    path.write_text(text.replace('"status": "done"', '"status": "done", "status": "diverged"'))
    with pytest.raises(BadRecord, match="the key 'status' stands twice"):
        read_record(path)


LIES: dict[str, dict[str, Any]] = {
    "another label": {"label": "darts"},
    "seed 99": {"seed": 99},
    "tau 7": {"tau": 7.0},
    "regret -50": {"regret_test": -50.0},
    "a share among percents": {"test": 0.91},
    "too many finalists": {"n_candidates": 9},
    "a rank beyond all": {"rank": 99_999},
    "another status": {"status": "diverged"},
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("seal", [pytest.param("without", marks=pytest.mark.slow), "anew"])
def test_a_score_is_held_against_its_record_and_what_can_be(
    store: Results, lie: str, seal: edited.Seal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that their record, the best there is or arithmetic contradicts."""
    key = keys(store)["largest"]
    path = store.score_path(key, "patches-v1")
    edit(path, lambda row: row.update(LIES[lie]), seal)
    records = {record.key: record for record in store.records()}
    assert key not in {score.key for score in store.judged(records)}
    assert list(store.damaged) == [path]
    (remedy,) = remedies(store.damaged[path])
    assert main(shlex.split(remedy)) == 0
    again = Results(store.root)
    assert key in {score.key for score in again.judged(records)}
    assert not again.damaged


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "null cost": lambda r: r.update(cost=None),
    "genotype 99": lambda r: r.update(genotype=99),
    "genotype of text": lambda r: r.update(genotype=["0"] * 6),
    "genotype of truths": lambda r: r.update(genotype=[True] * 6),
    "genotype too short": lambda r: r.update(genotype=[0]),
    "operation 99": lambda r: r.update(genotype=[99] * 6),
    "trace of numbers": lambda r: r.update(trace=[1]),
    "a candidate without an estimate": lambda r: r["candidates"][0].pop("estimate"),
    "place of text": lambda r: r.update(place="here"),
    "no code": lambda r: r["place"].pop("code"),
    "phases of text": lambda r: r["cost"].update(phases="none"),
    "seconds below 0": lambda r: r["cost"].update(wall_s=-1),
    "images that do not add up": lambda r: r["cost"].update(forward_images=10**6),
    "a tree of text": lambda r: r.update(details={"tree": "oak"}),
    "rounds of numbers": lambda r: r.update(details={"rounds": [1]}),
    "estimates elsewhere": lambda r: r.update(estimates={"file": "../x", "blake2b": "0", "probe": 1, "images": 1}),
    "label of markup": lambda r: r.update(label="![x](http://x)"),
    "message of lists": lambda r: r.update(message=[]),
    "schema of text": lambda r: r.update(schema="1"),
    "done without a choice": lambda r: r.update(genotype=None, architecture=None),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("seal", ["without", pytest.param("anew", marks=pytest.mark.slow)])
def test_wrong_kinds_are_one_line(
    store: Results, wrong: str, seal: edited.Seal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Well-formed JSON of wrong kinds, in a file that has no seal, or one made for it."""
    path = store.run_path(keys(store)["random"])
    edit(path, WRONG[wrong], seal)
    if seal == "anew" and wrong in ("genotype too short", "operation 99"):
        return  # sealed so by whoever meant it: what a seal vouches for is not held against the space once more
    capsys.readouterr()
    for words in (["list"], ["show", path.stem], SCORE):
        assert do(store, words) in (1, 2)
    said = "".join(capsys.readouterr())
    assert "Traceback" not in said
    assert str(path) in said


TEXTS = {
    "NaN": ('{"a": NaN}', "NaN is not a finite number"),
    "infinity": ('{"a": -Infinity}', "not a finite number"),
    "too large for a float": ('{"a": 1e400}', "1e400 is not a finite number"),
    "beyond int64": ('{"a": 9223372036854775808}', "has more than 64 bits"),
    "10^40": (f'{{"a": 1{"0" * 40}}}', "has more than 64 bits"),
    "deep lists": ("[" * 100_000 + "]" * 100_000, "nested more than 60 deep"),
    "quite deep objects": ('{"a":' * 70 + "1" + "}" * 70, "nested more than 60 deep"),
    "twice": ('{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice"),
    "no UTF-8": (b'{"a": "\xff"}', "no UTF-8 text, from byte 7"),
    "a tail": ('{"a": 1} x', "Extra data"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_json_is_read_strictly(text: str) -> None:
    content, message = TEXTS[text]
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        strict.parsed(content)
    assert "\n" not in str(caught.value)
    assert strict.parsed('{"a": [-9223372036854775808, 1.5e300, "\\u00e9"]}')["a"][0] == -(2**63)


def test_old_records_stay_readable_are_marked_and_can_be_sealed(
    store: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    known = keys(store)
    for key in known.values():
        edit(store.run_path(key), lambda record: None, "without")
    edit(store.run_path(known["largest"]), lambda record: record.update(architecture="|none~0|"), "without")
    capsys.readouterr()
    assert do(store, ["list", "--json"]) == 1
    assert {row["seal"] for row in json.loads(capsys.readouterr().out)} == {"without"}
    store.estimates_path(known["parameters"]).write_bytes(store.truths_path("patches-v1", "patches").read_bytes())
    assert do(store, ["seal"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("1 record sealed")
    assert str(store.run_path(known["largest"])) in err
    assert str(store.estimates_path(known["parameters"])) in err
    assert [read_record(store.run_path(known[label])).sealed for label in ("random", "parameters")] == [True, False]


@pytest.mark.slow
def test_analysis_draws_the_rest(store: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """Of `analysis`: hints name the folder that it was told."""
    known = keys(store)
    store.run_path(known["largest"]).write_bytes(b"")
    assert draw_all(Options(store.root, partial=True)) == 1
    said = capsys.readouterr()
    assert said.err.count("skipped: ") == 1
    assert "Random" in said.out
    hints = [words for words in remedies(said.err) if not words.startswith("aside")]
    assert hints
    assert all(f"--results {store.root}" in words for words in hints)
    assert (store.root / "report.html").exists()
