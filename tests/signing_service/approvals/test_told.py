"""Who is told what: officers of deadlines, operators of lost keys, the hall of what is finished."""

from __future__ import annotations

from typing import Any

import pytest

from signing_service.approvals.clock_changes import pause
from signing_service.approvals.deadline_notices import tell_deadlines
from signing_service.kernel.audit_log import AuditLog
from signing_service.people.contacts import set_contact
from signing_service.people.notice_outbox import Notice
from signing_service.people.register import NewOfficer, PeopleRegister
from signing_service.people.rules import Role
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.crl import Reason
from signing_service.pki.lost_keys import tell_lost_keys

from .conftest import CLERK, Office


@pytest.fixture
def people(office: Office) -> PeopleRegister:
    """A reviewer and a PKI operator with office addresses, and a reviewer without."""
    register = PeopleRegister(office.work.database, office.clock, AuditLog())
    with office.work.database.write() as session:
        register.add_department(session, "approvals", "示例市行政审批局", "11990000MB9900013U")
        for id in ("admin-1", "admin-2", "li", "wang", "operator"):
            register.add_officer(session, NewOfficer(id, f"人员 {id}", "approvals"))
        administrators = [("admin-1", Role.SEAL_ADMINISTRATOR), ("admin-2", Role.SEAL_ADMINISTRATOR)]
        others = [("li", Role.REVIEWER), ("wang", Role.REVIEWER), ("operator", Role.PKI_OPERATOR)]
        register.bootstrap(session, [*administrators, *others])
        for id in ("li", "operator"):
            set_contact(session, id, "mail", f"{id}@zw.example.cn", actor="admin-1", at=office.clock.now())
    return register


def queued(office: Office) -> list[Any]:
    with office.work.database.read() as session:
        return session.query(Notice).order_by(Notice.id).all()


def test_a_card_is_told_once_to_those_who_can_sign(office: Office, people: PeopleRegister):
    case = office.in_review()
    assert tell_deadlines(office.work, people) == 0
    office.clock.forward(days=6)
    assert tell_deadlines(office.work, people) == 1
    assert tell_deadlines(office.work, people) == 0
    office.clock.forward(days=10)
    assert tell_deadlines(office.work, people) == 1
    yellow, red = queued(office)
    assert (yellow.to, yellow.kind, case.number in yellow.text_zh) == ("li@zw.example.cn", "deadline", True)
    assert "已超期" in red.text_zh
    assert "示例建设" not in yellow.text_zh + red.text_zh


def test_a_stopped_clock_tells_nobody(office: Office, people: PeopleRegister):
    case = office.in_review()
    pause(office.work, case.case_id, CLERK, reason="专家评审", legal_basis="《示例办法》第十条")
    office.clock.forward(days=40)
    assert tell_deadlines(office.work, people) == 0


def test_a_lost_key_is_told_to_holder_and_operators_without_a_name(office: Office, people: PeopleRegister):
    now = office.clock.now()
    with office.work.database.write() as session:
        row = CertificateRow(
            reference="r", profile="officer-signing", state="revoked", owner="li", requested_by="li",
            serial="0badc0ffee", revoked_at=now, status_at=now, reason=int(Reason.KEY_COMPROMISE),
        )  # fmt: skip
        session.add(row)
    assert tell_lost_keys(office.work.database, office.clock, people) == 2
    assert tell_lost_keys(office.work.database, office.clock, people) == 0
    told = queued(office)
    assert sorted(one.to for one in told) == ["li@zw.example.cn", "operator@zw.example.cn"]
    assert "C0FFEE" in told[0].text_zh
    assert "人员" not in told[0].text_zh.replace("操作员", "")


def test_the_hall_shows_what_is_finished_by_number_alone(office: Office):
    case = office.delivered()
    (shown,) = queued(office)
    assert (shown.channel, shown.text_zh) == ("screen", f"办件{case.number} 已办结")
