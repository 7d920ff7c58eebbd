"""One call of a department: identified, done in one transaction with its log entry, answered with signed evidence.

An allowed call is logged in the act's own transaction; a refused one in a transaction of its own after the rollback.
The evidence is signed after the commit, since the key lies on a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError
from cert_registry.web.evidence import EvidenceUnavailable
from cert_registry.web.log_batch import LogBatch
from cert_registry.web.log_endpoints import LatestCheckpoint
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.purposes import Purpose
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog

T = TypeVar("T")


@dataclass(slots=True)
class Trace:
    """What a call turned out to be about; filled by the work, read for the log, also when it fails half-way.

    `found`: (subject, digest) of each licence that a search showed, to be logged for its holder to see.
    """

    subject: str = "licence:?"
    digest: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    found: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Logged(Generic[T]):
    """A call's value with the log entry that covers it."""

    value: T
    entry: int
    leaf: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Calls:
    """`batch` and `checkpoint` are shared by all routes of an application."""

    parts: RegistryParts
    batch: LogBatch
    checkpoint: LatestCheckpoint

    def look(
        self, kind: str, caller: Caller, purpose: Purpose, work: Callable[[Session, datetime, Trace], T]
    ) -> Logged[T]:
        """As `run`, for work that changes nothing: no writer's lock, and logged before it is told."""
        now, trace = self.parts.clock.now(), Trace()
        try:
            with self.parts.database.read() as session:
                value = work(session, now, trace)
        except ExplainedError as refusal:
            self.refuse(kind, caller, purpose, trace, refusal)
            raise
        act = self._act(kind, caller, purpose, trace)
        if trace.found:
            row = self._record_found(act, trace.found, now)
            return Logged(value, row.id, row.leaf, now)
        entry = self.batch.record(act, now)
        return Logged(value, entry.id, entry.leaf, now)

    def _record_found(self, act: Act, found: list[tuple[str, str]], now: datetime) -> AuditEntry:
        """The call's own entry and one for each licence that it showed, in one transaction."""
        with self.parts.database.write() as session:
            for subject, digest in found:
                AuditLog().record(session, replace(act, subject=subject, digest=digest), now)
            return AuditLog().record(session, act, now)

    def run(
        self, kind: str, caller: Caller, purpose: Purpose, work: Callable[[Session, datetime, Trace], T]
    ) -> Logged[T]:
        """Do the work in a write transaction and log it. A refusal is logged and raised on."""
        now, trace = self.parts.clock.now(), Trace()
        try:
            with self.parts.database.write() as session:
                value = work(session, now, trace)
                entry = AuditLog().record(session, self._act(kind, caller, purpose, trace), now)
                return Logged(value, entry.id, entry.leaf, now)
        except ExplainedError as refusal:
            self.refuse(kind, caller, purpose, trace, refusal)
            raise

    def refuse(self, kind: str, caller: Caller, purpose: Purpose, trace: Trace, refusal: ExplainedError) -> None:
        """Log a refusal in its own transaction."""
        act = self._act(kind, caller, purpose, trace)
        AuditLog().refuse(self.parts.database, act, self.parts.clock.now(), refusal.code)

    def evidence(self, caller: Caller, purpose: Purpose, logged: Logged[Any], answer: Mapping[str, Any]) -> str:
        """A JWS over the answer: who asked what for which purpose, what was answered, under which log entry."""
        claims = {
            "iss": self.parts.settings.base_url,
            "iat": int(logged.at.timestamp()),
            "client": caller.client_id,
            "department": caller.department_id,
            "purpose": purpose.purpose,
            "matter": purpose.matter,
            "answer": dict(answer),
            "log": {"entry": logged.entry, "leaf": logged.leaf},
            "checkpoint": self.checkpoint.note(),
        }
        try:
            return self.parts.evidence(claims)
        except (ExplainedError, OSError) as failure:
            raise EvidenceUnavailable from failure

    def _act(self, kind: str, caller: Caller, purpose: Purpose, trace: Trace) -> Act:
        details = {
            "purpose": purpose.purpose,
            "matter": purpose.matter,
            "department_name": caller.department_name,
            **trace.details,
        }
        actor = f"client:{caller.client_id}"
        return Act(kind, actor, trace.subject, caller.department_id, digest=trace.digest, details=details)
