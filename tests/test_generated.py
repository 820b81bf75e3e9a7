"""The generated parts of a page: numbers of made-up scores in the table and in the sentences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis import definitions, generated
from analysis.drawings import drawings
from analysis.load import load
from bench.errors import BadRecord, UnknownName
from bench.store.record import Results
from bench.store.spec import SCALES
from tests.test_analysis import made_up_run

ROOT = Path(__file__).parent.parent
SPACE = {"random_mean": 80.25, "random_median": 85.5, "optimum": 95.0, "ranked": 1_001}


def made_up(root: Path) -> Results:
    """Of both image sets: two searches of two seeds, and what searches nothing."""
    results = Results(root)
    for one in (generated.FIRST, generated.WIDE, generated.EMBEDDED):
        kind = {
            "dataset": one.dataset,
            "scale": SCALES[one.scale],
            "truth": one.truth,
            "targets": [one.target],
            **SPACE,
        }
        for seed in range(2):
            numbers = {
                "test": 90.0 + seed,
                "rank": 100 + 10 * seed,
                "tau": 0.2 + seed / 10,
                "images": (2_000_000, 500_000),
            }
            made_up_run(results, "rsps", seed, **numbers, **kind)
            made_up_run(results, "snas", seed, test=70.0, rank=900, tau=-0.1, images=(1_000_000, 0), **kind)
        made_up_run(results, "largest", 0, test=93.0, rank=7, images=(0, 0), **kind)
        made_up_run(results, "parameters", 0, test=93.0, rank=7, tau=0.5, images=(0, 0), **kind)
        made_up_run(results, "multiply-adds", 0, test=93.0, rank=7, tau=0.6, images=(0, 0), **kind)
    return results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return made_up(tmp_path_factory.mktemp("made-up"))


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "").replace("\N{MINUS SIGN}", "-")) for found in re.findall(r"[\d,.]*\d", text)]


def rows_of(text: str) -> dict[str, list[str]]:
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines}


def test_the_table_holds_means_over_seeds(results: Results) -> None:
    rows = rows_of(generated.first_result(load(results).frame))
    assert rows["RSPS"] == ["90.50", "105", "0.25", "2.50 M"]
    assert rows["SNAS"] == ["70.00", "900", "\N{MINUS SIGN}0.10", "1.00 M"]
    free = [cells for name, cells in rows.items() if cells[3] == "0"]
    assert [cells[:2] for cells in free] == [["80.25", "501"], ["85.50", "501"], ["93.00", "7"]]
    assert free[2][2] == "0.50"  # the largest architecture ranks as parameters do


def test_the_sentences_hold_the_numbers_of_their_setting(results: Results) -> None:
    reading = generated.reading(generated.rows_of(generated.FIRST, load(results).frame))
    assert numbers(reading) == [1, 2, 105, 1_001, 7, 0.10, 0.25, 0.50, 0.60]
    assert reading.index("RSPS") < reading.index("SNAS")
    assert all(len(sentence.split()) <= 20 for sentence in reading.split(". "))


def test_only_what_stands_between_the_marks_is_written(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- generated: first-result -->\nold\n<!-- end -->\nafter\n")
    frame = load(results).frame
    generated.update(page, frame)
    once = page.read_text()
    assert once.startswith("before\n<!-- generated: first-result -->\n|")
    assert once.endswith("\n<!-- end -->\nafter\n")
    assert "old" not in once
    generated.update(page, frame)
    assert page.read_text() == once


def test_two_parts_are_made_each_for_itself(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    marks = [f"<!-- generated: {name} -->\n<!-- end -->\n" for name in generated.PARTS]
    page.write_text("between\n".join(marks))
    frame = load(results).frame
    generated.update(page, frame)
    made = [
        f"<!-- generated: {name} -->\n{make(frame, generated.RESULTS)}\n<!-- end -->\n"
        for name, make in generated.PARTS.items()
    ]
    assert page.read_text() == "between\n".join(made)


def test_what_cannot_be_made_is_refused(results: Results, tmp_path: Path) -> None:
    page, frame = tmp_path / "README.md", load(results).frame
    with pytest.raises(BadRecord, match="cannot read"):
        generated.update(page, frame)
    page.write_text("<!-- generated: nonsense -->\n<!-- end -->\n")
    with pytest.raises(UnknownName, match="nonsense"):
        generated.update(page, frame)
    page.write_text("<!-- generated: first-result -->\n<!-- end -->\n")
    with pytest.raises(BadRecord, match="no scores of"):
        generated.update(page, frame[frame["dataset"] != generated.FIRST.dataset])


@pytest.mark.parametrize("kind", ["tables", "figures"])
def test_every_drawing_is_defined_on_its_page(kind: str) -> None:
    page = (ROOT / "docs" / f"{kind}.md").read_text()
    (block,) = re.findall(rf"<!-- generated: definitions-of-{kind} -->\n(.*?)\n<!-- end -->", page, re.DOTALL)
    made = {"tables": definitions.tables, "figures": definitions.figures}[kind]()
    assert block == made, f"python -m analysis --readme docs/{kind}.md writes it anew"
    drawn = {name for name, module in drawings() if module.__name__.startswith(f"analysis.{kind}.")}
    assert set(re.findall(r"^### ([\w-]+)$", block, re.MULTILINE)) == drawn - {"embedded_ranks"}  # its caption defines
