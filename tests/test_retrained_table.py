"""The table of retrained cells: from records to lines."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from analysis.tables import retrained as table
from bench.spaces.darts import SPACE
from bench.store import retrained
from bench.store.record import Results
from bench.store.retrained import Retrained
from bench.store.spec import SCALES, key_of, plain
from tests.published_cells import V1, V2

RECIPE = {"name": "darts-cifar", "epochs": 600}
OTHER = SPACE.population.at(5)


def _record(genotype: tuple[int, ...], seed: int, error: float, scale: str = "quick", epochs: int = 600) -> Retrained:
    recipe = {**RECIPE, "epochs": epochs}
    identity = retrained.identity(recipe, plain(SCALES[scale]), "darts", genotype, "cifar10", seed)
    cost = {"forward_images": 1, "backward_images": 1, "wall_s": 1.0, "processes": 1}
    named = (
        SPACE.show(genotype),
        error,
        0.25,
        3_349_342,
        528_359_040,
        10_000,
        ({"epoch": 1.0},),
        cost,
        {"code": "c"},
        (),
    )
    return Retrained(key_of(identity), identity, *named)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """DARTS_V2 from three seeds, another cell from one; one of them at the paper's scale; one by another recipe."""
    found = Results(tmp_path)
    for seed, error in enumerate((2.0, 3.0, 4.0)):
        retrained.save(found, _record(SPACE.parse(V2), seed, error))
    retrained.save(found, _record(OTHER, 0, 2.5))
    retrained.save(found, _record(SPACE.parse(V1), 0, 3.1, scale="paper"))
    retrained.save(found, _record(OTHER, 0, 9.0, epochs=10))
    return found


def test_a_line_is_the_mean_of_its_records(results: Results) -> None:
    records = [r for r in retrained.records(results) if r.identity["scale"]["name"] == "quick"]
    records = [r for r in records if r.identity["recipe"]["epochs"] == 600]
    other, second = table.lines(records, {})
    assert (other["name"], other["n"], other["error"], other["error_std"]) == ("", 1, 2.5, None)
    assert (second["name"], second["n"], second["error"], second["error_std"]) == ("DARTS (second order)", 3, 3.0, 1.0)
    assert (second["error_best"], second["paper"]) == (2.0, "2.76 ± 0.09")
    assert len(second["keys"].split()) == 3


def test_scales_and_recipes_share_no_table_and_another_scale_is_said(results: Results) -> None:
    drawn = table.draw(pd.DataFrame(), results)
    pages = {path.stem: path.read_text() for path in drawn.paths if path.suffix == ".md"}
    assert len(pages) == 3
    assert len(drawn.paths) == 9
    paper = next(text for name, text in pages.items() if "paper" in name)
    assert "3.00 ± 0.14" in paper
    assert "another scale" not in paper
    quick = next(text for text in pages.values() if "second order" in text)
    assert "2.76 ± 0.09 (another scale)" in quick
    assert "3.00 ± 1.00" in quick
    assert SPACE.show(OTHER) in quick


def test_the_search_that_chose_a_cell_is_named() -> None:
    named = dataclasses.replace(_record(OTHER, 0, 2.5), searched=("a" * 16, "b" * 16))
    (line,) = table.lines([named], {"a" * 16: "darts"})
    assert line["chosen_by"] == "darts"
