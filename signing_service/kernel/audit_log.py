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
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Index, String, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, Database, UtcDateTime

ALLOWED, REFUSED = "allowed", "refused"
_COMMITTED = (
    "at", "kind", "result", "reason", "actor", "department", "certificate", "subject", "digest", "details",
)  # fmt: skip


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


def content_of(entry: AuditEntry) -> dict[str, Any]:
    """What the leaf commits to, as plain JSON."""
    return _plain({name: getattr(entry, name) for name in _COMMITTED})


def commitment(content: Mapping[str, Any], salt: str) -> str:
    """SHA-256 over salt and canonical JSON of an entry's content: the salted commitment that goes into the tree."""
    canonical = json.dumps(dict(content), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(bytes.fromhex(salt) + canonical.encode()).hexdigest()


def erase_person(entry: AuditEntry) -> None:
    """Forget who it was and what else was noted; time, kind, result and the leaf stay, so the log's proofs stay whole.

    Without the salt nobody can show by trial what the leaf committed to. The caller logs the erasure itself.
    """
    entry.salt = entry.actor = entry.certificate = entry.digest = ""
    entry.details = {}


def entries_about(session: Session, subject: str) -> list[AuditEntry]:
    """All entries on one object, oldest first."""
    return list(session.scalars(select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id)))


def _append(session: Session, act: Act, at: datetime, result: str, reason: str) -> AuditEntry:
    entry = AuditEntry(**_row(act, at, result, reason))
    session.add(entry)
    session.flush()
    return entry


def _row(act: Act, at: datetime, result: str, reason: str) -> dict[str, Any]:
    """In UTC, as the database gives it back: the leaf must be the same when it is computed from the row."""
    content = {
        "at": at.astimezone(UTC), "kind": act.kind, "result": result, "reason": reason, "actor": act.actor,
        "department": act.department, "certificate": act.certificate, "subject": act.subject, "digest": act.digest,
        "details": dict(act.details),
    }  # fmt: skip
    salt = secrets.token_hex(32)
    return {**content, "salt": salt, "leaf": commitment(_plain(content), salt)}


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "at": content["at"].isoformat(timespec="microseconds")}
