"""Claims and their verdicts on made-up runs: pairs, draws, parents and corrections by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from scipy.stats import kendalltau, ttest_1samp

from analysis.load import load, settings, targets_of
from analysis.report.markup import verdict_of
from analysis.tables import claims, judging
from analysis.tables.judging import Claim, Judged, judged
from analysis.tables.measures import TAU_CE, TEST, with_cross_entropy
from bench.store.parents import parent_of
from bench.store.record import Results
from bench.store.spec import described
from methods.fewshot import VARIANTS as FEW_SHOT
from methods.gmnas import VARIANTS as GM
from methods.hepnas import VARIANTS as HEP
from methods.rsps import VARIANTS as RSPS
from tests.test_analysis import made_up_run

PAIR = Claim("P", "a beats b", "fewshot-rsps", "rsps-longer", TEST)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def rows_of(results: Results) -> pd.DataFrame:
    """The prepared rows of the only setting and target."""
    ((setting, rows),) = settings(load(results).frame, by_target=False)
    ((_, part),) = targets_of(setting, claims.prepared(setting, rows, results))
    return part


def judge(results: Results, *asked: Claim) -> list[Judged]:
    return judged(asked or (PAIR,), rows_of(results), results)


def both(results: Results, differences: list[float], **second: Any) -> None:
    for seed, difference in enumerate(differences):
        made_up_run(results, "fewshot-rsps", seed, test=90.0 + difference)
        made_up_run(results, "rsps-longer", seed, test=90.0, **second)


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.2], "for"),
        ([-1.0, -1.1, -0.9, -1.0, -1.2], "against"),
        ([0.05, -0.05, 0.02, -0.02, 0.0], "equal"),
        ([0.08, 0.1, 0.09, 0.11, 0.1], "equal"),  # surely above 0, and surely too small to matter
        ([0.1, -0.4, 0.5, -0.1, 0.2], "undecided"),
        ([0.2, 0.3, 0.15, 0.3, 0.2], "for"),  # the interval reaches beyond the margin
        ([1.0, 1.1], "undecided"),
        ([1.0, 1.0, 1.0], "undecided"),  # copies
    ],
)
def test_the_verdict_follows_from_interval_and_margin(results: Results, differences: list[float], verdict: str) -> None:
    both(results, differences)
    (found,) = judge(results)
    assert found.verdict == verdict
    if verdict == "equal":
        wide = ttest_1samp(differences, 0).confidence_interval(0.95)
        assert -0.2 <= wide.low < wide.high <= 0.2


def test_claims_are_corrected_together(results: Results) -> None:
    """p of 0.02 decides a claim alone, and not as one of three; the number of tests is that of claims with a p."""
    both(results, [0.3, 1.8, 0.5, 1.9, 1.0])
    for seed in range(5):
        for label in ("hep", "hep-no-smd", "darts-2nd", "darts"):
            made_up_run(results, label, seed, test=80.0 + float(np.random.default_rng(seed + len(label)).normal()))
    alone = judge(results)[0]
    p = ttest_1samp([0.3, 1.8, 0.5, 1.9, 1.0], 0).pvalue
    assert 0.05 / 3 < p < 0.05
    assert (alone.verdict, alone.claims, alone.level) == ("for", 1, 0.05)
    assert alone.found.student == pytest.approx(p)
    others = (Claim("", "", "hep", "hep-no-smd", TEST), Claim("", "", "darts-2nd", "darts", TEST))
    absent = Claim("", "", "fade", "fade-random", TEST)
    first, *rest, last = judge(results, PAIR, *others, absent)
    assert (first.verdict, first.claims) == ("undecided", 3)
    assert first.corrected == pytest.approx(3 * p)
    assert (last.verdict, last.corrected) == ("not run", None)
    assert len(rest) == 2
    assert alone.shown is not None
    assert first.shown is not None
    assert first.shown > alone.shown  # of three claims each can show less


def test_draws_count_once(results: Results) -> None:
    """Seed 0 has three draws of its random groups, of mean 88; seed 1 one."""
    drawn = ("gm-rsps-random", "gm-rsps-random(grouping.draw=1)", "gm-rsps-random(edges.draw=2, grouping.draw=2)")
    for label, test in zip(drawn, (87.0, 88.0, 89.0), strict=True):
        made_up_run(results, label, 0, test=test)
    made_up_run(results, drawn[0], 1, test=91.0)
    for seed in range(2):
        made_up_run(results, "gm-rsps", seed, test=90.0)
    (found,) = judge(results, Claim("", "", "gm-rsps", "gm-rsps-random", TEST))
    assert (found.found.difference.mean, found.found.difference.n) == ((2.0 - 1.0) / 2, 2)
    assert len(found.second) == 4
    assert judging.without_draws(drawn[2]) == "gm-rsps-random"
    assert judging.without_draws("gm-rsps(base.withdrawn=1)") == "gm-rsps(base.withdrawn=1)"


def test_a_study_may_set_its_methods_otherwise(results: Results) -> None:
    """The configuration that others of its name only add to; none where two are apart, or under another protocol."""
    made_up_run(results, "gm-rsps(levels=83)", 0)
    made_up_run(results, "gm-rsps(grouping.groups=random, levels=83)", 0)
    made_up_run(results, "hep(protocol=fair)", 0, config={"protocol": "fair"})
    made_up_run(results, "fewshot(levels=1)", 0)
    made_up_run(results, "fewshot(levels=2)", 0)
    rows = rows_of(results)

    def labels(name: str) -> set[str]:
        return set(judging.side(rows, name)["label"])

    assert labels("gm-rsps") == {"gm-rsps(levels=83)"}
    assert labels("gm-rsps(grouping.groups=random)") == {"gm-rsps(grouping.groups=random, levels=83)"}
    assert labels("hep") == labels("fewshot") == set()


def test_other_budgets_and_other_estimates_are_not_compared(results: Results) -> None:
    for seed in range(3):
        made_up_run(results, "hep", seed, test=91.0 + seed, config={"protocol": "paper"})
        made_up_run(results, "hep-no-smd", seed, test=90.0, config={"protocol": "fair"})
    (found,) = judge(results, Claim("", "", "hep", "hep-no-smd", TEST))
    assert (found.verdict, found.why) == ("not comparable", "budgets differ: paper against fair")
    ((setting, rows),) = settings(load(results).frame, by_target=False)
    sheet = claims.sheet(setting, rows, results)
    (said,) = claims.refused(setting, sheet.data)
    assert said.startswith("claims nb201-patches-")
    assert "hep and hep-no-smd are not comparable: budgets differ" in said


def test_estimates_on_other_images_are_not_compared(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    both(results, [1.0, 1.1, 0.9])
    rows = rows_of(results)
    on = {
        str(key): {"fewshot-rsps": 250, "rsps-longer": 6_000}[label]
        for key, label in zip(rows["key"], rows["label"], strict=True)
    }
    plain = judging.record_of

    def recorded(results: Results, key: str) -> Any:
        return replace(plain(results, key), estimates={"images": on[key]})

    monkeypatch.setattr(judging, "record_of", recorded)
    ranking, choice = judged((replace(PAIR, measure=TAU_CE), PAIR), rows, results)
    assert ranking.why == "estimates differ: on 250 against 6,000 images"
    assert (ranking.verdict, choice.verdict) == ("not comparable", "for")


def test_two_searches_begin_with_one_parent_where_their_first_phase_is_one() -> None:
    def parent(method: Any) -> str | None:
        return parent_of(described(method))

    few, gm, hep = FEW_SHOT["fewshot-rsps"], GM["gm-rsps"], HEP["hep"]
    assert parent(gm) == parent(GM["gm-rsps-random"])
    assert parent(few) == parent(replace(few, final=5 * few.final))  # fresh children: their time is not the parent's
    assert parent(few) == parent(replace(few, base=replace(few.base, candidates=7)))
    assert parent(few) != parent(replace(few, levels=(1,)))
    assert parent(few) != parent(gm)
    assert parent(hep) == parent(HEP["hep-no-smd"]) == parent(HEP["hep-reversed"])
    assert parent(hep) != parent(replace(hep, levels=(10, 10)))  # one cosine spans all levels
    assert parent(hep) != parent(HEP["hep-edgewise"])
    assert parent(replace(few, protocol="fair")) is None
    assert parent(FEW_SHOT["fewshot"]) is None  # cuts an untrained supernet
    alone = RSPS["rsps"]  # a search of its own is what others go on from
    assert parent(alone) == parent(replace(few, base=alone, levels=(250,))) != parent(few)


def test_the_upper_half_and_size_by_cross_entropy(results: Results) -> None:
    """Accuracy orders all 20 cells as the truth does; cross-entropy does so below its middle, and reverses the half
    above. Given parameters, by Kendall's formula from three plain taus."""
    truth = np.arange(20.0) + 60
    loss = np.where(truth >= 70, truth, 100 - truth)
    key = made_up_run(results, "rsps-longer", 0, tau_top50=1.0, pairs=(list(truth / 100), list(truth)))
    columns = {
        "position": np.arange(20, dtype=np.int32),
        "accuracy": (truth / 100).astype(np.float32),
        "cross_entropy": loss.astype(np.float32),
    }
    pyarrow.parquet.write_table(pa.table(columns), results.estimates_path(key))
    (row,) = rows_of(results).to_dict("records")
    assert (row["tau_top50"], row["upper_cross_entropy"]) == (1.0, pytest.approx(-1.0))
    sizes = np.arange(20) % 7  # as made-up truths have them
    xy, xz, yz = (kendalltau(a, b).statistic for a, b in ((-loss, truth), (-loss, sizes), (truth, sizes)))
    assert row["partial_cross_entropy"] == pytest.approx((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("equal", "equal"),
        ("for (at 1.92 times the images)", "for"),
        ("against (at 0.50 times the images)", "against"),
        ("for (n = 5)", ""),
    ],
)
def test_verdicts_are_read_back(text: str, verdict: str) -> None:
    assert verdict_of(text) == verdict


def test_a_search_of_our_own_is_judged_by_what_was_not_seen(results: Results) -> None:
    """Where half of the cells was looked at, by the other half: by hand from what files hold; elsewhere by all."""
    from bench.runs import probe
    from bench.scoring import halves

    rng = np.random.default_rng(0)
    truth = rng.uniform(60, 90, 40).round(2)
    for label in ("mine(protocol=fair)", "rsps(candidates=20)"):
        for seed in range(2):
            key = made_up_run(results, label, seed, pairs=(truth / 100, truth), test=70.0 + seed)
            entropy = 9 - truth / 10 + rng.normal(0, 0.5, 40)
            told = np.arange(40, dtype=np.int32), np.stack([truth / 100, entropy], axis=1)
            results.estimates_path(key).write_bytes(probe.to_bytes(told))
    asked = judging.of_own(("mine(protocol=fair)",), ("rsps(candidates=20)", "fade(rounds=4)"))
    assert [(claim.second, claim.measure.source) for claim in asked] == [
        ("rsps(candidates=20)", "unseen_tau"),
        ("rsps(candidates=20)", "unseen_test"),
        ("fade(rounds=4)", "unseen_test"),
    ]
    assert judging.of_own((), ("rsps",)) == ()
    frame = load(results).frame
    ((setting, rows),) = settings(frame, by_target=False)
    found = with_cross_entropy(setting, rows, results)
    beyond = with_cross_entropy(replace(setting, dataset="cifar10-jpeg"), rows, results)
    for (_, row), (_, other) in zip(found.iterrows(), beyond.iterrows(), strict=True):
        keys, values = probe.read(results.estimates_path(row["key"]))
        entropy = values[:, 1]
        assert other["unseen_test"] == row["test"]
        assert other["unseen_tau"] == pytest.approx(kendalltau(-entropy, truth).statistic)
        unseen = halves.unseen("nb201", keys)  # each is a class of its own here, of its number
        assert row["unseen_tau"] == pytest.approx(kendalltau(-entropy[unseen], truth[unseen]).statistic)
        assert row["unseen_test"] == pytest.approx(truth[unseen][entropy[unseen].argmin()], abs=1e-4)
