"""The methods of the program, held to the contract: the same checks as `python -m bench check` makes of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import methods
from bench.contract import searches, small
from bench.store.record import Record
from tests import contract, tiny

SMALLEST = "toy"
"""The space on which everything is tried."""


def _cases() -> Iterator[Any]:
    """Every method on every space; on the larger ones one of each class of methods, and the others slow."""
    for space in contract.SPACES:
        for label in contract.LABELS:
            often = space == SMALLEST and label not in contract.SELDOM
            often = often or label in contract.FEWER.get(space, contract.KINDS)
            yield pytest.param(label, space, marks=() if often else pytest.mark.slow)


@pytest.mark.parametrize(("label", "space"), _cases())
def test_method(label: str, space: str, tmp_path: Path) -> None:
    """No method of ours is refused on a space of ours: it has settings there."""
    other = small.spec(label, space, seed=1) if space == SMALLEST else None
    twice = space in (SMALLEST, "nb201") or label == "darts"
    record: Record = searches.a_run(small.spec(label, space), tmp_path, twice, other)
    assert record.status == "done"


@pytest.mark.parametrize("label", contract.KINDS)
def test_a_search_that_is_stopped_goes_on(label: str, tmp_path: Path) -> None:
    searches.a_stop(small.spec(label, SMALLEST), tmp_path)


@pytest.mark.parametrize("label", contract.LABELS)
def test_configuration(label: str) -> None:
    searches.configuration(label)


def test_no_two_methods_share_a_key() -> None:
    full = {label: tiny.spec(methods.get(label)).key for label in contract.LABELS}
    assert len(set(full.values())) == len(full)
    searches.key_of_its_own("darts")


@pytest.mark.parametrize("label", contract.LABELS)
def test_too_few_images_are_refused_before_training(label: str, tmp_path: Path) -> None:
    searches.too_few_images(label, SMALLEST, tmp_path)


def test_every_search_runs_where_no_truth_can_be_imported() -> None:
    searches.no_truth([*((label, SMALLEST) for label in contract.KINDS), ("darts-2nd", "nb201")])
