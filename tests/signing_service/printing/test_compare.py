"""Edited digits, names and dates of 3 mm are found on scans, dust and misprint are not: a sample of the bench."""

from __future__ import annotations

import pytest

from bench.scan_compare import Case, cases
from signing_service.printing.compare import compare_scan

SAMPLE = 8


@pytest.fixture(scope="module")
def sample() -> list[Case]:
    return list(cases(SAMPLE))


@pytest.mark.parametrize("number", range(SAMPLE))
def test_edits_are_boxed_and_clean_scans_are_not(sample: list[Case], number: int):
    case = sample[number]
    result = compare_scan(case.scan, [case.page])
    assert result is not None
    assert bool(result.differences) == (case.kind != "clean")
    assert result.aligned.startswith(b"\xff\xd8")


def test_the_box_is_where_the_edit_is(sample: list[Case]):
    """An edit is one character: its box is small, and the ink of both pages differs there."""
    edits = [case for case in sample if case.kind != "clean"]
    for case in edits:
        result = compare_scan(case.scan, [case.page])
        assert result is not None
        assert all(one.width_mm < 8 and one.height_mm < 8 for one in result.differences)
