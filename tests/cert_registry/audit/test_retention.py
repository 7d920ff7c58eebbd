"""Retention classes: a pure rule over dates, and what is due in the rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from cert_registry.audit.retention import Class, RetentionUnreadable, Then, delete_due, read_schedule, what_is_due
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog
from signing_service.kernel.database import Base, Database
from signing_service.people.departments import Department
from signing_service.people.notice_outbox import Notice
from signing_service.people.officers import Officer
from signing_service.people.sessions import OfficerSession

NOW = datetime(2060, 3, 1, 4, tzinfo=UTC)


@pytest.fixture
def database(tmp_path):
    opened = Database(f"sqlite:///{tmp_path}/a.db")
    Base.metadata.create_all(opened.engine)
    yield opened
    opened.close()


def notice(key: str, at: datetime) -> Notice:
    return Notice(
        key=key, kind="pickup", channel="mail", to="someone@example.test", text_zh="示例", text_en="example", due_at=at,
        created_at=at,
    )  # fmt: skip


def test_a_class_tells_how_long() -> None:
    kept = Class(30, 0, Then.OFFER)
    assert kept.kept_until(date(2026, 11, 25)) == date(2056, 11, 25)
    assert kept.kept_until(date(2024, 2, 29)) == date(2054, 2, 28)
    assert kept.due_since(date(2056, 11, 25)) == date(2026, 11, 25)
    assert Class(0, 180, Then.DELETE).kept_until(date(2026, 1, 1)) == date(2026, 6, 30)


def test_nothing_is_due_in_an_empty_home(database) -> None:
    with database.read() as session:
        assert what_is_due(session, read_schedule(), NOW) == []


def test_evidence_is_offered_and_never_deleted(database) -> None:
    old = NOW - timedelta(days=365 * 31)
    with database.write() as session:
        AuditLog().record(session, Act("case.release", "officer:one", "case:x"), old)
        AuditLog().record(session, Act("case.release", "officer:one", "case:y"), NOW)
        (due,) = what_is_due(session, read_schedule(), NOW)
        assert (due.kind, due.count, due.then, due.by) == ("log_entry", 1, Then.OFFER, date(2059, 3, 9))
        assert delete_due(session, read_schedule(), NOW) == {}
        assert len(session.scalars(select(AuditEntry)).all()) == 2


def test_log_ins_go_and_notices_lose_their_address(database) -> None:
    old, young = NOW - timedelta(days=400), NOW - timedelta(days=3)
    with database.write() as session:
        session.add(notice("old", old))
        session.add(notice("young", young))
        session.add(Department(id="d", code="11990000MB9900013U", name="示例", valid_from=old))
        session.flush()
        session.add(Officer(id="o", name="示例", department_id="d", created_at=old))
        session.flush()
        for name, at in (("old", old), ("young", young)):
            session.add(OfficerSession(id=name, officer_id="o", agent="a", state="ended", created_at=at, seen_at=at))
    with database.write() as session:
        assert delete_due(session, read_schedule(), NOW) == {"login": 1, "notice": 1}
    with database.read() as session:
        assert list(session.scalars(select(OfficerSession.id))) == ["young"]
        kept = {row.key: (row.to, row.text_zh) for row in session.scalars(select(Notice))}
        assert kept == {"old": ("", ""), "young": ("someone@example.test", "示例")}
        assert [entry.details for entry in session.scalars(select(AuditEntry))] == [{"login": 1, "notice": 1}]
        assert what_is_due(session, read_schedule(), NOW) == []


@pytest.mark.parametrize(
    "change", ["case: {years: 30, then: delete}", "case: {then: offer_to_archive}", "other: {days: 1, then: delete}"]
)
def test_a_schedule_that_is_wrong_or_deletes_evidence_is_refused(tmp_path, change: str) -> None:
    from cert_registry.audit.retention import SHIPPED

    lines = [line for line in SHIPPED.read_text("utf-8").splitlines() if not line.startswith("case:")]
    path = tmp_path / "retention.yaml"
    path.write_text("\n".join([*lines, change]), "utf-8")
    with pytest.raises(RetentionUnreadable):
        read_schedule(path)
