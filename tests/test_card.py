"""The card of a method: its numbers are those of the tables, it is one page, and it says what stands beside what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import stats
from analysis.card import content, layout, page, pdf
from analysis.load import load, settings
from analysis.tables import claims, main
from bench.cli.commands import main as command_line
from bench.errors import BadRecord, UnknownName
from bench.store.record import Results
from tests.test_analysis import made_up_run
from tests.test_report import Node, Tree

NOBODY = dict.fromkeys(content.FIELDS)
HEP = content.About(
    "hep", "methods/hepnas.py", "HEP-NAS (someone, 2025).\n\nEdges are cut `together`.\n\nDeviations: one."
)


def runs(results: Results, label: str, values: list[float], images: int, protocol: str = "", **others: Any) -> None:
    config = {"protocol": protocol} if protocol else {}
    for seed, value in enumerate(values):
        numbers = {"tau": value, "tau_cross_entropy": value / 2, "test": 80 + 10 * value, "rank": round(1_000 * value)}
        told = {"random_mean": 84.0, "beaten": value, **numbers, **others}
        made_up_run(results, label, seed, images=(images, images), config=config, name=label.split("(")[0], **told)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A search in both protocols, its base, a one-shot search at about as many images, one at ten times as many, an
    ablation that a claim is about, and what takes no image."""
    results = Results(tmp_path_factory.mktemp("card") / "results")
    runs(results, "hep", [0.30, 0.42, 0.38, 0.51], 30_000, "paper")
    runs(results, "hep(protocol=fair)", [0.25, 0.33, 0.39, 0.41], 3_000, "fair")
    runs(results, "hep-no-smd", [0.28, 0.35, 0.41, 0.40], 20_000, "paper")
    runs(results, content.BASES["hep"], [0.20, 0.31, 0.33, 0.28], 2_990)
    runs(results, "darts", [0.11, 0.22, 0.19, 0.27], 3_300)
    runs(results, "rsps", [0.41, 0.44, 0.47], 300_000)
    runs(results, "parameters", [0.46], 0)
    runs(results, "largest", [0.44], 0, tau=None, tau_cross_entropy=None)
    runs(results, "random", [0.5, 0.2, 0.9], 0, tau=None, tau_cross_entropy=None)
    lost = {"test": None, "config": {"protocol": "paper"}, "name": "hep"}
    made_up_run(results, "hep", 4, status="diverged", **lost)
    made_up_run(results, "hep", 5, status="failed", scored=False, **lost)
    return results


@pytest.fixture(scope="module")
def frame(results: Results) -> pd.DataFrame:
    return load(results).frame


@pytest.fixture(scope="module")
def card(results: Results, frame: pd.DataFrame) -> content.Card:
    return content.make(HEP, frame, results, NOBODY)


@pytest.fixture(scope="module")
def html(card: content.Card) -> Node:
    return Tree(page.render(card)).root


def rows(card: content.Card) -> dict[str, content.Row]:
    return {row.line.label: row for group in card.groups for row in group.rows}


def mean(values: Any) -> tuple[float, float, float, int]:
    return tuple(values[name] for name in ("mean", "low", "high", "n"))  # type: ignore[return-value]


def nan(value: float | None) -> float:
    return float("nan") if value is None else value


def test_its_means_and_intervals_are_those_of_the_main_table(card: content.Card, frame: pd.DataFrame) -> None:
    ((setting, of),) = settings(frame, by_target=False)
    known = main.numbers(setting, of)
    found = rows(card)
    compared = 0
    for label, row in found.items():
        quantities = {"tau": row.line.tau, "test": row.line.test, "rank": row.line.rank}
        for name, said in quantities.items():
            ours = known[(known["label"] == label) & (known["quantity"] == name)]
            if said.mean is not None and len(ours):
                assert mean(ours.iloc[0]) == pytest.approx([*map(nan, mean(vars(said)))], nan_ok=True)
                compared += 1
        spent = known[(known["label"] == label) & known["quantity"].isin(["forward_images", "backward_images"])]
        assert spent["mean"].sum() * 1_000 == pytest.approx(row.line.images)
    assert compared == 5 * 3 + 3 + 2 + 2  # searches, a size, and two that rank nothing


def test_its_claims_are_those_of_the_table_of_claims(card: content.Card, results: Results, frame: pd.DataFrame) -> None:
    ((setting, of),) = settings(frame, by_target=False)
    table = claims.sheet(setting, of, results).data
    for role, told in (("claim", card.claims), ("random", card.random)):
        own = table[(table["role"] == role) & table["label"].isin(["hep", "hep(protocol=fair)"]) & (table["n"] > 0)]
        assert len(own) == len(told) > 0
        for (_, line), one in zip(own.iterrows(), told, strict=True):
            assert one.verdict == line["verdict"]
            assert int(one.n) == line["n"]
            sizes = [
                float(number.replace("\N{MINUS SIGN}", "-")) for number in re.findall(r"[-+−\d.]+", one.difference)
            ]
            assert sizes == pytest.approx([line["mean"], line["low"], line["high"]], abs=0.006)
            assert float(one.p) == pytest.approx(line["p_holm"], abs=0.0006)
            assert float(one.shown) == pytest.approx(line["could_show"], abs=0.006)


def test_baselines_stand_where_their_images_are(card: content.Card) -> None:
    groups = [(group.title, [row.line.label for row in group.rows]) for group in card.groups]
    assert [labels for _, labels in groups] == [
        ["hep"],
        ["hep(protocol=fair)", content.BASES["hep"], "darts"],
        ["rsps"],
        ["random", "largest", "parameters"],
    ]
    assert [row.own for group in card.groups[:2] for row in group.rows] == [True, True, False, False]
    assert rows(card)["hep"].collapsed == "2 of 4"  # 83.0 and 83.8 are below 84.0


def test_a_search_is_compared_with_its_base_and_with_what_takes_about_its_images(card: content.Card) -> None:
    pairs = [(one.words, one.measure, one.images) for one in card.beside]
    base, darts = ("DARTS, batch 128", "DARTS")
    assert pairs == [
        (f"HEP-NAS, paper against {base}", "tau, cross-entropy", "10.03"),
        (f"HEP-NAS, paper against {base}", "test (points)", "10.03"),
        (f"HEP-NAS, fair against {base}", "tau, cross-entropy", "1.00"),
        (f"HEP-NAS, fair against {base}", "test (points)", "1.00"),
        (f"HEP-NAS, fair against {darts}", "tau, cross-entropy", "0.91"),
        (f"HEP-NAS, fair against {darts}", "test (points)", "0.91"),
    ]
    assert all(one.n == "4" for one in card.beside)
    paper = stats.paired({0: 0.15, 1: 0.21, 2: 0.19, 3: 0.255}, {0: 0.10, 1: 0.155, 2: 0.165, 3: 0.14})
    assert card.beside[0].difference.startswith(f"+{paper.difference.mean:.3f} [")
    assert paper.student is not None
    assert float(card.beside[0].p) >= round(paper.student, 3)


def test_sentences_say_clearly_only_where_the_whole_interval_lies_beyond(card: content.Card) -> None:
    said = dict(card.sentences)
    assert "not clearly apart from counting parameters (0.460)" in said["Ranking"]
    assert "clearly below it" in said["Ranking"]  # at equal images no run reaches 0.46
    assert "2 of 4 worse than the mean architecture" in said["Choice"]
    assert said["Cost"].startswith(
        "A search passes 60,000 images" if card.lines[0].images < 10_000 else "A search passes"
    )


def test_it_tells_of_runs_that_were_lost(card: content.Card) -> None:
    assert dict(card.place)["runs"] == "8 done, 1 diverged, 1 failed"
    assert layout.cells(rows(card)["hep"])[1] == "4 (2 lost)"
    assert dict(card.place)["seeds"] == "0 to 5"


def test_the_page_holds_what_the_card_holds(card: content.Card, html: Node) -> None:
    shown = {tuple(cell.text for cell in row.children) for row in html.all("tr")}
    for row in rows(card).values():
        texts = layout.cells(row)
        assert any(set(texts) <= set(cells) for cells in shown), texts
    assert [node.text for node in html.all("pre")] == list(card.commands)
    assert len(html.classed("checks")[0].all("li")) == len(card.answers)
    assert [node.text for node in html.all("code")][:2] == ["hep", "together"]


def test_the_pdf_holds_the_same_on_one_page_and_equal_cards_are_equal_bytes(card: content.Card) -> None:
    made = pdf.render(card)
    assert made == pdf.render(card)
    assert len(re.findall(rb"/Type /Page\b", made)) == 1
    texts = {text for part in pdf.story(card, 500.0) for text in plain(part)}
    for row in rows(card).values():
        assert set(layout.cells(row)) <= texts
    for one in (*card.claims, *card.beside, *card.random):
        assert {one.words, one.difference, one.p, one.shown, one.verdict} <= texts
    assert set(card.commands) <= texts
    assert {answer.asks for answer in card.answers} <= texts


def plain(part: Any) -> Iterator[str]:
    """The texts of a part of the page, and of the parts in it."""
    if hasattr(part, "getPlainText"):
        yield part.getPlainText(identify=None)
    for inside in part if isinstance(part, list | tuple) else getattr(part, "_cellvalues", ()):
        yield from plain(inside)


def test_much_to_say_is_still_one_page(results: Results, frame: pd.DataFrame) -> None:
    words = "Much (someone, 2025).\n\n" + "A long idea, told <at> length & with signs such as \u03b1 and \u2192. " * 60
    much = content.make(content.About("hep", "methods/hepnas.py", words), frame, results, NOBODY)
    assert len(re.findall(rb"/Type /Page\b", pdf.render(much))) == 1
    assert "told <at> length & with" in Tree(page.render(much)).root.text


def test_a_method_without_a_search_has_a_card_too(results: Results, frame: pd.DataFrame) -> None:
    made = content.make(content.About("parameters", "methods/free.py", "Sizes."), frame, results, NOBODY)
    assert made.groups[0].title.startswith("No image")
    assert "Cost" not in dict(made.sentences)
    assert pdf.render(made).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("label", "wanted", "error", "said"),
    [
        ("snas", {}, BadRecord, "no scored run of snas; make some with `python -m bench run --methods snas"),
        ("hep", {"scale": "smal"}, UnknownName, "unknown scale of these results 'smal'; did you mean 'small'?"),
        ("hep", {"dataset": "cifar10"}, UnknownName, "unknown image set of these results 'cifar10'"),
    ],
)
def test_what_has_no_runs_is_said(
    results: Results, frame: pd.DataFrame, label: str, wanted: dict[str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as found:
        content.make(content.About(label, "f.py", "A."), frame, results, {**NOBODY, **wanted})
    assert said in str(found.value)


def test_a_setting_in_which_the_method_has_no_run_is_said_with_those_in_which_it_has(tmp_path: Path) -> None:
    results = Results(tmp_path)
    runs(results, "darts", [0.1, 0.2], 100)
    made_up_run(results, "rsps", 0, dataset="cifar10-jpeg", targets=("cifar10",), truth="official")
    with pytest.raises(BadRecord, match=r"darts has no scored run with dataset cifar10-jpeg; it has some in: nb201"):
        content.make(
            content.About("darts", "f.py", "A."), load(results).frame, results, {**NOBODY, "dataset": "cifar10-jpeg"}
        )


def test_the_command_writes_both_and_refuses_in_one_line(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    where = ("--results", str(results.root))
    assert command_line(["card", "hep", "--json", *where]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(Path(name).suffix for name in told["files"]) == [".html", ".pdf"]
    assert all(Path(name).stat().st_size > 5_000 for name in told["files"])
    for words, said in (
        (["card", "hepp"], "error: unknown method 'hepp'; did you mean 'hep'?"),
        (["card"], "error: card takes a method; "),
        (["card", "snas"], "holds no scored run of snas"),
        (["card", "hep", "--truth", "tabel"], "unknown truth of these results 'tabel'; did you mean 'table'?"),
    ):
        assert command_line([*words, *where]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
