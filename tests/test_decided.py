"""What a study decides, from tables that are written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import decided, power
from analysis.generated import update
from analysis.tables.grid import Grid
from bench.errors import BadRecord

SCALE = "decisive+channels=16"


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> None:
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "tables" / f"{kind}-nb201-patches.csv", index=False)


def claim(second: str, quantity: str, mean: float, half: float, verdict: str, **told: Any) -> dict[str, Any]:
    row = {"role": "claim", "label": "then-gm", "second": second, "quantity": quantity, "paper": "GM-NAS", "n": 8}
    numbers = {"mean": mean, "low": mean - half, "high": mean + half, "sd": 0.02, "sd_unpaired": 0.04}
    rest = {"p_holm": 0.5, "claims": 4, "could_show": 0.03, "verdict": verdict, "claim": "one is better"}
    return {**row, **numbers, **rest, **told}


def quantities(label: str, of: dict[str, float], **told: Any) -> list[dict[str, Any]]:
    base = {"scale": SCALE, "label": label, "done": 8, **told}
    return [
        {**base, "quantity": name, "mean": mean, "low": mean - 0.01, "high": mean + 0.01} for name, mean in of.items()
    ]


@pytest.fixture
def study(tmp_path: Path) -> decided.Study:
    """Two arms, of which the dearer has twice the images, and one size; four claims."""
    folder = tmp_path / "studies" / "decisive"
    arms = {"gumbel": (0.48, 0.47, 600.0, 1.0, 90.0), "then-gm": (0.51, 0.50, 1_200.0, 3.0, 150.0)}
    ranking, main, cost = [], [], []
    for label, (entropy, accuracy, images, gmacs, seconds) in arms.items():
        ranking += quantities(label, {"tau_cross_entropy": entropy, "tau": accuracy, "tau_top10": 0.1})
        main += quantities(label, {"test": 93.0, "rank": 1234.0})
        paid = {"forward_images": images / 2, "backward_images": images / 2, "gmacs": gmacs, "device_s": seconds}
        cost += quantities(label, paid, phase="total") + quantities(label, {"gmacs": 99.0}, phase="weights")
    ranking += quantities("parameters", {"tau": 0.466})
    write(folder, "ranking", ranking)
    write(folder, "main", main)
    write(folder, "cost", cost)
    claims = [
        claim("gumbel", "tau_cross_entropy", 0.03, 0.01, "for", p_holm=0.001),
        claim("then-whole", "tau_cross_entropy", -0.002, 0.015, "equal", could_show=0.02),
        claim("then-few-shot", "tau_cross_entropy", -0.05, 0.06, "undecided", could_show=0.07, sd=0.05),
        claim("gumbel", "test", -0.5, 0.2, "against", p_holm=0.01),
        claim("gumbel", "tau", 0.5, 0.2, "undecided", role="measure", p_holm=None),
    ]
    write(folder, "claims", claims)
    return decided.Study(folder)


def cells(grid: Grid) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in grid.rows]


def test_only_tested_claims_are_compared(study: decided.Study) -> None:
    assert [one.verdict for one in study.comparisons] == ["for", "equal", "undecided", "against"]
    assert all(one.claims == 4 for one in study.comparisons)


def test_a_decided_difference_is_told_from_its_better_side(study: decided.Study) -> None:
    won, _, _, lost = study.comparisons
    assert won.named != lost.named[::-1]
    assert won.told.startswith(won.named[0])
    assert won.told.endswith(won.named[1])
    assert lost.told.startswith(lost.named[1])
    assert lost.told.endswith(lost.named[0])
    assert "0.030 [0.020, 0.040]" in won.told
    assert "0.50 [0.30, 0.70]" in lost.told


def test_sentences_hold_every_verdict_and_what_the_open_ones_could_have_shown(study: decided.Study) -> None:
    told = dict(decided.sentences(study))
    assert list(told) == ["Ranking", "Choice", "Size"]
    assert study.comparisons[0].told in told["Ranking"]
    assert study.comparisons[3].told in told["Choice"]
    assert "0.070" in told["Ranking"]  # the one that stays open
    assert "0.02" in told["Ranking"]  # the margin of the one that is equal
    assert "0.466" in told["Size"]
    assert "better" not in told["Size"]
    ranking = study.table("ranking")
    ranking.loc[ranking["label"] == "parameters", "mean"] = 0.53
    ranking.to_csv(study.root / "tables" / "ranking-nb201-patches.csv", index=False)
    assert "better" in dict(decided.sentences(decided.Study(study.root)))["Size"]
    assert "0.510" in told["Size"]


def test_in_short_the_clearest_stands_for_the_decided(study: decided.Study) -> None:
    told = decided.in_short(study)
    assert study.comparisons[0].told in told  # of the least p
    assert study.comparisons[3].told not in told


def test_arms_stand_by_cost_with_multiples_of_the_first(study: decided.Study) -> None:
    first, second, size = cells(decided.arms(study))
    assert (first[0], second[0]) == ("Gumbel mixture", "Gumbel, then GM-NAS")
    assert first[-2:] == ["0.60 M (1.00x)", "1.00e12 (1.00x)"]
    assert second[-2:] == ["1.20 M (2.00x)", "3.00e12 (3.00x)"]  # of all phases, not of one
    assert size[0] == "Parameter count"
    assert size[3] == "0.466 [0.456, 0.476]"


def test_pairing_compares_both_deviations(study: decided.Study) -> None:
    assert [row[-1] for row in cells(decided.pairing(study))] == ["0.50", "0.50", "1.25", "0.50"]


def test_what_fits_in_an_hour_and_a_day(study: decided.Study) -> None:
    """A pair takes 240 seconds: thirty in an hour of two cores, 720 in a day."""
    hour, day = decided.within(study)
    assert "30 pairs" in hour
    assert "720 pairs" in day
    assert f"{power.smallest_difference(0.02, 30):.3f}" in hour
    assert f"{power.smallest_difference(0.02, 720):.3f}" in day


def test_the_cheapest_arm_is_one_whose_interval_reaches_the_best(study: decided.Study) -> None:
    assert study.best.label == "then-gm"
    assert "also the cheapest" in decided.cheapest(study)
    rows = study.table("ranking")
    rows.loc[(rows["label"] == "gumbel") & (rows["quantity"] == "tau_cross_entropy"), "high"] = 0.501
    rows.to_csv(study.root / "tables" / "ranking-nb201-patches.csv", index=False)
    told = decided.cheapest(decided.Study(study.root))
    assert "Gumbel mixture" in told
    assert "50%" in told  # of the images
    assert "33%" in told  # of the multiply-adds


def test_recipes_name_the_best_the_cheapest_and_the_worst(study: decided.Study) -> None:
    told = decided.recipes(study)
    assert "3.0 times the multiply-adds" in told
    assert told.index("0.510") < told.index("0.480")


def test_a_study_without_tables_is_told_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"no table claims in .*; `python -m analysis --results"):
        _ = decided.Study(tmp_path).comparisons
    assert decided.studies(tmp_path) == []


def test_pages_take_the_study_of_their_results_folder(study: decided.Study, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    names = ("decision", "decision-arms", "decision-claims", "decision-pairing", "decision-means")
    page.write_text("\n".join(f"<!-- generated: {name} -->\n<!-- end -->" for name in names))
    text = update(page, pd.DataFrame(), tmp_path).read_text()
    assert study.comparisons[0].told in text
    assert text.count("| :---") == 3
    assert [one.root for one in decided.studies(tmp_path)] == [study.root]
