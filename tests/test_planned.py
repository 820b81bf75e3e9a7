"""What is foreseen of searches, against what the committed records of studies say that they took."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.runs.expected import Pace
from bench.store.record import Results
from tests.perf.planning import Held, Study, by_study, held, level

ROOT = Path(__file__).parent.parent / "results"
FOLDERS = (ROOT, ROOT / "studies" / "pilot", ROOT / "studies" / "decisive")

PACES = {4: Pace(1.2, 1.2, 1.0), 8: Pace(7.9, 6.0, 11.6), 16: Pace(19.4, 16.8, 32.6)}
"""As `measured` on an Intel Xeon, one thread, by the width of the first cell: `toy-darts` at `smoke`, NAS-Bench-201 at
`quick` and `decisive`. Which machine they are of makes no difference to what is compared."""


@pytest.fixture(scope="module")
def studies() -> dict[Study, list[Held]]:
    """The runs of all of them on oriented patches, which need no file."""
    records = [r for folder in FOLDERS for r in Results(folder).records() if r.identity["dataset"] == "patches"]
    return dict(by_study(held(records)))


def _ratios(lines: list[Held]) -> dict[str, float]:
    """Seconds foreseen over seconds spent, at the pace that suits a study best."""
    found = {line.label: line.time(PACES[line.scale.channels]) for line in lines}
    middle = level(list(found.values()))
    return {label: ratio / middle for label, ratio in found.items()}


def test_all_methods_are_held(studies: dict[Study, list[Held]]) -> None:
    labels = {line.label.partition("(")[0] for lines in studies.values() for line in lines}
    assert {"rsps", "darts", "snas", "fewshot", "gm-snas", "gm-darts", "hep", "fade", "bayes", "then-gm"} <= labels


def test_multiply_adds_are_those_that_were_spent(studies: dict[Study, list[Held]]) -> None:
    """To a half: which paths are drawn, and how deep a tree grows, differs from seed to seed."""
    found = {(study, line.label): line.work for study, lines in studies.items() for line in lines}
    off = {where: work for where, work in found.items() if not 1 / 1.5 < work < 1.5}
    assert not off


def test_seconds_are_foreseen_within_a_factor_of_two(studies: dict[Study, list[Held]]) -> None:
    """Of every method, at one pace for all methods of a study."""
    off = {
        (study, label): ratio
        for study, lines in studies.items()
        for label, ratio in _ratios(lines).items()
        if not 0.5 < ratio < 2
    }
    assert not off


def test_a_method_that_forgets_a_part_of_its_work_is_seen(studies: dict[Study, list[Held]]) -> None:
    """The check itself is checked: half of what few-shot trains is left out."""
    line = next(line for lines in studies.values() for line in lines if line.label == "fewshot")
    less = replace(line, foreseen=replace(line.foreseen, mixtures=line.foreseen.mixtures / 2))
    assert 1 / 1.5 < line.work < 1.5
    assert not 1 / 1.5 < less.work < 1.5
