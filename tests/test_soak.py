"""Small samples of the soak: `make soak` is the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli.commands import main
from tests.soak import crowd, hostile, kills
from tests.soak.__main__ import END, MARK

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("soak") / "made"
    words = ["--results", str(root)]
    assert main(["run", "smoke", "--methods", "random", "largest", *words]) == 0
    assert main(["score", "--dataset", "patches", *words]) == 0
    return root


def test_hostile_files_end_in_no_traceback_and_lead_nowhere(made: Path, tmp_path: Path) -> None:
    found = hostile.measured(made, tmp_path, 6, seed=1)
    assert found["files"] == 6
    assert not any(found[name] for name in ("tracebacks", "escape codes", "written outside", "others lost"))


@pytest.mark.slow
def test_a_crowd_of_which_some_are_killed_makes_everything(tmp_path: Path) -> None:
    found = crowd.measured(tmp_path, 4, 2, seed=1)
    assert found["codes of the others"] == [0]
    assert found["records"] == found["runs"]
    assert not found["left lying"]


@pytest.mark.slow
def test_kills_lose_nothing(tmp_path: Path) -> None:
    found = kills.measured(tmp_path, 8, seed=1)
    assert found["kills"] == 8
    assert found["lost"] == found["different"] == []
    assert set(found["codes"]) == {0}


def test_the_page_has_a_place_for_the_counts() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(MARK) == text.count(END) == 1
    assert text.index(MARK) < text.index(END)
