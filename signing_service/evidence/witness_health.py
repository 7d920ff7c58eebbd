"""What is due at the witnesses: a checkpoint that nobody outside holds for long is worth a warning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from signing_service.evidence.log_checkpoints import LogWitnessed
from signing_service.kernel.audit_log import AuditEntry

OLD = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Unwitnessed:
    """A witness that lacks entries for longer than OLD. `since`: when it took its last checkpoint; None: never."""

    witness: str
    since: datetime | None


def unwitnessed(session: Session, witnesses: Mapping[str, timedelta], now: datetime) -> list[Unwitnessed]:
    """Those of `witnesses` (name: how often it is brought one) that are behind. One that has everything is not,
    however long ago that was."""
    query = select(LogWitnessed.witness, func.max(LogWitnessed.at)).group_by(LogWitnessed.witness)
    taken = {row[0]: row[1] for row in session.execute(query)}
    found = []
    for name, every in witnesses.items():
        since = taken.get(name)
        waiting = _oldest_after(session, since)
        if waiting is not None and now - waiting > max(OLD, 2 * every):
            found.append(Unwitnessed(name, since))
    return found


def _oldest_after(session: Session, since: datetime | None) -> datetime | None:
    """When the first entry was written that the witness cannot have."""
    query = select(AuditEntry.at).order_by(AuditEntry.id).limit(1)
    if since is not None:
        query = query.where(AuditEntry.at > since)
    return session.scalar(query)
