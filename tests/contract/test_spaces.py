"""The spaces of the program, held to the contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench import spaces
from bench.contract import combinatorics
from bench.spaces.space import Space
from tests import contract


@pytest.mark.parametrize("check", combinatorics.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("space", contract.SPACES)
def test_space(space: str, check: Callable[[Space], None]) -> None:
    check(spaces.get(space))
