"""The transfer table on made-up runs: choices on every data set, and how far truths agree, against numbers by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import kendalltau

from analysis import load as loading
from analysis.load import load
from analysis.tables import transfer
from bench.store.record import Results, read_scores
from tests.test_analysis import cells, extend_truths, made_up_run

HERE, THERE = "cifar10", "imagenet16-120"
HERES = [91.0, 90.0, 93.0, 88.0, 92.0, 80.0]
THERES = [41.0, 42.0, 44.0, 39.0, 46.0, 20.0]
"""True accuracies of the same six architectures on both data sets."""
BEATEN = {HERE: 0.9, THERE: 0.6}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def searched(results: Results, label: str, seed: int, accuracies: dict[str, float], dataset: str = HERE) -> None:
    """A run whose choice has these accuracies."""
    estimates = [0.1 * row for row in range(6)]
    key = made_up_run(results, label, seed, dataset=dataset, targets=(HERE,), pairs=(estimates, HERES))
    (score,) = read_scores(results.score_path(key, "table"))
    scores = [
        replace(
            score,
            target=target,
            test=test,
            pairs=results.truths_path("table", target).name,
            panel={**score.panel, "beaten": BEATEN[target]},
        )
        for target, test in accuracies.items()
    ]
    results.save_scores(key, "table", scores)
    if THERE in accuracies:
        extend_truths(results.truths_path("table", THERE), THERES, "c0ffee")


def test_choices_stand_on_every_data_set_and_the_searched_one_is_marked(results: Results) -> None:
    for seed, (here, there) in enumerate(((90.0, 40.0), (92.0, 44.0))):
        searched(results, "darts", seed, {HERE: here, THERE: there}, dataset="cifar10-jpeg")
    searched(results, "rsps", 0, {HERE: 85.0, THERE: 30.0}, dataset="cifar10-jpeg")
    ((setting, rows),) = loading.settings(load(results).frame, by_target=False)
    choices = cells(transfer.sheet(setting, rows, results).grids[0])
    assert choices["DARTS"]["cifar10, searched (%)"] == "91.00 ± 1.41"
    assert choices["DARTS"]["imagenet16-120 (%)"] == "42.00 ± 2.83"
    assert choices["DARTS"]["imagenet16-120: better than (%)"] == "60.0"
    assert choices["RSPS"]["cifar10: better than (%)"] == "90.0"
    drawn = transfer.draw(load(results).frame, results)
    assert sorted(path.suffix for path in drawn.paths) == [".csv", ".md", ".tex"]


def test_truths_agree_as_far_as_their_orders_do(results: Results) -> None:
    searched(results, "darts", 0, {HERE: 90.0, THERE: 40.0})
    ((setting, rows),) = loading.settings(load(results).frame, by_target=False)
    sheet = transfer.sheet(setting, rows, results)
    (there,) = [row for row in sheet.data.to_dict("records") if row.get("to") == THERE]
    assert there["architectures"] == 6
    assert there["tau"] == pytest.approx(kendalltau(HERES, THERES).statistic)
    assert there["best_there_here"] == 44.0
    assert there["best_beaten"] == pytest.approx((4 + 0.5) / 6)  # of six one is better and one is itself
    (back,) = [row for row in sheet.data.to_dict("records") if row.get("to") == HERE]
    assert (back["target"], back["best_there_here"]) == (THERE, 92.0)


def test_truths_of_another_table_are_not_compared(results: Results) -> None:
    searched(results, "darts", 0, {HERE: 90.0, THERE: 40.0})
    path = results.truths_path("table", THERE)
    path.unlink()
    extend_truths(path, THERES, "other")
    ((setting, rows),) = loading.settings(load(results).frame, by_target=False)
    assert len(transfer.sheet(setting, rows, results).grids) == 1


def test_what_was_searched_alone_makes_no_table(results: Results) -> None:
    searched(results, "darts", 0, {HERE: 90.0})
    assert transfer.draw(load(results).frame, results).paths == ()
