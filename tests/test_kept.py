"""Drawing again only what changed: counted by the modules that are asked to draw."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from analysis import drawings
from analysis.kept import NAME
from analysis.load import load
from analysis.output import Drawn, write_text
from bench.store.record import Results
from tests.test_analysis import made_up_run


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Two image sets; three runs."""
    results = Results(tmp_path / "results")
    for seed in range(2):
        made_up_run(results, "darts", seed)
    made_up_run(results, "darts", 0, dataset="cifar10-jpeg", targets=("cifar10",), truth="official")
    return results


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The module and image sets of every drawing that is made; a drawing is a file with the number of its rows."""
    found: list[tuple[str, str]] = []
    modules = {name: SimpleNamespace(__name__=f"analysis.tables.{name}") for name in ("main", "cost")}
    modules["embedded_ranks"] = SimpleNamespace(__name__="analysis.figures.embedded_ranks", BY_SETTING=False)

    def draw(module: str, frame: pd.DataFrame, root: Path) -> Drawn:
        name, of = module.rpartition(".")[2], "+".join(sorted(set(frame["dataset"])))
        found.append((name, of))
        return Drawn((write_text(root / "tables" / f"{name}-{of}.md", f"{len(frame)} rows"),), (f"{name}: a line",))

    monkeypatch.setattr(drawings, "drawings", lambda: iter(modules.items()))
    monkeypatch.setattr(drawings, "_drawn", draw)
    return found


def drawn(results: Results) -> dict[str, tuple[Path, ...]]:
    return {name: one.paths for name, _, one in drawings.all_drawn(load(results).frame, results.root)}


def test_what_is_the_same_is_not_drawn_again(results: Results, asked: list[tuple[str, str]]) -> None:
    first = drawn(results)
    assert ("main", "patches") in asked
    assert ("main", "cifar10-jpeg") in asked
    assert ("embedded_ranks", "cifar10-jpeg+patches") in asked  # of no setting: once
    assert sorted(first["main"]) == sorted((results.root / "tables").glob("main-*"))
    asked.clear()
    assert drawn(results) == first
    assert asked == []


def test_a_new_run_draws_its_own_setting_alone(results: Results, asked: list[tuple[str, str]]) -> None:
    drawn(results)
    asked.clear()
    made_up_run(results, "darts", 2)
    drawn(results)
    assert {dataset for name, dataset in asked if name != "embedded_ranks"} == {"patches"}


def test_a_file_that_is_gone_or_changed_is_drawn_again(results: Results, asked: list[tuple[str, str]]) -> None:
    first = drawn(results)
    first["main"][0].unlink()
    asked.clear()
    assert drawn(results) == first
    assert [name for name, _ in asked] == ["main"]
    first["cost"][0].write_text("edited")
    asked.clear()
    drawn(results)
    assert [name for name, _ in asked] == ["cost"]
    assert first["cost"][0].read_text() != "edited"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"x": 1}', '{"x": {"paths": [["../../etc/passwd", "0"]], "missing": []}}']
)
def test_a_list_that_is_none_draws_everything(results: Results, asked: list[tuple[str, str]], text: str) -> None:
    drawn(results)
    count = len(asked)
    asked.clear()
    (results.root / NAME).write_text(text)
    drawn(results)
    assert len(asked) == count
    assert json.loads((results.root / NAME).read_text())
