"""Runs made again: the spec in a record is that which it was made of; `rerun`, `verify`, and `diff` across folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import kendalltau

import methods
from bench import spaces
from bench.cli import verify
from bench.cli.commands import main
from bench.errors import BadSpec
from bench.runs.again import made, spec_of
from bench.runs.run import Settings, execute
from bench.store.record import Record, Results
from bench.store.spec import described, scale_named, with_settings
from tests import tiny
from tests.test_analysis import made_up_run, some_pairs


@pytest.mark.parametrize("label", methods.variants())
def test_a_method_is_made_again_from_what_its_identity_says(label: str) -> None:
    for space in spaces.SPACES:
        method = methods.get(label, space)
        assert made(json.loads(json.dumps(described(method)))) == method


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Record]:
    """A small real search whose label, settings and scale are not those of any name."""
    results = Results(tmp_path_factory.mktemp("again") / "results")
    method = with_settings(methods.get("rsps"), {"training.epochs": "60", "candidates": "7"})
    scale = scale_named("smoke", {"channels": "3", "train-images": "96", "valid-images": "64", "probe": "6"})
    spec = tiny.spec(method, 5, "toy", scale, "renamed-since")
    return results, execute(spec, Settings(results.root, device="cpu"))


def test_the_spec_is_that_of_the_key(run: tuple[Results, Record]) -> None:
    record = run[1]
    spec = spec_of(record)
    assert (spec.key, spec.label, spec.seed) == (record.key, record.label, 5)
    assert spec.method.training.epochs == 60


def test_a_run_is_made_again_in_a_new_folder(
    run: tuple[Results, Record], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    results, record = run
    words = ["rerun", record.key[:8], "--results", str(results.root), "--device", "cpu"]
    before = results.run_path(record.key).read_bytes()
    assert main(words) == 0
    assert main([*words, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["results"] == str(results.root / "again-2")
    for folder in ("again-1", "again-2"):
        made_again = Results(results.root / folder).find(record.key)
        assert made_again is not None
        assert made_again.essence() == record.essence()
        assert made_again.place["started"] >= record.place["started"]
    assert results.run_path(record.key).read_bytes() == before
    assert main([*words, "--into", str(tmp_path / "named")]) == 0
    assert Results(tmp_path / "named").find(record.key) is not None


@pytest.mark.parametrize("command", ["rerun", "verify"])
def test_no_record_is_replaced_or_taken_for_one_made_again(
    run: tuple[Results, Record], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    results, record = run
    root = str(results.root)
    assert main([command, record.key, "--results", root, "--into", root]) == 2
    error = capsys.readouterr().err
    assert "is there already" in error
    assert error.count("\n") == 1


def test_folders_are_compared(run: tuple[Results, Record], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    results, record = run
    there = Results(tmp_path / "there")
    there.save(replace(record, label="elsewhere"))
    words = ["diff", record.key[:6], "--results", str(results.root), "--with", str(there.root), "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert {field["name"]: [field["a"], field["b"]] for field in told["fields"]} == {
        "label": ["renamed-since", "elsewhere"]
    }
    assert (told["a"]["results"], told["b"]["results"]) == (str(results.root), str(there.root))
    other = made_up_run(there, "darts", 3)
    assert main([*words[:2], other[:6], *words[2:]]) == 0
    assert json.loads(capsys.readouterr().out)["b"]["key"] == other
    assert main(["diff", record.key, other, "--results", str(results.root)]) == 2  # it lies in the other folder alone


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda identity: identity["method"].update(version=99), "version 99"),
        (lambda identity: identity["method"].update(name="rsps.Gone"), "'rsps.Gone'"),
        (lambda identity: identity["method"].update(name="nowhere.Rsps"), "'nowhere.Rsps'"),
        (lambda identity: identity["method"].update(name="os.path.Rsps"), "'os.path.Rsps'"),
        (lambda identity: identity["method"]["config"].update(nonsense=1), "nonsense"),
        (lambda identity: identity["method"]["config"].update(training=3), "cannot be made"),
        (lambda identity: identity["scale"].update(nonsense=1), "nonsense"),
        (lambda identity: identity["scale"].update(name="naslib"), "no search of `run`"),
        (lambda identity: identity.update(estimated={"statistics": "sets"}), "estimated anew"),
        (lambda identity: identity.update(seed=6), "has the key"),
    ],
)
def test_what_this_version_cannot_make_is_one_line(run: tuple[Results, Record], change: Any, words: str) -> None:
    identity = json.loads(json.dumps(run[1].identity))
    change(identity)
    with pytest.raises(BadSpec) as caught:
        spec_of(replace(run[1], identity=identity))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_of_a_package_that_is_not_here_names_it(run: tuple[Results, Record]) -> None:
    identity = json.loads(json.dumps(run[1].identity))
    identity["method"]["name"] = "my_package.annealed.Annealed"
    there = {"my_package": {"distribution": "my-package", "version": "0.7", "code": "c0de"}}
    with pytest.raises(BadSpec, match=r"my_package 0\.7, which is not here"):
        spec_of(replace(run[1], identity=identity, place={**run[1].place, "plug_ins": there}))


@pytest.mark.parametrize(("off", "within"), [(-0.11, True), (-0.13, False), (0.11, True), (0.13, False)])
def test_tau_may_differ_as_that_of_seeds_does(off: float, within: bool, tmp_path: Path) -> None:
    """Against the same truths; made-up runs whose estimates have a known tau with these."""
    at, there = Results(tmp_path / "at"), Results(tmp_path / "there")
    estimates, tests = some_pairs(60, 0)
    now = float(kendalltau(estimates, tests).statistic)
    taus = (now + off, now + off + 0.02, now + off + 0.04)
    keys = [made_up_run(at, "rsps", seed, pairs=(estimates, tests), tau=tau) for seed, tau in enumerate(taus)]
    made_up_run(at, "rsps", 3, config={"another": 1}, pairs=(estimates, tests), tau=0.9)  # of another search
    record = at.find(keys[0])
    assert record is not None
    spread = 4.302653 * 0.02 * 2**0.5  # t(0.975, 2) * sd * sqrt(2)
    path = at.estimates_path(record.key)
    there.estimates_path(record.key).parent.mkdir(parents=True)
    there.estimates_path(record.key).write_bytes(path.read_bytes())
    (told,) = verify.taus(record, at, there)
    assert (told["then"], told["now"]) == pytest.approx((taus[0], now), abs=1e-6)
    assert told["spread"] == pytest.approx(spread)
    assert told["within"] is within
    at.run_path(keys[2]).unlink()
    (told,) = verify.taus(record, at, there)
    assert (told["spread"], told["within"]) == (None, None), "two seeds tell of no spread"
