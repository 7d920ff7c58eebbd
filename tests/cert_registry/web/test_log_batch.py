"""Entries committed together: each caller gets its own, and an error reaches every one that waited for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError

from cert_registry.web.log_batch import LogBatch
from signing_service.kernel.audit_log import Act, AuditEntry
from signing_service.kernel.database import Database

AT = datetime(2026, 11, 24, tzinfo=UTC)


def test_each_caller_gets_its_own_entry_and_commits_are_fewer(database: Database) -> None:
    commits: list[int] = []
    event.listen(database.engine, "commit", lambda _connection: commits.append(1))
    batch, gate = LogBatch(database), threading.Barrier(16)

    def record(number: int) -> tuple[int, str, int]:
        gate.wait()
        entry = batch.record(Act("api.read", "client:x", f"licence:{number}"), AT)
        return entry.id, entry.leaf, number

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(record, range(16)))
    with database.read() as session:
        for entry_id, leaf, number in found:
            row = session.get_one(AuditEntry, entry_id)
            assert (row.leaf, row.subject) == (leaf, f"licence:{number}")
        assert len(session.scalars(select(AuditEntry.id)).all()) == 16
    assert 1 <= len(commits) <= 16


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_cannot_be_committed_is_told_to_all(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit_entry")
    batch = LogBatch(database)

    def record(number: int) -> str:
        with pytest.raises(DBAPIError):
            batch.record(Act("api.read", "client:x", f"licence:{number}"), AT)
        return "refused"

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(record, range(4))) == ["refused"] * 4
