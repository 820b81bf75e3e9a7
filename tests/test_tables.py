"""The papers' tables on made-up results: cells, differences and verdicts against hand-made numbers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr

from analysis import load as loading
from analysis import published, stats
from analysis.drawings import drawings
from analysis.load import Setting, load
from analysis.published import Published, Verdict
from analysis.tables import ablations, claims, cost, fade, gains, nb201, protocol, ranking, selection
from analysis.tables.grid import Grid, latex
from analysis.tables.sheet import PAGE, Sheet, pages
from bench import spaces
from bench.errors import BadRecord
from bench.store.record import Results
from bench.store.spec import SCALES
from tests import edited
from tests.test_analysis import BEST, cells, made_up_run, some_pairs

ROOT = Path(__file__).parent.parent
PAPER, MINI = SCALES["paper"], SCALES["mini"]
OFFICIAL = ("cifar10", "cifar100", "imagenet16-120")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def the_sheet(table: Any, results: Results) -> Sheet:
    """The table of the only setting."""
    ((setting, rows),) = loading.settings(load(results).frame, by_target=False)
    sheet: Sheet = table.sheet(setting, rows, results)
    return sheet


def listed(grid: Grid) -> list[dict[str, str]]:
    """Column head → text of every row."""
    return [dict(zip(grid.heads, map(str, row), strict=True)) for row in grid.rows]


def line(sheet: Sheet, **wanted: Any) -> dict[str, Any]:
    """The only line of a table's data with these values."""
    found = sheet.data
    for name, value in wanted.items():
        found = found[found[name] == value]
    assert len(found) == 1, found
    return dict(found.iloc[0])


# Published numbers


def test_only_what_somebody_read_is_among_the_published_numbers() -> None:
    known = published.published()
    assert len(known) > 200
    assert {p.confidence for p in known} <= set(published.CONFIDENCES)
    assert not any("memory" in " ".join(map(str, vars(p).values())) for p in known)
    assert all((p.value is None) == (p.confidence == "not found") for p in known)
    gdas = [p for p in known if (p.name, p.target, p.quantity) == ("GDAS", "cifar10", "test")]
    assert [p.text for p in gdas] == ["93.51 ± 0.13"]


def test_published_rows_that_are_of_two_cells_say_so() -> None:
    """Valid and test accuracies of one cell by one source lie near each other; the source says where of two."""
    known = [p for p in published.published() if p.value is not None and p.unit == "%"]
    valid = {(p.name, p.target, p.where, p.source): p.value for p in known if p.quantity == "valid"}
    tests = [p for p in known if p.quantity == "test"]
    beside = [(p, valid.get((p.name, p.target, p.where, p.source))) for p in tests]
    assert sum(one is not None for _, one in beside) > 20
    assert [p for p, one in beside if one is not None and abs(one - float(p.value or 0)) > 15] == []
    second = {p.target: p.value for p in tests if p.name == "HEP-NAS cell 9930"}
    assert second == {"cifar10": 94.36, "cifar100": 73.51, "imagenet16-120": 46.34}


def test_a_number_is_found_before_one_that_nobody_found() -> None:
    few_shot = published.find("nb201", "fewshot", "cifar10", "test")
    assert few_shot is not None
    assert few_shot.text == "≈ 87"  # read off the authors' figure; GM-NAS's table was not found
    gm = published.find("nb201", "gm-darts", "cifar10", "test")
    assert gm is not None
    assert (gm.value, gm.text) == (None, "not found")
    assert published.find("nb201", "gm-darts", "patches", "test") is None
    assert published.find("toy-darts", "fewshot", "cifar10", "test") is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("nb201,,A,cifar10,test,%,90,,P,Table 1,somebody,from memory (high)", "confidence 'from memory"),
        ("nb201,,A,cifar10,test,%,90,,P,Table 1,somebody,not found", "exclude each other"),
        ("nb201,,A,cifar10,test,%,,,P,Table 1,somebody,read in author log", "exclude each other"),
        ("nb201,,A,cifar10,test,%,90,,P,Table 1,,read in author log", "names its table or figure and its source"),
    ],
)
def test_a_published_number_that_says_too_little_is_refused(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(",".join(published.COLUMNS) + "\n" + row + "\n")
    with pytest.raises(BadRecord, match=message) as caught:
        published.read(path)
    assert "line 2" in str(caught.value)


AS_IN_THE_PAPER = Setting("nb201", "cifar10", "paper", "nb201-v1.1", "cifar10")
THEIRS = Published(
    "nb201", "rsps", "RSPS", "cifar10", "test", "%", 87.66, 1.69, "NB201", "main", "somewhere", "read in author log"
)


@pytest.mark.parametrize(
    ("mean", "word"),
    [
        (stats.Mean(90.0, 87.0, 92.0, 4), "within"),  # in our interval
        (stats.Mean(89.3, 89.0, 89.6, 4), "within"),  # within one published deviation
        (stats.Mean(89.5, 89.4, 89.6, 4), "above"),
        (stats.Mean(80.0, 79.0, 81.0, 4), "below"),
    ],
)
def test_verdicts_at_the_papers_own_setting(mean: stats.Mean, word: str) -> None:
    assert published.verdict(mean, THEIRS, AS_IN_THE_PAPER, vars(PAPER)) == Verdict(word)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ours", "word"), [(87.4, "within"), (86.1, "within"), (88.4, "above"), (85.7, "below")])
def test_a_number_read_off_a_figure_is_known_to_a_point(ours: float, word: str) -> None:
    theirs = replace(THEIRS, value=87.0, std=None, confidence=published.APPROXIMATE)
    mean = stats.Mean(ours, ours - 0.2, ours + 0.2, 4)
    assert published.verdict(mean, theirs, AS_IN_THE_PAPER, vars(PAPER)).word == word


def test_what_differs_is_a_reason_not_to_compare() -> None:
    mean = stats.Mean(87.0, 86.0, 88.0, 3)

    def why(setting: Setting = AS_IN_THE_PAPER, mean: stats.Mean = mean, theirs: Published = THEIRS) -> list[str]:
        said = published.verdict(mean, theirs, setting, vars(MINI if setting.scale == "mini" else PAPER))
        assert (said.word == "not comparable") == bool(said.why)
        return list(said.why)

    assert why() == []
    (scale,) = why(replace(AS_IN_THE_PAPER, scale="mini"))
    assert scale.startswith("scale mini: 8 channels")
    assert why(replace(AS_IN_THE_PAPER, dataset="cifar10-jpeg")) == ["searched on cifar10-jpeg, the paper on cifar10"]
    assert why(replace(AS_IN_THE_PAPER, dataset="cifar100"), theirs=replace(THEIRS, target="cifar100"))[0].startswith(
        "searched on cifar100"
    )
    assert why(replace(AS_IN_THE_PAPER, space="toy")) == ["space toy, the paper's nb201"]
    assert why(replace(AS_IN_THE_PAPER, truth="mine")) == ["scored by mine, the paper by NAS-Bench-201"]
    (files,) = why(theirs=replace(THEIRS, confidence=published.FROM_FILES))
    assert "other images" in files
    assert why(theirs=replace(THEIRS, space="")) == ["the paper's is of another space"]
    assert why(replace(AS_IN_THE_PAPER, target="cifar100")) == ["scored on cifar100, the paper on cifar10"]
    assert why(mean=stats.Mean(87.0, None, None, 2)) == ["fewer than 3 runs of ours"]
    assert why(mean=stats.Mean(None, None, None, 0)) == ["no run of ours has it"]
    assert why(theirs=replace(THEIRS, value=None)) == ["the published number was not found"]
    assert len(why(Setting("nb201", "patches", "mini", "t", "patches"), stats.Mean(1.0, None, None, 1))) == 5


# The NAS-Bench-201 table


def test_ours_stands_beside_the_published_number_with_its_verdict(results: Results) -> None:
    for seed, test in enumerate((86.0, 88.0, 90.0)):
        made_up_run(
            results, "rsps", seed, test=test, dataset="cifar10", targets=OFFICIAL, scale=PAPER, truth="nb201-extract"
        )
    sheet = the_sheet(nb201, results)
    cell = cells(sheet.grids[0])["RSPS"]["cifar10 test (%)"]
    assert cell == "88.00 ± 2.00 [86.00, 90.00] (published 87.66 ± 1.69; within)"
    assert cells(sheet.grids[0])["RSPS"]["cifar100 test (%)"].endswith("(published 58.33 ± 4.34; above)")
    found = line(sheet, label="rsps", target="cifar10", quantity="test")
    assert (found["published"], found["published_std"], found["verdict"]) == (87.66, 1.69, "within")
    assert found["confidence"] == "reported by a third page"
    assert cells(sheet.grids[0])["RSPS"]["seconds"] == "11 (published 7,587 GPU s; not comparable a)"
    assert "Not comparable: a seconds of another device." in sheet.words
    reference = cells(sheet.grids[0])["GDAS (published)"]
    assert (reference["cifar10 valid (%)"], reference["imagenet16-120 test (%)"]) == ("90.00 ± 0.21", "41.84 ± 0.90")


def test_at_another_scale_the_letters_say_why(results: Results) -> None:
    for seed in range(2):
        for label in ("rsps", "gm-darts"):
            made_up_run(
                results, label, seed, dataset="cifar10-jpeg", targets=OFFICIAL, scale=MINI, truth="nb201-extract"
            )
    sheet = the_sheet(nb201, results)
    rsps = cells(sheet.grids[0])["RSPS"]["cifar10 test (%)"]
    assert rsps == "90.00 ± 0.00 (published 87.66 ± 1.69; not comparable a, b, c)"
    gm = cells(sheet.grids[0])
    assert any("(published not found; not comparable a, b, e, c)" in row["cifar10 test (%)"] for row in gm.values())
    assert "Not comparable: a scale mini: 8 channels" in sheet.words
    assert "d seconds of another device; e the published number was not found" in sheet.words


def test_images_that_no_paper_knows_have_no_published_number(results: Results) -> None:
    for seed in range(3):
        made_up_run(results, "rsps", seed)
    sheet = the_sheet(nb201, results)
    assert [str(row[0]) for row in sheet.grids[0].rows] == ["RSPS"]
    assert "verdict" not in sheet.data


# Ranks


def test_the_ranking_table_against_scipy(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "LEAST_ARCHITECTURES", 6)  # of 60 in the top 10 %
    taus = [0.1, 0.3, 0.5]
    _, tests = some_pairs(60, 0)
    pairs = [(some_pairs(60, seed)[0], tests) for seed in range(3)]  # one truth
    for seed, tau in enumerate(taus):
        made_up_run(
            results, "gm-rsps", seed, pairs=pairs[seed], tau=tau, spearman=tau + 0.1, tau_top10=tau - 0.2,
            coverage=1.0, supernets=7, config=GM, details={"tree": TREE},
        )  # fmt: skip
    sheet = the_sheet(ranking, results)
    tau_grid, spearman_grid, others = map(cells, sheet.grids)
    name = next(iter(tau_grid))
    row = tau_grid[name]
    assert (row["criterion"], row["split"], row["supernets"]) == ("gradient matching", "2", "4")
    assert (row["top 10 %"], row["100 %"]) == ("0.10 [-0.10, 0.30]", "0.300 [0.100, 0.500]")
    assert spearman_grid[name]["100 %"] == "0.400 [0.200, 0.600]"
    sizes = np.arange(60) % 7  # the made-up parameters, see `parquet`
    expected = kendalltau(sizes, np.float32(tests)).statistic
    assert tau_grid["Parameter count†"]["100 %"] == f"{expected:.3f}"
    assert spearman_grid["Parameter count†"]["100 %"] == f"{spearmanr(sizes, np.float32(tests)).statistic:.3f}"
    assert tau_grid["Parameter count†"]["n (done / diverged / failed)"] == "computed"
    wide = line(sheet, label="gm-rsps", quantity="tau_over_architectures")
    by_hand = [kendalltau(np.float32(e), np.float32(t)).statistic for e, t in pairs]
    assert wide["mean"] == pytest.approx(np.mean(by_hand))
    assert wide["low"] < wide["mean"] < wide["high"]
    assert others[name]["coverage (%)"] == "100"


def test_a_ceiling_of_few_architectures_is_none(results: Results) -> None:
    for seed, ranked in enumerate((29, 30)):
        made_up_run(results, "rsps", seed, ceiling=1.0, ranked=ranked)
    assert load(results).frame.set_index("seed")["ceiling"].isna().tolist() == [True, False]


def test_a_top_of_few_architectures_has_no_column(results: Results) -> None:
    made_up_run(results, "rsps", 0, pairs=some_pairs(60, 0), tau=0.1, tau_top10=0.2, coverage=1.0)
    (row, *_) = cells(the_sheet(ranking, results).grids[0]).values()
    assert not [head for head in row if head.startswith("top")]
    assert "100 %" in row


def test_the_ranking_table_has_the_additive_model_where_the_probe_is_large_enough(results: Results) -> None:
    """Of a truth that is a sum over edges it is right about all; of 25 numbers it wants 250 architectures."""
    worth = np.random.default_rng(0).normal(size=(6, 5))
    architectures = list(spaces.get("nb201").population)
    tests = np.array([50 + sum(worth[edge, op] for edge, op in enumerate(g)) for g in architectures])
    for count, there in ((249, False), (250, True)):
        own = Results(results.root / str(count))
        made_up_run(own, "rsps", 0, pairs=(np.linspace(0.2, 0.8, count), tests[:count]), tau=0.1, coverage=1.0)
        grid = cells(the_sheet(ranking, own).grids[0])
        assert ("Additive model†" in grid) == there
        if there:
            assert grid["Additive model†"]["100 %"] == "1.000"


TREE = [
    {"name": "0", "parent": None, "depth": 0, "kept": True, "cut": {"edges": [3], "splits": {}}},
    *({"name": f"{k}", "parent": "0", "depth": 1, "kept": True, "cut": {"edges": [k], "splits": {}}} for k in (1, 2)),
    *({"name": f"{k}", "parent": f"{k // 2 - 1}", "depth": 2, "kept": True, "cut": None} for k in (4, 5, 6, 7)),
]
"""Two cuts, each in two: four supernets at the end."""
GM = {
    "grouping": {"name": "matching.Matching", "version": 1, "config": {}},
    "edges": {"name": "gmnas.OneEdge", "version": 1, "config": {"by": "between"}},
    "levels": [20, 20],
    "keep": "all",
    "protocol": "paper",
}


def test_lost_pairs_leave_a_gap_and_a_line(results: Results) -> None:
    for seed in range(3):
        made_up_run(results, "rsps", seed, pairs=some_pairs(60, seed), tau=0.5, coverage=1.0)
    next((results.root / "estimates").iterdir()).unlink()
    drawn = ranking.draw(load(results).frame, results)
    assert any("1 runs lack their pairs" in said and "`python -m bench score`" in said for said in drawn.missing)
    others = cells(the_sheet(ranking, results).grids[2])
    assert others["RSPS"]["tau over architectures"] == "\N{EN DASH}"


def test_an_order_is_marked_as_no_accuracy(results: Results) -> None:
    made_up_run(results, "fade", 0, pairs=some_pairs(60, 0), tau=0.3, coverage=0.1, estimates_measured=False)
    assert "FaDE†" in cells(the_sheet(ranking, results).grids[0])


# Choice among finalists


FINALISTS = (
    {"genotype": [0], "estimate": 0.3, "valid": 70.0, "test": 90.0, "rank": 30},
    {"genotype": [1], "estimate": 0.5, "valid": 72.0, "test": 91.0, "rank": 20},
    {"genotype": [2], "estimate": 0.4, "valid": 71.0, "test": 95.0, "rank": 1},
)


def test_selection_criteria_by_hand(results: Results) -> None:
    for seed in range(3):
        made_up_run(results, "fewshot", seed, test=90.0 + seed, candidates=FINALISTS, n_candidates=3)
        made_up_run(results, "rsps", seed, test=80.0, candidates=FINALISTS[:1], n_candidates=1)
    sheet = the_sheet(selection, results)
    (row,) = cells(sheet.grids[0]).values()  # RSPS has no choice
    assert row["accuracy on shared weights (the method)"] == "91.00 [90.00, 92.00]"
    assert row["benchmark validation"] == "91.00 [91.00, 91.00]"
    assert row["benchmark test (oracle)"] == "95.00 [95.00, 95.00]"
    assert row["mean of finalists"] == "92.00 [92.00, 92.00]"
    assert row["first finalist"] == "90.00 [90.00, 90.00]"
    assert row["oracle's gain (points)"] == "4.00 [3.00, 5.00]"


def test_an_unknown_finalist_leaves_the_oracle_unsaid() -> None:
    gap = [*FINALISTS, {"genotype": [3], "estimate": 0.1, "valid": None, "test": None, "rank": None}]
    assert (selection.by_test(gap), selection.mean(gap), selection.by_validation(gap)) == (None, None, None)
    assert selection.first(gap) == 90.0
    assert selection.by_test([]) is None
    no_valid = [{**f, "valid": None} for f in FINALISTS]
    assert (selection.by_validation(no_valid), selection.by_test(no_valid)) == (None, 95.0)


def test_what_a_choice_is_worth(results: Results) -> None:
    """IQM of (0.1, 0.2, 0.3, 0.5, 0.6, 0.7): a quarter of six, rounded down to one, falls at either end."""
    for seed in range(3):
        made_up_run(
            results, "rsps", seed, test=90.0 + seed, targets=("patches", "cifar10"), range_used=0.1 + seed / 10,
            relative_improvement=2.0 * seed, beaten=0.2 + 0.3 * seed,
        )  # fmt: skip
        made_up_run(results, "random", seed, test=91.0, targets=("patches", "cifar10"), images=(0, 0))
    for path in (results.root / "scores").glob("*.json"):
        rows = json.loads(path.read_text())["rows"]
        if rows[0]["label"] == "rsps":
            used = rows[1]["panel"]["range_used"] + 0.4
            edited.edit(path, lambda row, used=used: row["panel"].update(range_used=used), "anew", row=1)
    row = cells(the_sheet(gains, results).grids[0])["RSPS"]
    assert row["patches RI (%)"] == "2.00 [0.00, 4.00]"
    assert row["cifar10 range used"] == "0.600 [0.500, 0.700]"
    assert row["IQM of range used"].startswith("0.400 [")
    assert row["P(beats random)"] == "0.50 [0.20, 0.80]"  # of 0.2, 0.5 and 0.8 on both targets


# Pairs


def test_ablations_are_paired_by_seed(results: Results) -> None:
    for seed, (whole, without) in enumerate(((90.0, 89.0), (91.0, 89.0), (93.0, 90.0))):
        made_up_run(results, "hep", seed, test=whole)
        made_up_run(results, "hep-no-smd", seed, test=without)
    made_up_run(results, "hep-no-smd", 3, test=50.0)  # without a partner
    sheet = the_sheet(ablations, results)
    assert [grid.title.partition(" (")[0] for grid in sheet.grids] == ["HEP-NAS: mutual distillation"]
    rows = cells(sheet.grids[0])
    assert rows["none"]["whole less this (points)"] == "+2.00 [-0.48, 4.48]"  # differences 1, 2, 3
    assert rows["none"]["p"] == "0.250"
    assert rows["parent only"]["n (done / diverged / failed)"] == "not run"
    assert rows["none"]["n (done / diverged / failed)"] == "4 / 0 / 0"
    found = line(sheet, quantity="test: whole less this", label="hep-no-smd")
    assert (found["mean"], found["n"], found["paired_verdict"]) == (2.0, 3, "undecided")


def test_claims_stand_beside_their_measures_and_choices(results: Results) -> None:
    for seed in range(5):
        made_up_run(results, "hep", seed, test=92.0 + seed / 10, beaten=0.8 + seed / 50, images=(6_000, 2_000))
        made_up_run(results, "hep-no-smd", seed, test=90.0 + seed / 9, beaten=0.4 + seed / 20, random_mean=90.3)
        made_up_run(results, "hep-edgewise", seed, test=94.0 + seed / 8)
        made_up_run(results, "random", seed, test=92.0 + (-1) ** seed, images=(0, 0))
    made_up_run(results, "largest", 0, beaten=0.956, images=(0, 0))
    made_up_run(results, "parameters", 0, beaten=0.4, images=(0, 0))
    made_up_run(results, "darts", 0, test=90.0)
    made_up_run(results, "darts-2nd", 0, test=91.0)
    sheet = the_sheet(claims, results)
    judged = sheet.data[sheet.data["role"].isin(["claim", "random"])]
    verdicts = {(row["label"], row["second"], row["quantity"]): row["verdict"] for _, row in judged.iterrows()}
    assert verdicts["hep", "hep-no-smd", "test"] == "for"
    assert verdicts["hep", "hep-edgewise", "test"] == "against"
    assert verdicts["darts-2nd", "darts", "test"] == "undecided"  # one pair
    assert ("fewshot-rsps", "rsps-longer", "tau_cross_entropy") not in verdicts  # not run
    assert re.search(r"\d+ further claims have no runs here\.", sheet.words)
    assert verdicts["hep", "", "beaten"] == "for"
    assert verdicts["hep-no-smd", "", "beaten"] == "undecided"  # half of all architectures, as chance has it
    assert verdicts["largest", "", "beaten"] == "for"  # it knows no chance: one value says it
    assert verdicts["parameters", "", "beaten"] == "against"
    found = line(sheet, label="hep", second="hep-no-smd", quantity="test", role="claim")
    differences = [2 + s / 10 - s / 9 for s in range(5)]
    assert found["mean"] == pytest.approx(np.mean(differences))
    assert (found["images_ratio"], found["chance_mean"]) == (2.0, 1.0)  # 8,000 of 4,000 images; better in every pair
    told = {row["Claim"]: row for row in listed(sheet.grids[0])}["mutual distillation chooses better than none"]
    assert told["verdict"] == "for (at 2.00 times the images)"
    choice = sheet.data[(sheet.data["role"] == "choice") & (sheet.data["second"] == "hep-no-smd")]
    assert dict(zip(choice["quantity"], choice["mean"], strict=True)) == {
        "median_regret_first": pytest.approx(BEST - 92.2),
        "median_regret_second": pytest.approx(BEST - 90 - 2 / 9),
        "collapsed_first": 0,
        "collapsed_second": 3,  # of 90, 90.11, 90.22, 90.33 and 90.44 three are below the mean of all
    }
    assert set(sheet.data.loc[sheet.data["role"] == "measure", "verdict"].dropna()) == set()


def test_protocols_stand_side_by_side(results: Results) -> None:
    for seed in range(3):
        paper, fair = {"protocol": "paper"}, {"protocol": "fair"}
        made_up_run(results, "fewshot", seed, test=90.0, config=paper, candidates=FINALISTS, n_candidates=3)
        made_up_run(results, "fewshot(protocol=fair)", seed, test=89.0 - seed, config=fair, images=(300, 100))
    made_up_run(results, "gm-darts", 0, config={"protocol": "paper"})
    sheet = the_sheet(protocol, results)
    (row,) = cells(sheet.grids[0]).values()
    assert (row["test (%), paper"], row["test (%), fair"]) == ("90.00 [90.00, 90.00]", "88.00 [87.00, 89.00]")
    assert row["runs done (paper + fair)"] == "3 + 3"
    assert (row["images (thousands), paper"], row["images (thousands), fair"]) == ("4.0", "0.4")
    assert row["oracle's gain, paper"] == "5.00 [5.00, 5.00]"
    assert row["fair less paper (points)"].startswith("-2.00 [-4.48, 0.48]")


# FaDE


ROUNDS = (
    {"cells": [[0] * 6, [1] * 6, [2] * 6], "ranks": [0.1, 0.2, 0.3]},
    {"cells": [[0] * 6, [3] * 6, [4] * 6], "ranks": [0.4, 0.2, 0.3]},
)
VISITED = tuple(
    {"genotype": [op] * 6, "estimate": None, "valid": None, "test": test, "rank": None}
    for op, test in enumerate((80.0, 85.0, 90.0, 70.0, None))
)


def test_fade_ranks_are_correlated_within_rounds() -> None:
    """The first round is in perfect order; the second has two known cells, (0.4, 80) and (0.2, 70): too few for a
    correlation of their own, but not for the pool."""
    found = fade.orders(ROUNDS, VISITED)
    assert (found.spearman, found.kendall, found.rounds) == (1.0, 1.0, 1)
    assert found.pearson == pytest.approx(1.0)
    assert found.known == pytest.approx(5 / 6)
    ranks = [np.log([0.1, 0.2, 0.3]), np.log([0.4, 0.2])]
    tests = [np.array([80.0, 85.0, 90.0]), np.array([80.0, 70.0])]
    centred = [np.concatenate([part - part.mean() for part in parts]) for parts in (ranks, tests)]
    assert found.pooled == pytest.approx(spearmanr(*centred).statistic)
    assert fade.orders(ROUNDS, ()) == fade.Orders(None, None, None, None, 0, 0.0)


def test_the_fade_table_says_what_was_trained(results: Results) -> None:
    config = {"cells": 3, "rows": 2, "rounds": 2, "outer": "random", "inner": {"config": {"regularised": "none"}}}
    for seed in range(3):
        made_up_run(results, "fade-random", seed, config=config, details={"rounds": ROUNDS}, visited=VISITED)
    sheet = the_sheet(fade, results)
    row = cells(sheet.grids[0])["FaDE, random cells"]
    assert (row["k"], row["d"], row["regularisation"], row["cells drawn"]) == ("3", "2", "none", "random")
    assert row["Spearman"] == "1.000 [1.000, 1.000]"
    assert row["cells known (%)"] == "83"
    verdicts = the_sheet(claims, results).data
    found = verdicts[(verdicts["label"] == "fade-random") & (verdicts["quantity"] == "rank_correlation")].iloc[0]
    assert (found["mean"], found["verdict"]) == (1.0, "undecided")  # the made-up seeds are copies
    assert found["chance_mean"] == 1.0  # every correlation is above 0


def test_a_record_without_ranks_is_refused(results: Results) -> None:
    made_up_run(results, "fade", 0, details={}, visited=VISITED)
    with pytest.raises(BadRecord, match="keeps no ranks of its rounds"):
        the_sheet(fade, results)


# Cost


def test_phases_add_up_and_a_missing_one_cost_nothing() -> None:
    phase = {"forward_images": 600, "backward_images": 300, "gmacs": 500.0, "device_s": 2.0, "wall_s": 3.0}
    costs: list[Mapping[str, Any]] = [
        {**phase, "peak_bytes": 1e6, "phases": {"weights": phase}},
        {**phase, "peak_bytes": 1e6, "phases": {"weights": phase, "cut": phase}},
    ]
    rows = pd.DataFrame({"cost": costs, "status": "done", "key": ["a", "b"]})
    found = {name: part["forward_images"].tolist() for name, part in cost.phases(rows)}
    assert found == {"total": [600, 600], "weights": [600, 600], "cut": [0, 600]}


def test_the_cost_table_has_a_line_for_each_phase(results: Results) -> None:
    made_up_run(results, "darts", 0)
    sheet = the_sheet(cost, results)
    assert [str(row[0]).strip() for row in sheet.grids[0].rows] == ["DARTS", "search"]
    assert line(sheet, quantity="forward_images", phase="total")["mean"] == 3.0


def test_seconds_of_a_shared_gpu_are_marked_as_such(results: Results) -> None:
    """A CPU's are of the process alone, however many run beside it."""
    for seed, (device, workers) in enumerate([("cuda", 1), ("cpu", 20), ("cuda", 6)]):
        made_up_run(results, "darts", seed)
        (path,) = (p for p in results.root.glob("runs/*.json") if json.loads(p.read_text())["identity"]["seed"] == seed)
        place = {"code": "c0de", "device": device, "workers": workers}
        edited.edit(path, lambda record, place=place: record.update(place=place), "anew")
        assert ("Up to 6 runs shared a GPU" in the_sheet(cost, results).words) == (seed == 2)


# All of them


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Runs of every kind: all tables but none of the figures need drawing."""
    results = Results(tmp_path_factory.mktemp("everything") / "results")
    config = {"cells": 3, "rows": 2, "rounds": 2, "outer": "random", "inner": {"config": {"regularised": "none"}}}
    for seed in range(3):
        shared = {"dataset": "cifar10-jpeg", "targets": OFFICIAL, "scale": MINI}
        made_up_run(results, "random", seed, images=(0, 0), **shared)
        made_up_run(results, "rsps", seed, tau=0.3, pairs=some_pairs(60, seed), coverage=1.0, **shared)
        made_up_run(results, "gm-rsps", seed, config=GM, candidates=FINALISTS, n_candidates=3, **shared)
        fair = {**GM, "protocol": "fair"}
        made_up_run(results, "gm-rsps(protocol=fair)", seed, config=fair, n_candidates=3, **shared)
        made_up_run(results, "gm-rsps-random", seed, n_candidates=3, **shared)
        made_up_run(results, "hep", seed, **shared)
        made_up_run(results, "hep-no-smd", seed, **shared)
        made_up_run(results, "fade", seed, config=config, details={"rounds": ROUNDS}, visited=VISITED, **shared)
    for name, drawing in drawings():
        if drawing.__name__.startswith("analysis.tables.") and name != "retrained":  # type: ignore[attr-defined]
            assert drawing.draw(load(results).frame, results).paths, name
    return results


TABLES = {
    *("main", "gains", "nb201", "ranking", "selection", "ablations", "fade", "cost", "protocol", "claims", "transfer"),
}


def test_every_table_is_found_and_written_in_three_forms(everything: Results) -> None:
    files = [path.name for path in (everything.root / "tables").iterdir()]
    assert {name.partition("-nb201-")[0] for name in files} == TABLES
    assert {name.rpartition(".")[2] for name in files} == {"md", "tex", "csv"}
    assert len(files) == 3 * len(TABLES)


def test_every_caption_defines_its_setting_and_names_its_command(everything: Results) -> None:
    for path in (everything.root / "tables").glob("*.md"):
        text = path.read_text()
        assert "Space nb201, searched on cifar10-jpeg" in text, path
        assert f"Made by: python -m analysis --results {everything.root.as_posix()}." in text
        assert "nan" not in text.replace("NaN", "nan").split(), path


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_every_table_compiles(everything: Results, tmp_path: Path) -> None:
    bodies = [path.read_text() for path in sorted((everything.root / "tables").glob("*.tex"))]
    head = r"\documentclass[twocolumn]{article}\usepackage[T1]{fontenc}\usepackage{booktabs,graphicx}\extrafloats{200}"
    document = "\n".join([head, r"\begin{document}", *(body + "\\clearpage\n" for body in bodies), r"\end{document}"])
    (tmp_path / "tables.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search(r"Missing character|Float too large", done.stdout + (tmp_path / "tables.log").read_text())


def test_there_is_no_table_of_claims_where_no_claim_has_a_run(results: Results) -> None:
    made_up_run(results, "NASLib LocalSearch", 0)
    drawn = claims.draw(load(results).frame, results)
    assert (drawn.paths, drawn.missing) == ((), ())


def test_a_baseline_alone_leaves_only_what_it_allows(results: Results) -> None:
    made_up_run(results, "random", 0, images=(0, 0), n_candidates=1)
    frame = load(results).frame
    said: dict[str, tuple[str, ...]] = {}
    for name, drawing in drawings():
        if drawing.__name__.startswith("analysis.tables."):  # type: ignore[attr-defined]
            said[name] = drawing.draw(frame, results).missing
    made = {path.name.partition("-nb201-")[0] for path in (results.root / "tables").iterdir()}
    assert made == {"main", "nb201", "gains", "cost", "claims"}
    for name in ("ranking", "selection", "protocol"):
        assert any("`python -m bench run" in words for words in said[name]), name


def test_a_table_of_a_study_that_is_not_whole_says_so(results: Results) -> None:
    for seed in range(2):
        made_up_run(results, "random", seed, scale=SCALES["first"], images=(0, 0))
    sheet = the_sheet(nb201, results)
    assert re.search(r"Partial: 2 of \d+ runs of study nb201 are in it\.", sheet.words)
    drawn = nb201.draw(load(results).frame, results)
    assert any(re.search(r"`python -m bench run nb201 --methods .*rsps.* --seeds 0 1`", said) for said in drawn.missing)


def test_a_long_grid_goes_on_in_another_table() -> None:
    grid = Grid("Long", ("a", "b"), tuple((cell_of(n), cell_of(n)) for n in range(2 * PAGE + 1)))
    parts = pages(grid)
    assert [len(part.rows) for part in parts] == [PAGE, PAGE, 1]
    assert [part.title for part in parts] == ["Long", "Long, continued", "Long, continued"]
    assert sum((part.rows for part in parts), ()) == grid.rows
    assert latex(parts[2]).count(r"\\") < latex(grid).count(r"\\")
    assert [len(part.rows) for part in pages(Grid("Empty", ("a",), ()))] == [0]


def cell_of(number: int) -> Any:
    from analysis.tables.grid import Cell

    return Cell(str(number))
