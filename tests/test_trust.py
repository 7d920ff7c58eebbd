"""The trust statement names real tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
NAMED = re.findall(r"`(tests/[^`]+)`", (PROJECT / "docs" / "trust.md").read_text())


@pytest.mark.parametrize("path", sorted(set(NAMED)))
def test_a_named_test_exists_and_tests_something(path: str) -> None:
    assert "def test_" in (PROJECT / path).read_text()


def test_every_line_of_the_table_names_one() -> None:
    table = [line for line in (PROJECT / "docs" / "trust.md").read_text().splitlines() if line.startswith("| **")]
    assert len(table) > 10
    assert all("`tests/" in line for line in table)
