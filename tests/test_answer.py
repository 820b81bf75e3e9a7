"""The sentences that are made by rule, against numbers set by hand; names and colours of searches; the first screen."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from analysis import answer, findings, papers, stats
from analysis.load import load, settings
from analysis.report import first
from bench.store.record import Results
from tests.test_analysis import made_up_run

YARD = {"parameters": 0.5, "multiply-adds": 0.55}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """What costs nothing: two sizes, and the largest architecture at rank 500."""
    results = Results(tmp_path / "results")
    for label, tau in YARD.items():
        made_up_run(results, label, 0, tau=tau, tau_top10=0.2, images=(0, 0), rank=500)
    made_up_run(results, "largest", 0, rank=500, images=(0, 0))
    return results


def searched(results: Results, label: str, taus: list[float], ranks: list[int], **others: object) -> None:
    for seed, (tau, rank) in enumerate(zip(taus, ranks, strict=True)):
        made_up_run(results, label, seed, tau=tau, rank=rank, **others)  # type: ignore[arg-type]


def told(results: Results, protocol: str = "both") -> dict[str, str]:
    ((setting, rows),) = settings(load(results).frame, by_target=True)
    return dict(answer.answer(setting, rows, protocol, answer.claims_of(results.root, setting, "patches")).sentences)


def test_clearly_better_means_that_the_whole_interval_lies_beyond(results: Results) -> None:
    searched(results, "rsps", [0.45, 0.55, 0.65], [400, 600, 700])  # its mean lies above 0.5, its interval around it
    said = told(results)
    assert said["Ranking"].startswith(
        "None of 1 searches ranks clearly better than counting parameters does (tau 0.500)"
    )
    assert (
        "RSPS, reaches tau 0.550 [0.450, 0.650] (n = 3); the noise of the truth would allow 0.900." in said["Ranking"]
    )
    searched(results, "snas", [0.6, 0.7, 0.8], [100, 200, 300])
    said = told(results)
    assert said["Ranking"].startswith("One of 2 searches ranks clearly better")
    assert "the best, SNAS, reaches tau 0.700" in said["Ranking"]
    assert "is 500th of 15,625; one of 2 searches chooses clearly better, first SNAS at mean rank 200" in said["Choice"]
    assert "Claims" not in said


def test_fewer_than_three_seeds_have_no_interval_and_say_so(results: Results) -> None:
    searched(results, "rsps", [0.3, 0.4], [100, 900])
    said = told(results)
    assert (
        "in any run; with 2 seeds, too few for an interval, the best, RSPS, reaches tau 0.350 (n = 2)"
        in said["Ranking"]
    )
    assert said["Choice"].endswith("no search chooses better on average, the best being RSPS at mean rank 500 (n = 2).")
    searched(results, "snas", [0.3, 0.6], [100, 200])
    said = told(results)
    assert said["Ranking"].startswith(
        "One of 2 searches ranks better than counting parameters does (tau 0.500) in some run"
    )
    assert said["Choice"].endswith(
        "SNAS at mean rank 150 (n = 2) chooses best, and 2 seeds are too few to tell the two apart."
    )


def test_searches_that_are_better_on_average_alone_are_called_about_as_good(results: Results) -> None:
    searched(results, "rsps", [0.3] * 3, [100, 300, 1_000])
    said = told(results)["Choice"]
    assert "choose about as well and none clearly better: RSPS (467 [100, 1,000], n = 3), by mean rank." in said


def test_protocols_are_told_apart_and_ablations_are_left_out(results: Results) -> None:
    searched(results, "hep", [0.3] * 3, [900] * 3, config={"protocol": "paper"})
    searched(results, "hep(protocol=fair)", [0.4] * 3, [800] * 3, config={"protocol": "fair"})
    searched(results, "hep-no-smd", [0.9] * 3, [1] * 3, config={"protocol": "paper"})
    found = answer.answers(load(results).frame, results.root)
    assert [(of.protocol, [line.label for line in of.lines], of.further) for of in found] == [
        ("paper", ["hep"], 1),
        ("fair", ["hep(protocol=fair)"], 0),
    ]


def test_without_yardsticks_the_best_is_named_alone(tmp_path: Path) -> None:
    results = Results(tmp_path)
    searched(results, "rsps", [0.3, 0.4, 0.5], [7, 8, 9])
    said = told(results)
    assert said["Ranking"].startswith("Of 1 estimator the best, RSPS, reaches tau 0.400")
    assert said["Choice"] == "The best choice is that of RSPS at mean rank 8 [7, 9] (n = 3), of 15,625 architectures."


def test_claims_are_counted_from_their_table(results: Results) -> None:
    searched(results, "rsps", [0.3] * 3, [7, 8, 9])
    (results.root / "tables").mkdir()
    ((setting, _),) = settings(load(results).frame, by_target=False)
    head = "role,target,label,second,paper,claim,quantity,n,mean,low,high,verdict\n"
    rows = (
        "claim,patches,fewshot-snas,snas-longer,Few-Shot NAS,a,test,6,-0.49,-0.96,-0.02,against",
        "claim,patches,hep,gm-darts,HEP-NAS,b,tau,5,0.1,-0.1,0.3,undecided",
        "claim,patches,hep,gm-darts,HEP-NAS,c,test,0,,,,not run",
        "random,patches,rsps,,,chooses better than random,beaten,5,0.2,0.1,0.3,for",
    )
    (results.root / "tables" / f"claims-{setting.slug}.csv").write_text(head + "\n".join(rows) + "\n")
    assert told(results)["Claims"] == (
        "2 of the papers' claims have runs; the seeds bear out none, speak against 1 and leave 1 undecided, "
        "uncorrected for 2 looks: Few-Shot NAS on SNAS chooses 0.49 points [0.02, 0.96] worse than SNAS trained "
        "longer (6 pairs)."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (112, "112th"), (1_002, "1,002nd"), (685, "685th")],
)
def test_ordinals(value: int, text: str) -> None:
    assert answer.ordinal(value) == text


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("rsps", "RSPS"),
        ("rsps-longer", "RSPS trained longer"),
        ("darts-2nd-longer", "DARTS, second order, trained longer"),
        ("fewshot-snas(protocol=fair)", "Few-Shot NAS on SNAS"),
        ("random-best-of-10", "Best of 10 trained alone"),
        ("my-own", "my-own"),
        ("darts(training.epochs=10)", "DARTS, first order (training.epochs=10)"),
    ],
)
def test_names_of_searches(label: str, name: str) -> None:
    assert papers.search(label).name == name


def test_variants_keep_the_colour_of_their_paper_and_new_papers_differ() -> None:
    assert papers.search("gm-snas").ink == papers.search("gm-darts(protocol=fair)").ink
    assert papers.search("one").ink == papers.search("one(lr=1)").ink or papers.search("one").paper == "one"
    shipped = {papers.search(label).ink for label in ("rsps", "snas", "darts", "fewshot", "gm-rsps", "hep", "fade")}
    assert len(shipped) == 7
    assert papers.search("one").ink not in shipped


def _contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "label", ["rsps", "snas", "darts", "fewshot", "gm-rsps", "hep", "fade", "random-best-of-10", "x", "y"]
)
def test_inks_can_be_read_on_paper_and_on_a_dark_screen(label: str) -> None:
    found = papers.search(label)
    assert _contrast(found.ink, "#FFFFFF") >= 5
    assert _contrast(found.dark, "#14171A") >= 5


def test_a_row_of_the_first_table_stands_where_its_values_are(results: Results) -> None:
    searched(results, "rsps", [0.2, 0.3, 0.4], [400, 600, 800])
    (of,) = answer.answers(load(results).frame, results.root)
    (view,) = first.views([of], {})
    (row,) = view.rows
    (zero,) = [at for text, at in view.ticks if text == "0.0"]
    (fifth,) = [at for text, at in view.ticks if text == "0.2"]
    assert row.accuracy is not None
    assert row.accuracy.at == pytest.approx(zero + 1.5 * (fifth - zero), abs=0.02)  # 0.3
    assert (row.tau, row.interval) == ("0.300", "[0.200, 0.400]")
    assert [(yard.kind, yard.side) for yard in view.yards] == [
        ("parameters", "left"),
        ("adds", "right"),
        ("ceiling", "left"),
    ]
    assert "RSPS: mean rank 600 [400, 800], 4,000 images" in view.choices


def test_circles_are_moved_apart() -> None:
    places = [(100.0, 50.0, at, None) for at in range(3)]
    moved = first._apart(places)  # type: ignore[arg-type]
    xs = sorted(x for x, _, _, _ in moved)
    assert all(b - a >= first.GAP for a, b in pairwise(xs))


def test_a_caption_begins_with_what_is_found(results: Results) -> None:
    searched(results, "rsps", [0.2, 0.3, 0.4], [400, 600, 800])
    ((setting, rows),) = settings(load(results).frame, by_target=True)
    assert findings.found("main", setting, rows).startswith("The largest architecture is 500th; none of 1 searches")
    assert findings.found("cells", setting, rows) == ""
    assert stats.LEAST_RUNS == 3  # what these tests count by
