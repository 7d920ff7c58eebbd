"""Visits by query code: idle, left, over with their code; shorter at a terminal."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from signing_service.approvals.access import (
    RightMissing,
    give_sub_code,
    open_with_code,
    replace_code,
    sub_codes,
    use,
    withdraw_sub_code,
)
from signing_service.approvals.code_sessions import IDLE, IDLE_AT_TERMINAL, LONGEST, VisitOver, begin, current, end
from signing_service.approvals.query_codes import Right
from signing_service.kernel.audit_log import entries_about

from .conftest import CLERK, Office


def visit(office: Office, code: str = "", terminal: str = ""):
    """A begun visit: its case and cookie."""
    case = office.open()
    access = open_with_code(office.work, case.number, code or case.query_code, client="192.0.2.1")
    return case, begin(office.work.database, access, office.clock.now(), terminal=terminal)


def goes_on(office: Office, cookie: str) -> bool:
    try:
        current(office.work.database, cookie, office.clock.now())
    except VisitOver:
        return False
    return True


@pytest.mark.parametrize(("terminal", "idle"), [("", IDLE), ("hall-1", IDLE_AT_TERMINAL)])
def test_idleness_ends_it_and_use_keeps_it_alive(office: Office, terminal: str, idle: timedelta):
    _, cookie = visit(office, terminal=terminal)
    for _ in range(3):
        office.clock.instant += idle
        assert goes_on(office, cookie)
    office.clock.instant += idle + timedelta(seconds=1)
    assert not goes_on(office, cookie)


def test_no_visit_lasts_for_ever(office: Office):
    _, cookie = visit(office)
    for _ in range(int(LONGEST / IDLE)):
        office.clock.instant += IDLE
        assert goes_on(office, cookie)
    office.clock.instant += timedelta(seconds=1)
    assert not goes_on(office, cookie)


def test_leaving_ends_it_and_a_guess_is_none(office: Office):
    _, cookie = visit(office)
    assert not goes_on(office, "")
    assert not goes_on(office, cookie[:-1])
    end(office.work.database, cookie)
    assert not goes_on(office, cookie)


def test_a_replaced_code_ends_its_visits_at_once(office: Office):
    case, cookie = visit(office)
    replace_code(office.work, case.case_id, CLERK, identity_check="营业执照原件")
    assert not goes_on(office, cookie)


def test_an_agents_visit_ends_with_withdrawal_and_with_its_last_day(office: Office):
    case, principal = visit(office)
    access = current(office.work.database, principal, office.clock.now()).access
    rights = [Right.VIEW]
    cookies = []
    for person in ("代办人甲", "代办人乙"):
        code = give_sub_code(office.work, access, person=person, rights=rights, expires_on=date(2026, 11, 24))
        agent = open_with_code(office.work, case.number, code, client="192.0.2.1")
        cookies.append(begin(office.work.database, agent, office.clock.now()))
    withdraw_sub_code(office.work, access, "代办人甲")
    assert [goes_on(office, cookie) for cookie in cookies] == [False, True]
    assert [(one.person, one.ended) for one in sub_codes(office.work, access)] == [
        ("代办人乙", False),
        ("代办人甲", True),
    ]
    office.clock.instant += timedelta(hours=10)  # past midnight in the city
    cookie = begin(office.work.database, access, office.clock.now())
    assert goes_on(office, cookie)
    assert not goes_on(office, begin(office.work.database, agent, office.clock.now()))


def test_what_is_refused_is_logged_with_the_person(office: Office):
    case, principal = visit(office)
    access = current(office.work.database, principal, office.clock.now()).access
    code = give_sub_code(office.work, access, person="代办人甲", rights=[Right.VIEW], expires_on=date(2026, 12, 1))
    agent = open_with_code(office.work, case.number, code, client="192.0.2.1")
    with pytest.raises(RightMissing):
        use(office.work, agent, Right.PRINT)
    with office.work.database.read() as session:
        last = entries_about(session, f"case:{case.case_id}")[-1]
    assert (last.kind, last.result, last.reason, last.details) == (
        "case.code_print", "refused", "right_missing", {"person": "代办人甲"},
    )  # fmt: skip
