"""Read from a home when its metrics are scraped: what waits, how old the evidence is, what is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from signing_service.evidence.log_checkpoints import last_witnessed, newest
from signing_service.kernel.audit_log import REFUSED, AuditEntry
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.outbox import OutboxMessage
from signing_service.pades.batch_tables import ItemState, SealBatchItem
from signing_service.web.metrics import Reading

WAITING = (ItemState.PENDING, ItemState.LEASED)


def operation_readings(
    database: Database, clock: Clock, ready: Callable[[], Mapping[str, str]]
) -> Callable[[], Iterator[Reading]]:
    """`ready`: the cached readiness. A database that does not answer leaves the others."""

    def readings() -> Iterator[Reading]:
        for name, outcome in ready().items():
            labels = (("check", name),)
            yield Reading("zhengyin_ready", "1 where the check passes.", float(outcome == "ok"), labels)
        try:
            with database.read() as session:
                found = list(_of_rows(session, clock.now()))
        except SQLAlchemyError:
            return
        yield from found

    return readings


def _of_rows(session: Session, now: datetime) -> Iterator[Reading]:
    def count(query: Select[Any]) -> float:
        return float(session.scalar(query) or 0)

    pending = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.done_at.is_(None))
    yield Reading("zhengyin_outbox_pending", "Messages that wait for their consumer.", count(pending))
    tried = pending.where(OutboxMessage.last_error != "")
    yield Reading("zhengyin_outbox_failing", "Pending messages whose last delivery failed.", count(tried))
    waiting = select(func.count()).select_from(SealBatchItem).where(SealBatchItem.state.in_(WAITING))
    yield Reading("zhengyin_batch_documents_waiting", "Documents of batches not sealed yet.", count(waiting))
    unplaced = select(func.count()).select_from(AuditEntry).where(AuditEntry.position.is_(None))
    yield Reading("zhengyin_log_entries_unplaced", "Audit entries without a place in the tree.", count(unplaced))
    entries = select(func.max(AuditEntry.id))
    yield Reading("zhengyin_log_entries", "Audit entries written.", count(entries))
    refused = select(func.count()).select_from(AuditEntry).where(AuditEntry.result == REFUSED)
    yield Reading("zhengyin_log_refusals", "Refusals in the audit log.", count(refused))
    for name, row in (("checkpoint", newest(session)), ("witnessed", last_witnessed(session))):
        if row is not None:
            words = f"Seconds since the last {name} of the log."
            yield Reading(f"zhengyin_log_{name}_age_seconds", words, (now - row.at).total_seconds())
