"""Sessions by intent, times with their zone, and writers that wait for one another, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog, commitment, content_of, entries_about
from signing_service.kernel.database import Database
from signing_service.kernel.outbox import OutboxMessage, deliver, publish

AT = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=8)))


def test_an_instant_comes_back_as_the_same_aware_instant(database: Database) -> None:
    """B49: SQLite drops zones."""
    with database.write() as session:
        AuditLog().record(session, Act("test", "someone", "thing:1"), AT)
    with database.read() as session:
        found = session.scalars(select(AuditEntry)).one().at
    assert found == AT
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = AT.replace(tzinfo=None)
    with pytest.raises(StatementError, match="without a zone"):
        _publish(database, "1", naive)


def test_fifty_writers_that_read_first_all_succeed(database: Database) -> None:
    """B48: a deferred transaction that has read is refused at once on SQLite."""
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with database.write() as session:
                session.scalars(select(OutboxMessage)).all()
                publish(session, "topic", str(number), {}, AT)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as session:
        assert len(session.scalars(select(OutboxMessage)).all()) == 50


def test_what_was_read_stays_readable_and_changes_are_dropped(database: Database) -> None:
    _publish(database, "1", AT)
    with database.read() as session:
        row = session.scalars(select(OutboxMessage)).one()
        row.attempts = 7
    assert row.key == "1"
    with database.read() as session:
        assert session.scalars(select(OutboxMessage)).one().attempts == 0


def test_a_message_stays_until_its_consumer_has_it_and_stops_no_other(database: Database) -> None:
    _publish(database, "bad", AT)
    _publish(database, "good", AT)
    seen: list[str] = []

    def consume(key: str, _payload: object) -> None:
        if key == "bad" and "good" not in seen:
            raise RuntimeError("not yet")
        seen.append(key)

    assert deliver(database, "topic", consume, lambda: AT) == 1
    with database.read() as session:
        assert session.scalars(select(OutboxMessage).where(OutboxMessage.key == "bad")).one().last_error
    assert deliver(database, "topic", consume, lambda: AT) == 1
    assert deliver(database, "topic", consume, lambda: AT) == 0
    assert seen == ["good", "bad"]


def test_a_refusal_is_logged_although_the_act_was_rolled_back(database: Database) -> None:
    act = Act("seal.use", "officer", "seal:1", digest="ab")
    with pytest.raises(RuntimeError):
        _record_and_fail(database, act)
    AuditLog().refuse(database, act, AT, "seal_suspended")
    with database.read() as session:
        found = entries_about(session, "seal:1")
    assert [(entry.result, entry.reason) for entry in found] == [("refused", "seal_suspended")]


def test_the_leaf_binds_every_field_and_needs_the_salt(database: Database) -> None:
    act = Act("kind", "actor", "subject", details={"count": 1})
    with database.write() as session:
        entry = AuditLog().record(session, act, AT)
    content = content_of(entry)
    assert entry.leaf == commitment(content, entry.salt)
    assert entry.leaf != commitment({**content, "result": "refused"}, entry.salt)
    assert entry.leaf != commitment(content, "00" * 32)


def _publish(database: Database, key: str, at: datetime) -> None:
    with database.write() as session:
        publish(session, "topic", key, {}, at)


def _record_and_fail(database: Database, act: Act) -> None:
    with database.write() as session:
        AuditLog().record(session, act, AT)
        raise RuntimeError
