"""Arms that go on from one parent differ in the cut alone: one beginning, equal images, equal choice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import methods
from bench.runs.run import Settings, execute
from bench.runs.study import CONTINUATIONS, DRAWS, STUDIES
from bench.store.record import Record
from bench.store.spec import Scale
from methods.matching import Matching
from methods.oneshot import OneShot
from tests import tiny

pytestmark = pytest.mark.usefixtures("images_once")

SCALE = Scale("tiny", 2, 1, 640, 64, 1 / 16, 4, 0, parts=True)
"""80 epochs become 5, of ten steps each: 50 for the parent, and 50, 2 x 25 or 5 x 10 for its children."""


def _quicker(method: Any) -> Any:
    """Matched on one batch, chosen among two architectures a leaf."""
    if isinstance(method, OneShot):
        return replace(method, rests=2)
    grouping = replace(method.grouping, batches=1) if isinstance(method.grouping, Matching) else method.grouping
    return replace(method, grouping=grouping, base=replace(method.base, rests=2))


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    folder = tmp_path_factory.mktemp("arms")
    specs = [
        replace(spec, scale=SCALE, method=_quicker(spec.method))
        for spec in STUDIES["decisive"].specs()
        if spec.seed == 0
    ]
    return {spec.label: execute(spec, Settings(folder, device="cpu", share=True), debug=True) for spec in specs}


def test_all_begin_with_one_parent_and_train_for_as_many_images(arms: dict[str, Record]) -> None:
    parent, others = arms["gumbel"], {label: record for label, record in arms.items() if label != "gumbel"}
    assert parent.place["shared"] == 0
    assert set(others) == {*CONTINUATIONS, *DRAWS}
    for label, record in others.items():
        assert record.place["shared"] >= 1, label
        assert record.cost["phases"]["weights"]["backward_images"] == 2 * 50 * 64, label
        assert parent.cost["phases"]["weights"]["backward_images"] == 50 * 64


def test_all_choose_among_as_many_architectures() -> None:
    for label in CONTINUATIONS:
        search = methods.get(label)
        leaves = {"then-whole": 1, "then-few-shot": 5}.get(label, 2)
        assert search.base.rests * leaves == 100
        assert search.final * leaves == 80


def test_random_groups_stand_on_the_edge_of_matching(arms: dict[str, Record]) -> None:
    def cut(label: str) -> tuple[list[int], list[list[int]]]:
        note = arms[label].details["tree"][0]["cut"]
        return note["edges"], note["splits"][str(note["edges"][0])]["groups"]

    matched, drawn, again = map(cut, ("then-gm", "then-random-groups", DRAWS[0]))
    assert matched[0] == drawn[0] == again[0]
    assert len({str(sorted(groups)) for _, groups in (matched, drawn, again)}) > 1
    for edges, groups in map(cut, ("then-random", DRAWS[1])):
        assert len(edges) == 1
        assert sorted(map(len, groups)) == [2, 3]
    assert arms["then-gm-afresh"].details["tree"][0]["cut"] == arms["then-gm"].details["tree"][0]["cut"]


def test_on_a_space_of_three_operations_an_edge_too(tmp_path: Path) -> None:
    record = execute(
        tiny.spec(methods.get("then-few-shot", "toy"), scale=SCALE), Settings(tmp_path, device="cpu"), debug=True
    )
    assert len(record.details["tree"]) == 4
