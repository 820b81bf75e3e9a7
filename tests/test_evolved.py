"""Evolution over estimates that runs left: perfect estimates do as the truth does, reversed ones find the worst; small
probes are left out, files are checked, and the figure shows what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import methods
from analysis.figures import evolution
from analysis.load import load
from bench.cli.commands import main
from bench.errors import BadRecord
from bench.runs import probe
from bench.runs.run import Settings, execute
from bench.scoring.score import score
from bench.spaces.toy import SPACE
from bench.store import evolved
from bench.store.evolved import Evolved
from bench.store.record import Record, Results
from bench.truth.tabular import TableTruth
from tests import contract, tiny
from tests.soak.flips import an_evolution
from tests.test_score import small_table

TRUTH = 40.5 + 2 * np.arange(27.0)
"""Test accuracy of the rows of the toy space, mean of two seeds."""
Estimates = NDArray[np.float64]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A run without estimates, which tests give it."""
    folder = tmp_path_factory.mktemp("run")
    spec = tiny.spec(contract.smaller(methods.get("rsps", "toy")), scale=replace(contract.SCALE, probe=1), label="rsps")
    return execute(spec, Settings(folder, device="cpu"))


@pytest.fixture
def scored(record: Record, tmp_path: Path) -> Callable[..., Results]:
    """Results of a run that estimated some architectures so, [0, 1], scored by the made-up table."""

    def make(estimates: Estimates, genotypes: int = 27) -> Results:
        results = Results(tmp_path / "results")
        keys = probe.keys_of(SPACE, list(SPACE.population)[:genotypes])
        found = (keys, np.stack([estimates, np.ones(genotypes)], axis=1))
        path = results.estimates_path(record.key)
        path.parent.mkdir(parents=True)
        path.write_bytes(probe.to_bytes(found))
        own = replace(record, estimates=probe.note(path, probe.read(path), 16))
        results.save(own)
        score(own, TableTruth(small_table()), results)
        return results

    return make


def bred(results: Results, *options: str) -> Evolved:
    """What the command leaves for the only run."""
    assert main(["evolve", "--results", str(results.root), "--repeats", "3", *options]) == 0
    (path,) = (results.root / "evolved").iterdir()
    return evolved.read(path)


def test_perfect_estimates_do_as_the_truth_does(scored: Callable[..., Results]) -> None:
    """Both are told the same order from the same start; by the last sample most of 27 architectures are not known."""
    found = bred(scored(TRUTH / 100))
    assert found.samples == (1, 2, 3, 5, 8)
    assert found.by_estimates == found.by_truth
    assert list(found.by_truth) == sorted(found.by_truth)
    assert (found.architectures, found.share, found.repeats) == (27, 1.0, 3)
    assert found.at_random[0] == pytest.approx(TRUTH.mean())
    pairs = [max(a, b) for k, a in enumerate(TRUTH) for b in TRUTH[k + 1 :]]
    assert found.at_random[1] == pytest.approx(np.mean(pairs))


def test_reversed_estimates_choose_ever_worse(scored: Callable[..., Results]) -> None:
    found = bred(scored(1 - TRUTH / 100))
    assert list(found.by_estimates) == sorted(found.by_estimates, reverse=True)
    assert found.by_estimates[0] == found.by_truth[0]
    assert found.by_estimates[-1] < TRUTH.mean() < found.by_truth[-1]


def test_evolution_stays_among_what_was_estimated(scored: Callable[..., Results]) -> None:
    """Of the first 15 architectures the best has 68.5."""
    found = bred(scored(TRUTH[:15] / 100, 15))
    assert (found.architectures, found.share) == (15, pytest.approx(15 / 27))
    assert max(found.by_truth) <= 68.5


def test_what_exists_is_not_made_again(
    scored: Callable[..., Results], record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    results = scored(TRUTH / 100)
    first = bred(results)
    path = evolved.path_of(results, record.key, first.truth, first.target)
    before = path.stat().st_mtime_ns
    assert bred(results) == first
    assert path.stat().st_mtime_ns == before
    assert "1 were there" in capsys.readouterr().out
    other = bred(results, "--samples", "5")
    assert other.samples == (1, 2, 3, 5)


def test_small_probes_and_other_methods_are_left_out(
    scored: Callable[..., Results], capsys: pytest.CaptureFixture[str]
) -> None:
    results = scored(TRUTH[:10] / 100, 10)
    assert main(["evolve", "--results", str(results.root)]) == 2
    assert "1 score of smaller ones" in capsys.readouterr().err
    assert main(["evolve", "--results", str(results.root), "--methods", "hep"]) == 2
    assert main(["evolve", "--results", str(results.root), "--samples", "0"]) == 2


@pytest.mark.parametrize(
    "change", [{"samples": [1, 1, 2]}, {"by_truth": [50.0, 70.5]}, {"share": 0.5}, {"by_truth": [50.0, 70.5, 171.25]}]
)
def test_what_was_edited_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    path = evolved.save(Results(tmp_path), an_evolution())
    assert evolved.read(path) == an_evolution()
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadRecord, match="can be trusted") as caught:
        evolved.read(path)
    assert "\n" not in str(caught.value)


def test_the_figure_shows_what_the_files_say(scored: Callable[..., Results]) -> None:
    results = scored(TRUTH / 100)
    frame = load(results).frame
    nothing = evolution.draw(frame, results)
    assert nothing.paths == ()
    assert "evolve" in nothing.missing[0]
    found = bred(results)
    data = evolution.prepare(evolution.of_runs(frame, results))
    for kind, curve in (("estimates", found.by_estimates), ("truth", found.by_truth), ("random", found.at_random)):
        assert data.loc[data["kind"] == kind, "test"].tolist() == pytest.approx(list(curve))
    assert {path.suffix for path in evolution.draw(frame, results).paths} == {".pdf", ".png", ".csv", ".md"}


def test_curves_of_another_truth_are_not_drawn(scored: Callable[..., Results]) -> None:
    results = scored(TRUTH / 100)
    frame = load(results).frame
    bred(results)
    assert evolution.of_runs(frame.assign(truth_checksum="other"), results) == {}
