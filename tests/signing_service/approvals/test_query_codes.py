"""Query codes: one answer for everything wrong, limits, sub-codes, the log that names the person."""

from __future__ import annotations

from datetime import date

import pytest

from signing_service.approvals.access import (
    RightMissing,
    give_sub_code,
    open_with_code,
    replace_code,
    use,
    withdraw_sub_code,
)
from signing_service.approvals.errors import CodeRefused, RequestIncomplete, TooManyTries
from signing_service.approvals.query_codes import MOST_FAILURES_OF_CASE, MOST_FAILURES_OF_CLIENT, QueryCode, Right
from signing_service.kernel.audit_log import entries_about

from .conftest import CLERK, Office

WRONG = "0000-0000"


def enter(office: Office, number: str, code: str, client: str = "192.0.2.1"):
    return open_with_code(office.work, number, code, client=client)


def test_right_code_in_any_writing(office: Office):
    case = office.open()
    for typed in (case.query_code, case.query_code.lower(), case.query_code.replace("-", " ")):
        assert enter(office, f" {case.number} ", typed).case_id == case.case_id


def test_same_answer_for_number_and_code(office: Office):
    case = office.open()
    answers = []
    for number, code in ((case.number, WRONG), ("示办202699999999", case.query_code)):
        with pytest.raises(CodeRefused) as refusal:
            enter(office, number, code)
        answers.append(refusal.value.explain("zh"))
    assert answers[0] == answers[1]


def test_only_a_hash_is_kept(office: Office):
    case = office.open()
    with office.work.database.read() as session:
        row = session.query(QueryCode).one()
        kept = [str(getattr(row, column.name)) for column in QueryCode.__table__.columns]
    assert case.query_code.replace("-", "") not in "".join(kept).upper()


def test_tries_are_limited_for_a_case_and_a_client(office: Office):
    case = office.open()
    for _ in range(MOST_FAILURES_OF_CASE):
        with pytest.raises(CodeRefused):
            enter(office, case.number, WRONG)
    with pytest.raises(TooManyTries):
        enter(office, case.number, case.query_code, "198.51.100.1")
    office.clock.forward(minutes=16)
    assert enter(office, case.number, case.query_code).case_id == case.case_id


def test_tries_of_a_client_over_many_numbers(office: Office):
    for count in range(MOST_FAILURES_OF_CLIENT):
        with pytest.raises(CodeRefused):
            enter(office, f"示办2026{count:08d}", WRONG)
    with pytest.raises(TooManyTries):
        enter(office, "示办202688888888", WRONG)


def test_sub_code_for_a_clerk(office: Office):
    case = office.open()
    principal = enter(office, case.number, case.query_code)
    code = give_sub_code(
        office.work, principal, person="示例代办人", rights=[Right.VIEW, Right.DOWNLOAD], expires_on=date(2026, 11, 30)
    )
    agent = enter(office, case.number, code)
    use(office.work, agent, Right.DOWNLOAD, digest="ab")
    for refused in (lambda: use(office.work, agent, Right.PRINT), lambda: withdraw_sub_code(office.work, agent, "x")):
        with pytest.raises(RightMissing):
            refused()
    with office.work.database.read() as session:
        named = [entry.details.get("person") for entry in entries_about(session, f"case:{case.case_id}")]
    assert named[-1] == "示例代办人"
    assert withdraw_sub_code(office.work, principal, "示例代办人") == 1
    with pytest.raises(CodeRefused):
        enter(office, case.number, code)


def test_sub_code_expires(office: Office):
    case = office.open()
    principal = enter(office, case.number, case.query_code)
    code = give_sub_code(office.work, principal, person="代办", rights=[Right.VIEW], expires_on=date(2026, 11, 25))
    office.clock.forward(days=1)
    enter(office, case.number, code)
    office.clock.forward(days=1)
    with pytest.raises(CodeRefused):
        enter(office, case.number, code)


def test_sub_codes_that_are_refused(office: Office):
    case = office.open()
    principal = enter(office, case.number, case.query_code)
    later = date(2027, 1, 1)
    for person, rights, until in (("", [Right.VIEW], later), ("甲", [], later), ("甲", [Right.VIEW], date(2026, 1, 1))):
        with pytest.raises(RequestIncomplete):
            give_sub_code(office.work, principal, person=person, rights=rights, expires_on=until)
    for count in range(10):
        give_sub_code(office.work, principal, person=f"代办{count}", rights=[Right.VIEW], expires_on=later)
    with pytest.raises(RequestIncomplete):
        give_sub_code(office.work, principal, person="多一个", rights=[Right.VIEW], expires_on=later)


def test_lost_code_is_replaced_at_the_window(office: Office):
    case = office.open()
    with pytest.raises(RequestIncomplete):
        replace_code(office.work, case.case_id, CLERK, identity_check=" ")
    fresh = replace_code(office.work, case.case_id, CLERK, identity_check="营业执照与经办人身份证")
    with pytest.raises(CodeRefused):
        enter(office, case.number, case.query_code)
    assert enter(office, case.number, fresh).person == ""
