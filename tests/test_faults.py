"""Every fault that was seen is closed by a test that is there, and the page says by which."""

from __future__ import annotations

import pytest

from tests.soak import faults


@pytest.mark.parametrize("fault", faults.faults(), ids=lambda fault: fault.seen[:40])
def test_a_fault_is_closed_by_tests_that_are_there(fault: faults.Fault) -> None:
    assert fault.tests
    for one in fault.tests:
        file, _, name = one.partition("::")
        assert name in faults.tests_in(faults.TESTS / file), f"{one} is not there"


def test_the_page_has_the_table_of_today() -> None:
    text = faults.PAGE.read_text(encoding="utf-8")
    assert faults.page(text) == text
