"""Evidence: who did what, on which object and digest, with which result.

An allowed act is logged in the act's own transaction, so that neither exists without the other; a refusal in a
transaction of its own after the rollback. Event kinds are data that the rooms register in their own modules.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, Database, UtcDateTime

ALLOWED, REFUSED = "allowed", "refused"


class AuditEntry(Base):
    """One entry. `salt` makes the leaf a commitment: erase it and the entry can no longer be tied to the log."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(64), index=True)
    result: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64), default="")
    actor: Mapped[str] = mapped_column(String(128))
    department: Mapped[str] = mapped_column(String(64), default="")
    certificate: Mapped[str] = mapped_column(String(64), default="")
    subject: Mapped[str] = mapped_column(String(192), index=True)
    digest: Mapped[str] = mapped_column(String(64), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    salt: Mapped[str] = mapped_column(String(64))
    leaf: Mapped[str] = mapped_column(String(64), unique=True)
    position: Mapped[int | None] = mapped_column(unique=True)
    """The leaf's place in the log's tree; empty until the sequencer has come by."""

    __table_args__ = (
        Index(
            "ix_audit_entry_waiting",
            "id",
            sqlite_where=text("position IS NULL"),
            postgresql_where=text("position IS NULL"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be logged. `actor` is an officer, client or process id; never a personal number.

    `certificate` is the SHA-256 fingerprint of the certificate used, `digest` that of the document; lower-case hex.
    """

    kind: str
    actor: str
    subject: str
    department: str = ""
    certificate: str = ""
    digest: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class AuditLog:
    def record(self, session: Session, act: Act, at: datetime) -> AuditEntry:
        """Log an allowed act within the caller's transaction."""
        return _append(session, act, at, ALLOWED, "")

    def record_all(self, session: Session, acts: Sequence[Act], at: datetime) -> None:
        """Log allowed acts within the caller's transaction, in one statement."""
        if acts:
            session.execute(insert(AuditEntry), [_row(act, at, ALLOWED, "") for act in acts])

    def refuse_all(self, session: Session, refused: Sequence[tuple[Act, str]], at: datetime) -> None:
        """Log acts with the code that refused each, in a transaction that keeps what they were refused for."""
        if refused:
            session.execute(insert(AuditEntry), [_row(act, at, REFUSED, code) for act, code in refused])

    def refuse(self, database: Database, act: Act, at: datetime, reason: str) -> AuditEntry:
        """Log a refusal in a transaction of its own; `reason` is the error's code."""
        with database.write() as session:
            return _append(session, act, at, REFUSED, reason)


def leaf_hash(act: Act, at: datetime, result: str, reason: str, salt: str) -> str:
    """SHA-256 over salt and canonical JSON of the entry: the salted commitment that goes into the log's tree."""
    content = {
        "kind": act.kind, "actor": act.actor, "subject": act.subject, "department": act.department,
        "certificate": act.certificate, "digest": act.digest, "details": dict(act.details),
        "at": at.isoformat(timespec="microseconds"), "result": result, "reason": reason,
    }  # fmt: skip
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(bytes.fromhex(salt) + canonical.encode()).hexdigest()


def entries_about(session: Session, subject: str) -> list[AuditEntry]:
    """All entries on one object, oldest first."""
    return list(session.scalars(select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id)))


def _append(session: Session, act: Act, at: datetime, result: str, reason: str) -> AuditEntry:
    entry = AuditEntry(**_row(act, at, result, reason))
    session.add(entry)
    session.flush()
    return entry


def _row(act: Act, at: datetime, result: str, reason: str) -> dict[str, Any]:
    salt = secrets.token_hex(32)
    return {
        "at": at, "kind": act.kind, "result": result, "reason": reason, "actor": act.actor,
        "department": act.department, "certificate": act.certificate, "subject": act.subject, "digest": act.digest,
        "details": dict(act.details), "salt": salt, "leaf": leaf_hash(act, at, result, reason, salt),
    }  # fmt: skip
