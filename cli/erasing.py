"""Erasing a person from the audit log: which entries, in one transaction with the entry that tells of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog, erase_person
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.settings import Settings

KIND = "audit.erased"


class NothingToErase(SigningServiceError):
    code = "nothing_to_erase"

    def __init__(self) -> None:
        super().__init__(
            Text("没有删除:日志中没有这样的记录。", "Nothing was erased: the log has no such entry."),
            advice=Text("请用 --actor 或 --about 指明记录。", "Name the entries with --actor or --about."),
        )


@dataclass(frozen=True, slots=True)
class Erasing:
    """Entries of this actor, about this object, or both where both are given. `reason` says who asked for it and why:
    never the person's name or number, since it stays."""

    actor: str
    about: str
    reason: str

    def count(self, settings: Settings) -> int:
        """How many entries it concerns that still have their salt."""
        if not (self.actor or self.about) or not self.reason.strip():
            return 0
        database = Database(settings.database_url)
        try:
            with database.read() as session:
                return session.scalar(select(func.count()).select_from(AuditEntry).where(*self._matching())) or 0
        finally:
            database.close()

    def entries(self, session: Session) -> list[AuditEntry]:
        return list(session.scalars(select(AuditEntry).where(*self._matching()).order_by(AuditEntry.id)))

    def _matching(self) -> list[ColumnElement[bool]]:
        found = [AuditEntry.salt != "", AuditEntry.kind != KIND]
        if self.actor:
            found.append(AuditEntry.actor == self.actor)
        if self.about:
            found.append(AuditEntry.subject == self.about)
        return found


def erase_entries(settings: Settings, wanted: Erasing) -> int:
    """All of them or none; returns how many."""
    database, now = Database(settings.database_url), SystemClock().now()
    try:
        with database.write() as session:
            entries = wanted.entries(session)
            for entry in entries:
                erase_person(entry)
            details = {"entries": len(entries), "reason": wanted.reason}
            AuditLog().record(session, Act(KIND, "operator", "log", details=details), now)
    finally:
        database.close()
    return len(entries)
