"""Notices to issuing bodies (多证合一: a type is taken in and no longer issued for a holder): waiting until read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.licences.drafts import Actor
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.merging import NOTICE_TOPIC
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.outbox import OutboxMessage

NOTICE_READ = "licence.notice_read"


@dataclass(frozen=True, slots=True)
class Notice:
    """`identifier`: the business licence that took certificates of type `type_code` in; `body`: who is told."""

    id: int
    body: str
    type_code: str
    identifier: str
    at: datetime


def open_notices(session: Session, codes: Collection[str]) -> list[Notice]:
    """Those to these bodies that nobody there has read, the oldest first."""
    query = select(OutboxMessage).where(OutboxMessage.topic == NOTICE_TOPIC, OutboxMessage.done_at.is_(None))
    return [_notice(row) for row in session.scalars(query.order_by(OutboxMessage.id)) if row.payload["body"] in codes]


def mark_read(session: Session, notice_id: int, codes: Collection[str], actor: Actor, now: datetime) -> None:
    """In the caller's transaction. Raises LicenceNotFound for another body's."""
    row = session.get(OutboxMessage, notice_id, with_for_update=True)
    if row is None or row.topic != NOTICE_TOPIC or row.payload["body"] not in codes:
        raise LicenceNotFound
    row.done_at = row.done_at or now
    act = Act(NOTICE_READ, actor.id, f"licence:{row.payload['identifier']}", actor.department)
    AuditLog().record(session, act, now)


def _notice(row: OutboxMessage) -> Notice:
    found = row.payload
    return Notice(row.id, found["body"], found["type_code"], found["identifier"], row.created_at)
