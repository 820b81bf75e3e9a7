"""Scoring: every number of a row against a hand count on a made-up table of the toy space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import kendalltau, spearmanr

from analysis.pairs import joined, sides
from bench.errors import BadRecord
from bench.runs import probe
from bench.runs.run import Settings, execute
from bench.scoring.panel import DEFINITIONS
from bench.scoring.score import named_by, score, scored
from bench.search.learner import Training
from bench.spaces.toy import SPACE as TOY
from bench.store.record import Candidate, Record, Results, Score, read_scores
from bench.truth.column import Column
from bench.truth.table import Header, Table
from bench.truth.tabular import TableTruth
from methods.baselines import RandomArchitecture
from methods.rsps import Rsps
from tests import tiny


def small_table(complete: bool = True) -> Table:
    """The toy space with two seeds: valid 50 + row, test 40 + 2 row (seed 0) or 1 more (seed 1)."""
    rows = np.arange(27, dtype=np.float64)
    test = np.where(complete | (rows < 20), 40 + 2 * rows, np.nan)
    columns = {
        Column("accuracy", "patches", "valid", 1, "0"): np.where(np.isnan(test), np.nan, 50 + rows),
        Column("accuracy", "patches", "valid", 1, "1"): np.where(np.isnan(test), np.nan, 50 + rows),
        Column("accuracy", "patches", "test", 1, "0"): test,
        Column("accuracy", "patches", "test", 1, "1"): test + 1,
    }
    header = Header("made-up", "1", "toy", "a table for tests", "tests", complete)
    return Table(header, columns)


def pairs_of(row: Score, results: Path) -> pd.DataFrame:
    return joined(sides(Results(results), row.key, row.truth, row.target, row.truth_checksum))


def _record(results: Path) -> Record:
    method = Rsps(Training(batch=32, epochs=50), candidates=3)
    return execute(tiny.spec(method, scale=replace(tiny.SCALE, probe=0)), Settings(results, device="cpu"))


def test_a_row_against_a_hand_count(results: Path) -> None:
    record = _record(results)
    assert record.genotype is not None
    others = tuple(Candidate(TOY.population.at(row), 0.1) for row in (26, 3))
    record = replace(record, candidates=(*record.candidates, *others))
    (row,) = score(record, TableTruth(small_table()), Results(results))
    at = TOY.population.row(record.genotype)
    assert row.target == "patches"
    assert row.test == pytest.approx(40.5 + 2 * at)
    assert row.valid == pytest.approx(50 + at)
    assert row.regret_test == pytest.approx(92.5 - (40.5 + 2 * at))
    assert row.regret_valid == pytest.approx(26 - at)
    assert row.rank == 27 - at
    assert (row.ranked, row.n_candidates, row.n_candidates_known) == (27, 3, 3)
    assert row.test_best_candidate == pytest.approx(92.5)
    assert row.ceiling == pytest.approx(1.0)
    estimates = pq.read_table(Results(results).estimates_path(record.key))
    guess = estimates["accuracy"].to_numpy()
    assert row.probe_n == 27
    assert row.coverage == 1
    assert row.tau == pytest.approx(kendalltau(guess, np.arange(27)).statistic)
    assert row.spearman == pytest.approx(spearmanr(guess, np.arange(27)).statistic)
    pairs = pairs_of(row, results)
    np.testing.assert_allclose(pairs["test"], 40.5 + 2 * np.arange(27))
    np.testing.assert_array_equal(pairs["estimate"], guess)
    assert read_scores(Results(results).score_path(record.key, "made-up")) == [row]
    assert row.curve[-1]["test"] == row.test


def test_the_panel_against_scipy_and_hand_counts(results: Path) -> None:
    record = _record(results)
    others = tuple(Candidate(TOY.population.at(row), 0.1) for row in (26, 3))
    (row,) = score(replace(record, candidates=others), TableTruth(small_table()), Results(results))
    assert set(row.panel) == set(DEFINITIONS)
    guess = pq.read_table(Results(results).estimates_path(record.key))["accuracy"].to_numpy().astype(float)
    truth = 40.5 + 2 * np.arange(27)
    assert row.panel["tau_top50"] == pytest.approx(kendalltau(guess[13:], truth[13:]).statistic)  # 14 of 27
    assert row.panel["spearman_top20"] == pytest.approx(spearmanr(guess[22:], truth[22:]).statistic)  # 5 of 27
    assert row.panel["sparse_tau_1"] == pytest.approx(kendalltau(guess, np.rint(truth)).statistic)
    assert row.panel["ties"] == pytest.approx(np.mean([(guess == g).sum() > 1 for g in guess]))
    nats = pq.read_table(Results(results).estimates_path(record.key))["cross_entropy"].to_numpy().astype(float)
    assert row.panel["tau_cross_entropy"] == pytest.approx(-kendalltau(nats, truth).statistic)
    groups = list(TOY.classes(TOY.trained_class).values())
    means = [[np.mean([v[TOY.population.row(g)] for g in group]) for group in groups] for v in (guess, truth)]
    assert row.panel["tau_unique"] == pytest.approx(kendalltau(*means).statistic)
    assert row.panel["random_mean"] == pytest.approx(66.5)
    assert row.panel["random_median"] == pytest.approx(66.5)  # cell 13 of 0 to 26
    assert row.panel["optimum"] == pytest.approx(92.5)
    assert row.test is not None
    assert row.panel["relative_improvement"] == pytest.approx(100 * (row.test / 66.5 - 1))
    assert row.panel["range_used"] == pytest.approx((row.test - 66.5) / 26)
    assert row.panel["random_best_of_2"] == row.panel["random_best_of_finalists"]
    assert row.panel["random_best_of_64"] is None  # of 27
    assert row.panel["tau_top0.2"] is None  # one cell has no order
    assert row.estimates_measured is True
    assert row.candidates == (
        {"genotype": list(TOY.population.at(26)), "estimate": 0.1, "valid": 76.0, "test": 92.5, "rank": 1},
        {"genotype": list(TOY.population.at(3)), "estimate": 0.1, "valid": 53.0, "test": 46.5, "rank": 24},
    )
    assert row.visited == ()


SAMPLED = {1: 0.2, 4: 0.5, 11: np.nan, 13: 0.4, 14: 0.3, 18: 0.1, 19: 0.5, 22: 0.9, 24: 0.8}
"""Estimates by position: one is missing, the best two of those with a truth tie, and 22 and 24 have no truth."""


def _sampled(results: Path) -> Record:
    """A record that chose cell 4, whose estimates of a probe of nine cells are `SAMPLED`."""
    spec = tiny.spec(RandomArchitecture(), scale=replace(tiny.SCALE, probe=len(SAMPLED)))
    record = execute(spec, Settings(results, device="cpu"))
    positions = [TOY.population.row(g) for g in probe.probe_set(TOY, len(SAMPLED))]
    assert positions == list(SAMPLED)
    accuracy = list(SAMPLED.values())
    estimates = np.array(positions, dtype=np.int32), np.column_stack([accuracy, np.subtract(1, accuracy)])
    path = Results(results).estimates_path(record.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(probe.to_bytes(estimates))
    trace = tuple(
        {"forward_images": n, "backward_images": 0, "wall_s": 1.0, "genotype": TOY.population.at(n)} for n in (7, 20)
    )
    return replace(record, genotype=TOY.population.at(4), trace=trace, estimates={"blake2b": probe.digest(estimates)})


def test_a_row_of_a_sampled_probe_against_a_hand_count(results: Path) -> None:
    """The table knows cells 0 to 19, so that six of the nine have both numbers: 1, 4, 13, 14, 18 and 19."""
    record = _sampled(results)
    (row,) = score(record, TableTruth(small_table(complete=False)), Results(results))
    assert (row.probe_n, row.coverage) == (6, pytest.approx(8 / 9))
    guess, truth = [0.2, 0.5, 0.4, 0.3, 0.1, 0.5], [42.5, 48.5, 66.5, 68.5, 76.5, 78.5]
    weighted = [0, 0, 0, 1, 1, 1]  # convolutions
    tau, with_size, size = (
        kendalltau(a, b).statistic for a, b in ((guess, truth), (guess, weighted), (truth, weighted))
    )
    assert row.tau == pytest.approx(tau)
    assert row.spearman == pytest.approx(spearmanr(guess, truth).statistic)
    given = (tau - with_size * size) / np.sqrt((1 - with_size**2) * (1 - size**2))
    assert row.panel["partial_tau_parameters"] == pytest.approx(given)
    means = ([0.15, 0.5, 0.4, 0.3, 0.5], [59.5, 48.5, 66.5, 68.5, 78.5])  # 1 and 18 are both no function at all
    assert row.panel["tau_unique"] == pytest.approx(kendalltau(*means).statistic)
    assert row.panel["beaten"] == pytest.approx(4.5 / 20)  # cells 0 to 3, and half of itself
    # Of the best two estimates, which tie, one is the truly best of the six, and one the fifth.
    for top in ("1", "5", "10"):
        assert row.panel[f"precision_top{top}"] == pytest.approx(1 / 2)
    assert row.panel["best_rank_1"] == pytest.approx((1 + 5) / 2)
    assert row.panel["best_rank_10"] == pytest.approx(1)
    assert row.panel["regret_probe"] == pytest.approx((0 + 30) / 2)
    known, unknown = row.curve
    assert (known["forward_images"], known["test"], known["regret_test"]) == (7, 54.5, 24.0)
    assert (unknown["forward_images"], unknown["test"], unknown["regret_test"]) == (20, None, None)


def test_the_pairs_of_a_sampled_probe_by_hand(results: Path) -> None:
    record = _sampled(results)
    (row,) = score(record, TableTruth(small_table(complete=False)), Results(results))
    pairs = pairs_of(row, results).to_dict("list")
    assert pairs["architecture"] == list(SAMPLED)
    np.testing.assert_array_equal(pairs["estimate"], np.float32(list(SAMPLED.values())))
    np.testing.assert_array_equal(pairs["test"], [42.5, 48.5, 62.5, 66.5, 68.5, 76.5, 78.5, np.nan, np.nan])
    every, one = (1 + 4 + 16) * 9, 3 * 9 * 32**2  # of a 3x3 convolution in three stages of 1, 2 and 4 channels
    assert pairs["parameters"] == [every * n for n in (0, 0, 1, 0, 1, 1, 1, 1, 2)]
    assert pairs["multiply_adds"] == [one * n for n in (0, 0, 1, 0, 1, 0, 1, 1, 1)]  # in 18 and 24 one leads nowhere
    # 1 and 18 are nothing; 4 is x; 11, 19 and 24 are f(x), 13 is x + x, 14 and 22 are x + f(x).
    alike = [list(pairs["cell_class"]).index(number) for number in pairs["cell_class"]]
    assert alike == [0, 1, 2, 3, 4, 0, 2, 4, 2]


def test_cells_that_were_trained_together_are_judged_once_each(results: Path) -> None:
    cells = [[list(TOY.population.at(row)) for row in rows] for rows in ((4, 20), (20, 25))]
    record = replace(_record(results), details={"rounds": [{"cells": each} for each in cells]})
    (row,) = score(record, TableTruth(small_table(complete=False)), Results(results))
    assert [(TOY.population.row(tuple(v["genotype"])), v["test"], v["rank"]) for v in row.visited] == [
        (4, 48.5, 16), (20, None, None), (25, None, None),
    ]  # fmt: skip


def test_a_score_asks_for_the_choice_and_for_finalists_when_told_to(results: Path) -> None:
    a, b, c = (TOY.population.at(row) for row in (4, 20, 25))
    record = replace(
        _record(results),
        genotype=a,
        candidates=(Candidate(b, 0.5), Candidate(a, 0.4)),
        details={"rounds": [{"cells": [list(c), list(b)]}]},
    )
    assert named_by(record, finalists=False) == [a]
    assert named_by(record, finalists=True) == [a, b, c]
    assert named_by(replace(record, genotype=None, candidates=(), details={}), finalists=True) == []


def test_a_table_with_gaps_scores_what_it_holds(results: Path) -> None:
    record = replace(
        _record(results),
        genotype=TOY.population.at(26),
        candidates=(Candidate(TOY.population.at(26), 0.9), Candidate(TOY.population.at(5), 0.8)),
    )
    (row,) = score(record, TableTruth(small_table(complete=False)), Results(results))
    assert (row.test, row.valid, row.regret_test, row.rank) == (None, None, None, None)
    assert row.test_best_candidate is None  # the best of those that are known would be no more than a lower bound
    assert (row.n_candidates, row.n_candidates_known) == (2, 1)
    assert (row.ranked, row.probe_n) == (20, 20)
    assert row.truth_coverage == pytest.approx(20 / 27)


def test_a_method_without_estimates_has_no_tau(results: Path) -> None:
    record = execute(tiny.spec(RandomArchitecture()), Settings(results, device="cpu"))
    (row,) = score(record, TableTruth(small_table()), Results(results))
    assert (row.tau, row.coverage, row.pairs, row.probe_n) == (None, None, None, 0)
    assert row.test is not None


def test_a_record_of_another_space_is_refused(results: Path) -> None:
    record = execute(tiny.spec(RandomArchitecture(), space="nb201"), Settings(results, device="cpu"))
    with pytest.raises(BadRecord, match="searched nb201, the table holds toy"):
        score(record, TableTruth(small_table()), Results(results))


def test_estimates_that_were_changed_are_refused(results: Path) -> None:
    record = _record(results)
    path = Results(results).estimates_path(record.key)
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(BadRecord, match="not what it was sealed with"):
        score(record, TableTruth(small_table()), Results(results))
    pq.write_table(table.slice(1).replace_schema_metadata(None), path)
    with pytest.raises(BadRecord, match="is not what record"):
        score(record, TableTruth(small_table()), Results(results))
    path.unlink()
    with pytest.raises(BadRecord, match="cannot read the estimates"):
        score(record, TableTruth(small_table()), Results(results))


def _twice(results: Path) -> tuple[Record, Results]:
    """A record whose choice the complete table knows, scored once."""
    record, folder = _record(results), Results(results)
    score(record, TableTruth(small_table()), folder)
    return record, folder


def test_what_is_scored_already_is_found_and_equal(results: Path) -> None:
    record, truth, folder = _record(results), TableTruth(small_table()), Results(results)
    assert scored(record, truth, folder) is None
    rows = score(record, truth, folder)
    assert scored(record, truth, folder) == rows


def test_a_score_by_another_state_of_the_table_is_made_again(results: Path) -> None:
    record, folder = _twice(results)
    assert scored(record, TableTruth(small_table(complete=False)), folder) is None


def test_a_score_without_the_truth_of_its_choice_is_made_again(results: Path) -> None:
    record, truth, folder = _record(results), TableTruth(small_table(complete=False)), Results(results)
    last = TOY.population.at(26)
    record = replace(record, genotype=last, candidates=(Candidate(last, 0.9),), trace=())
    score(record, truth, folder)
    assert scored(record, truth, folder) is None


@pytest.mark.parametrize("lost", ["truths", "scores"])
def test_a_score_that_lost_a_file_is_made_again(results: Path, lost: str) -> None:
    record, folder = _twice(results)
    (path,) = (results / lost).iterdir()
    path.unlink()
    assert scored(record, TableTruth(small_table()), folder) is None


def test_a_score_that_cannot_be_read_is_made_again(results: Path) -> None:
    record, folder = _twice(results)
    folder.score_path(record.key, "made-up").write_text("[{}]")
    assert scored(record, TableTruth(small_table()), folder) is None
