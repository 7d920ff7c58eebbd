"""The state machine, and states at one time as known at another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cert_registry.licences.errors import BasisMissing, OperationNotAllowed
from cert_registry.licences.lifecycle import (
    ENDED,
    OPERATIONS,
    STATUSES,
    Entry,
    check_operation,
    is_expired,
    state_at,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def entry(number: int, operation: str, effective: int, recorded: int, voids: int | None = None) -> Entry:
    return Entry(number, operation, day(effective), day(recorded), voids)


ISSUED = entry(1, "issue", 0, 0)


def test_before_issue_there_is_no_state() -> None:
    assert state_at([ISSUED], day(-1), day(9)).status is None


def test_suspension_and_return() -> None:
    history = [ISSUED, entry(2, "suspend", 10, 10), entry(3, "return", 20, 20)]
    assert [state_at(history, day(n), day(99)).status for n in (5, 10, 15, 20)] == [
        "valid", "suspended", "suspended", "valid",
    ]  # fmt: skip


def test_what_was_known_then_is_still_told() -> None:
    history = [ISSUED, entry(2, "revoke", 5, 30)]
    assert state_at(history, day(10), day(20)).status == "valid"
    assert state_at(history, day(10), day(30)).status == "revoked"
    assert state_at(history, day(4), day(30)).status == "valid"


def test_a_return_means_nothing_after_a_revocation_dated_before_it() -> None:
    history = [ISSUED, entry(2, "suspend", 10, 10), entry(3, "return", 20, 20), entry(4, "revoke", 5, 30)]
    assert state_at(history, day(25), day(29)).status == "valid"
    assert state_at(history, day(25), day(30)).status == "revoked"


def test_a_voided_entry_has_no_effect_from_when_that_was_recorded() -> None:
    history = [ISSUED, entry(2, "cancel", 10, 10), entry(3, "cancel", 40, 40, voids=2)]
    assert state_at(history, day(20), day(39)).status == "cancelled"
    assert state_at(history, day(20), day(40)).status == "valid"


def test_a_basis_is_asked_for_where_rights_are_taken() -> None:
    with pytest.raises(BasisMissing):
        check_operation("forfeit", [ISSUED], day(1), day(1), reason="违法", legal_basis=" ")
    assert check_operation("forfeit", [ISSUED], day(1), day(1), reason="违法", legal_basis="示例条例第1条")


@given(st.lists(st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_nothing_leaves_an_ended_state_but_a_transfer_called_off(moves: list[tuple[str, int, int]]) -> None:
    history = [ISSUED, *(entry(n, key, a, b) for n, (key, a, b) in enumerate(moves, start=2))]
    before: str | None = None
    for number in range(52):
        now = state_at(history, day(number), day(99)).status
        if before in ENDED - {"transferred_out"}:
            assert now == before
        before = now


@pytest.mark.parametrize("status", sorted(ENDED - {"transferred_out"}))
def test_no_operation_starts_from_an_ended_state(status: str) -> None:
    assert not [key for key, operation in OPERATIONS.items() if status in operation.sources]


def test_operations_lead_to_known_states_and_are_refused_elsewhere() -> None:
    assert {operation.target for operation in OPERATIONS.values()} == set(STATUSES)
    with pytest.raises(OperationNotAllowed):
        check_operation("return", [ISSUED], day(1), day(1), reason="", legal_basis="")


def test_the_last_day_of_validity_still_counts() -> None:
    assert not is_expired(date(2026, 1, 1), date(2026, 1, 1))
    assert is_expired(date(2026, 1, 1), date(2026, 1, 2))
    assert not is_expired(None, date(2999, 1, 1))
