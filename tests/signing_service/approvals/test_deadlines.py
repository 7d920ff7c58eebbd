"""Working days, deadlines and cards: the calendar's own dates, unknown years, pauses and extensions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing_service.approvals.clock_changes import extend, pause, resume
from signing_service.approvals.course_view import view_case
from signing_service.approvals.deadlines import Card, Change, card, due, due_in_words
from signing_service.approvals.errors import ClockNotSo, MoveNotAllowed, ReasonMissing, RequestIncomplete
from signing_service.approvals.working_days import CalendarUnreadable, WorkingDays

from .conftest import CLERK, Office

CALENDAR = WorkingDays()
TUESDAY = date(2026, 11, 24)
NEXT_YEAR = """
2027:
  holidays: [2027-01-01, 2027-02-05, 2027-02-08]
  workdays: [2027-01-30]
"""


def test_counts_from_the_day_after():
    assert CALENDAR.after(TUESDAY, 1).day == date(2026, 11, 25)
    assert CALENDAR.after(TUESDAY, 5).day == date(2026, 12, 1)


def test_holiday_and_exchanged_weekend():
    """National day 2026: 1 to 7 October off, Saturday 10 October worked."""
    assert not CALENDAR.is_working(date(2026, 10, 7))
    assert CALENDAR.is_working(date(2026, 10, 10))
    assert CALENDAR.after(date(2026, 9, 30), 3).day == date(2026, 10, 10)


def test_unknown_year_is_provisional_and_no_crash():
    found = CALENDAR.after(date(2026, 12, 25), 10)
    assert found.provisional
    assert found.day.year == 2027
    assert "暂定" in due_in_words(found)
    assert not CALENDAR.after(TUESDAY, 5).provisional


def test_operators_file(tmp_path: Path):
    path = tmp_path / "calendar.yaml"
    path.write_text(NEXT_YEAR)
    calendar = WorkingDays.read(path)
    assert calendar.is_working(date(2027, 1, 30))
    assert not calendar.is_working(date(2027, 2, 8))
    assert not calendar.after(date(2026, 12, 25), 10).provisional
    for wrong in ("2027: 5", "2027: {holidays: [2026-01-01]}", "2027: {feast: []}", "{{"):
        path.write_text(wrong)
        with pytest.raises(CalendarUnreadable):
            WorkingDays.read(path)
    with pytest.raises(CalendarUnreadable):
        WorkingDays.read(tmp_path / "absent.yaml")


@given(st.dates(date(2020, 1, 1), date(2026, 6, 30)), st.integers(1, 60))
def test_after_and_between_agree(start: date, days: int):
    end = CALENDAR.after(start, days).day
    assert CALENDAR.is_working(end)
    assert CALENDAR.between(start, end) == days
    assert CALENDAR.between(end, start) == -days


def test_pause_moves_the_deadline():
    whole = due(CALENDAR, TUESDAY, 10, [], TUESDAY)
    paused = due(CALENDAR, TUESDAY, 10, [Change("pause", date(2026, 11, 26), date(2026, 12, 3))], TUESDAY)
    assert CALENDAR.between(whole.day, paused.day) == 5
    lasting = due(CALENDAR, TUESDAY, 10, [Change("pause", date(2026, 11, 26))], date(2026, 12, 1))
    assert CALENDAR.between(whole.day, lasting.day) == 3


def test_extension_adds_days():
    found = due(CALENDAR, TUESDAY, 10, [Change("extension", TUESDAY, days=5)], TUESDAY)
    assert found == CALENDAR.after(TUESDAY, 15)


def test_late_pause_does_not_help():
    late = Change("pause", date(2027, 1, 11), date(2027, 1, 20))
    assert due(CALENDAR, TUESDAY, 10, [late], TUESDAY) == due(CALENDAR, TUESDAY, 10, [], TUESDAY)


def test_cards():
    last = date(2026, 12, 1)  # a Tuesday
    assert card(CALENDAR, last, date(2026, 11, 27)) is Card.NONE
    assert card(CALENDAR, last, date(2026, 11, 30)) is Card.YELLOW
    assert card(CALENDAR, last, last) is Card.YELLOW
    assert card(CALENDAR, last, date(2026, 12, 2)) is Card.RED
    assert card(CALENDAR, last, date(2026, 12, 2), paused=True) is Card.NONE


def test_clock_of_a_case(office: Office):
    case = office.in_review()
    assert view_case(office.work, case.case_id).promised_due == CALENDAR.after(TUESDAY, 10)
    pause(office.work, case.case_id, CLERK, reason="专家评审", legal_basis="《示例市建设项目管理办法》第十条")
    with pytest.raises(ClockNotSo):
        pause(office.work, case.case_id, CLERK, reason="再次", legal_basis="同上")
    office.clock.forward(days=30)
    assert view_case(office.work, case.case_id).card is Card.NONE
    resume(office.work, case.case_id, CLERK)
    with pytest.raises(ClockNotSo):
        resume(office.work, case.case_id, CLERK)
    moved = view_case(office.work, case.case_id).promised_due
    assert moved is not None
    assert CALENDAR.between(date(2026, 12, 8), moved.day) == CALENDAR.between(TUESDAY, date(2026, 12, 24))
    extend(office.work, case.case_id, CLERK, days=5, reason="案情复杂", legal_basis="经负责人批准")
    extended = view_case(office.work, case.case_id)
    assert extended.promised_due is not None
    assert CALENDAR.between(moved.day, extended.promised_due.day) == 5
    assert [change.kind for change in extended.clock] == ["pause", "extension"]


def test_clock_changes_that_are_refused(office: Office):
    opened = office.open()
    with pytest.raises(ReasonMissing):
        pause(office.work, opened.case_id, CLERK, reason="", legal_basis="x")
    with pytest.raises(ReasonMissing):
        extend(office.work, opened.case_id, CLERK, days=1, reason="x", legal_basis=" ")
    with pytest.raises(RequestIncomplete):
        extend(office.work, opened.case_id, CLERK, days=0, reason="x", legal_basis="y")
    with pytest.raises(MoveNotAllowed):
        pause(office.work, opened.case_id, CLERK, reason="x", legal_basis="y")
