"""A search over searches: the grammar that it draws from, the half that it sees, who survives, and going on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau

import methods
from bench import spaces
from bench.cli.commands import main
from bench.errors import BadSpec
from bench.runs import grammar, probe
from bench.runs.run import Settings, execute
from bench.runs.study import STUDIES
from bench.scoring import halves, sizes
from bench.scoring.halving import Mark, best, halved, mark, ordered, rungs
from bench.spaces.space import Genotype
from bench.spaces.toy import SPACE as TOY
from bench.store.labels import parsed
from bench.store.record import Results
from bench.store.spec import check_choices, scale_named, with_settings
from bench.truth.tabular import TableTruth
from methods.budget import counted
from methods.composed import Composed
from tests import contract, tiny
from tests.test_score import small_table

pytestmark = pytest.mark.usefixtures("images_once")

SCALE = scale_named("decisive", {"least_steps": "10", "probe": "600"})


def test_draws_are_searches_that_can_be_run_and_come_again() -> None:
    labels = grammar.draws(40)
    assert len(set(labels)) == 40
    assert labels == grammar.draws(40)
    assert labels[:7] == grammar.draws(7)
    assert labels != grammar.draws(40, seed=1)
    for label in labels:
        name, settings = parsed(label)
        method = with_settings(methods.get(name), settings)
        check_choices(method)
        assert isinstance(method, Composed)
        assert grammar.label({k: v for k, v in settings.items() if k not in grammar.FIXED}) == label


def test_every_search_of_the_grammar_has_one_name_and_its_words_are_the_methods() -> None:
    searches = list(grammar.every())
    every = {grammar.label(settings) for settings in searches}
    assert len(every) == len(searches)
    assert set(grammar.draws(50)) <= every
    used = {(field, word) for settings in searches for field, word in settings.items()}
    assert used == {(field, word) for field, words in grammar.WORDS.items() for word in words}


@pytest.mark.parametrize("space", ["nb201", "macro"])
def test_all_draws_of_the_study_cost_the_same_images(space: str) -> None:
    """On paper, to a tenth; those of cuts by the loop's own count, those of one supernet by hand."""
    study = STUDIES["own-search"]
    task = tiny.task(spaces.get(space), scale=scale_named(study.scale, dict(study.resized)))
    budget = 200 * task.scale.epochs * len(task.images.train)
    for label in study.methods:
        name, settings = parsed(label)
        method = with_settings(methods.get(name, space), settings)
        alone = method.alone(task)
        if alone is None:
            search, plan = method.planned(task)
            images = counted(search, task, plan).total
        else:
            epochs = alone.training.epochs * task.scale.epochs
            images = epochs * len(task.images.train) * alone.passes(task.space)
            images += alone.choices * len(task.images.valid)
        assert images == pytest.approx(budget, rel=0.11), label


@pytest.mark.slow
@pytest.mark.parametrize("space", ["nb201", "macro"])
def test_all_draws_of_the_study_search(space: str, results: Path) -> None:
    """At the smallest scale, where phases are whole epochs: each part works with the parts that it is drawn with."""
    for label in STUDIES["own-search"].methods:
        name, settings = parsed(label)
        method = with_settings(methods.get(name, space), {**settings, "protocol": "paper", "batch": "16"})
        scale = replace(contract.SCALE, channels=4)  # in four parts, for PC-DARTS
        spec = tiny.spec(replace(method, candidates=2), 0, space, scale, label)
        record = execute(spec, Settings(results, device="cpu"), debug=True)
        assert record.status == "done", label
        assert record.estimates is not None
        assert np.isfinite(probe.of_record(spec.key, record.estimates, Results(results))[1]).all(), label


def test_shares_are_those_of_the_budget() -> None:
    """Half before the cut, a quarter among five children, the rest after it for all of them."""
    task = tiny.task(spaces.get("nb201"), scale=SCALE)
    method = Composed(before=0.5, among=0.25, teaching="both", budget=100, protocol="fair")
    plan = method.shares(method.loop(), task)
    whole = 100 / 2 * task.scale.epochs
    assert plan.levels == (pytest.approx(whole / 2),)
    assert plan.tuning == plan.final == pytest.approx(whole / 4 / 5)
    kept = replace(method, keep="best", cuts=2, edges="largest-cut", grouping="matching")
    plan = kept.shares(kept.loop(), task)
    assert plan.levels == (pytest.approx(whole / 4),) * 2
    assert (plan.tuning, plan.final) == (pytest.approx(whole / 4 / 4), pytest.approx(whole / 4))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Composed(before=0.75, among=0.5), "more than the whole"),
        (Composed(base="rsps", opinion="alpha"), "gives no alpha"),
        (Composed(grouping="exhaustive", edges="largest-cut"), "measures no distance"),
        (Composed(keep="best"), "tuning must be 1 or more"),
        (Composed(protocol="fair", candidates=500), "do not buy this search"),
        (Composed(protocol="fair", edges="none", candidates=500), "not met by whole epochs of rsps"),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_a_line(method: Composed, message: str) -> None:
    with pytest.raises(BadSpec, match=message):
        method.foreseen(tiny.task(spaces.get("nb201"), scale=SCALE))


@pytest.mark.parametrize("space", ["nb201", "macro"])
def test_no_class_is_in_both_halves(space: str) -> None:
    known = spaces.get(space)
    keys = sizes.keys(space)
    first = halves.seen(space, keys)
    assert 0.45 < first.mean() < 0.55
    rows = np.random.default_rng(0).choice(len(keys), 300, replace=False)
    classes = [known.trained_class(known.population.at(int(row))) for row in rows]
    half = {name: first[row] for name, row in zip(classes, rows, strict=True)}
    assert [half[name] for name in classes] == first[rows].tolist()
    numbers = sizes.facts(space)["cell_class"]
    assert (halves.unseen(space, numbers) == ~first).all()
    assert (halves.seen(space, keys[rows]) == first[rows]).all()


def test_half_as_many_from_twice_as_many_seeds() -> None:
    assert [(rung.searches, rung.seeds) for rung in rungs(32, 8)] == [(32, 1), (16, 2), (8, 4), (4, 8)]
    assert [(rung.searches, rung.seeds) for rung in rungs(5, 100)] == [(5, 1), (3, 2), (2, 4)]
    for searches, seeds in ((1, 4), (4, 0)):
        with pytest.raises(BadSpec, match="halving takes 2 searches"):
            list(rungs(searches, seeds))


def test_who_survives_by_a_table_made_by_hand() -> None:
    """Eight searches on four seeds: the best by one seed is not the best by two, and what diverges goes first."""
    table = {
        "a": (0.9, 0.1, 0.0, 0.0),
        "b": (0.5, 0.6, 0.6, 0.4),
        "c": (0.4, 0.6, 0.5, 0.6),
        "d": (0.3, 0.9, 0.9, 0.9),
        "e": (0.3, 0.9, 0.9, 0.9),  # equal to d, which comes first
        "f": (0.2, 0.9, 0.9, 0.9),
        "g": (math.nan, 0.9, 0.9, 0.9),
        "h": (0.1, 0.9, 0.9, 0.9),
    }
    asked: list[tuple[str, int]] = []

    def marked(labels: Sequence[str], seeds: Sequence[int]) -> Mapping[str, Sequence[Mark]]:
        asked.extend((label, seed) for seed in seeds for label in labels)
        return {label: [Mark(table[label][seed], 1.0) for seed in seeds] for label in labels}

    found = list(halved("abcdefgh", range(4), marked))
    assert [list(marks) for _, marks in found] == [list("abcdefhg"), list("dbac"), list("db")]
    assert asked == [(label, 0) for label in "abcdefgh"] + [(label, 1) for label in "abcd"] + [
        (label, seed) for seed in (2, 3) for label in "db"
    ]
    assert [len(each) for each in found[-1][1].values()] == [4, 4]


def test_in_the_end_regret_counts_too() -> None:
    """A point of regret is worth 0.1 of tau."""
    marks = {"ranks": [Mark(0.5, 3.0), Mark(0.5, 1.0)], "chooses": [Mark(0.4, 0.5), Mark(0.42, 0.3)]}
    assert ordered(marks) == ["ranks", "chooses"]
    assert best(marks) == "chooses"
    assert best({**marks, "fails": [Mark(math.nan, math.nan)]}) == "chooses"
    with pytest.raises(BadSpec, match="none of these searches estimates"):
        best({"fails": [Mark(math.nan, math.nan)]})


class Guarded(TableTruth):
    """A truth that must not be asked for the second half, nor as a whole."""

    def scores(self, genotypes: Sequence[Genotype], dataset: str) -> NDArray[np.float64]:
        keys = probe.keys_of(self.space, genotypes)
        assert halves.seen(self.space.name, keys).all(), "the second half is looked at"
        return TableTruth(small_table()).scores(genotypes, dataset)

    def reference(self, dataset: str) -> object:  # type: ignore[override]
        raise AssertionError("the truth of all is looked at")


HALVE = ["halve", "smoke", "--space", "toy", "--scale", "smoke", "--scale.probe", "0", "--seeds", "0", "1"]
SEARCHES = ["rsps(candidates=2, training.epochs=50)", "snas(training.epochs=50)", "parameters", "largest"]


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Guarded:
    truth = Guarded(small_table())
    monkeypatch.setattr("bench.truth.open_truth", lambda name, space: truth)
    return truth


@pytest.mark.usefixtures("guarded")
def test_searches_are_halved_from_the_command_line_and_gone_on_with(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every number of the file follows from the records; a second time nothing is made; the half that is not seen is
    not asked for."""
    command = [*HALVE, "--methods", *SEARCHES, "--results", str(results)]
    assert main(command) == 0
    rows = pd.read_csv(results / "halving.csv")
    assert rows.groupby("rung")["label"].nunique().tolist() == [4, 2]
    assert rows.groupby("rung").size().tolist() == [4, 4]
    records = {record.key: record for record in Results(results).records()}
    assert set(rows["key"]) == set(records)
    first = halves.seen("toy", sizes.keys("toy"))
    true = 40.5 + 2 * np.arange(27)[first]
    for row in rows.itertuples():
        if row.label in ("parameters", "largest"):  # they know no cross-entropy
            assert math.isnan(row.tau)
            continue
        _, values = probe.read(Results(results).estimates_path(row.key))
        estimate = -values[first, 1]
        assert row.tau == pytest.approx(kendalltau(estimate, true).statistic)
        assert row.regret == pytest.approx(true.max() - true[estimate == estimate.max()].mean())  # of equals any
    last = rows[rows["rung"] == 2].groupby("label")[["tau", "regret"]].mean()
    winner = json.loads((results / "winner.json").read_text())
    assert winner["truth"].startswith("made-up (")
    assert winner["label"] == (last["tau"] - last["regret"] / 10).idxmax()
    assert winner["tau"] == pytest.approx(last["tau"][winner["label"]])
    monkeypatch.setattr("bench.runs.run.execute", lambda *_, **__: pytest.fail("a run is made again"))
    before = (results / "halving.csv").read_bytes(), (results / "winner.json").read_bytes()
    assert main(command) == 0
    assert ((results / "halving.csv").read_bytes(), (results / "winner.json").read_bytes()) == before


@pytest.mark.usefixtures("guarded")
def test_halving_goes_on_after_a_run_that_could_not_be_made(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*HALVE, "--methods", *SEARCHES[:2], "--results", str(results)]
    assert main([*command, "--time-limit", "0.001"]) == 2
    assert "could not be made; run the same command again to go on" in capsys.readouterr().err
    assert not (results / "winner.json").exists()
    assert main(command) == 0
    assert pd.read_csv(results / "halving.csv")["rung"].tolist() == [1, 1]  # of two searches one is left


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "largest"], "halving takes 2 searches"),
        (["--methods", *SEARCHES, "--dataset", "cifar10"], "knows no accuracies on cifar10 but patches"),
        (["--methods", *SEARCHES, "--shard", "1/2"], "takes no --shard"),
        (["--methods", "largest", "parameters"], "none of these searches estimates"),
    ],
)
def test_what_cannot_be_halved_is_refused_in_a_line(
    words: list[str], message: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*HALVE, *words, "--results", str(results)]) == 2
    assert message in capsys.readouterr().err


def test_the_mark_of_a_run_without_estimates_is_none(results: Path) -> None:
    assert main(["run", "smoke", "--methods", "random", "--space", "toy", "--results", str(results)]) == 0
    (record,) = Results(results).records()
    assert math.isnan(mark(record, Guarded(small_table()), Results(results)).tau)
    assert TOY.name == record.identity["space"]
