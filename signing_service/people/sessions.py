"""Officers' sessions: one row each, known by the hash of a cookie's value; idle and absolute limits.

A session begins `waiting`, opened by an agent's ticket in some browser, and becomes `active` only when the officer's
log-in key has signed for exactly this row. The certificate's status is asked at every use: a revoked one ends it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.people.errors import SessionEnded
from signing_service.people.officers import Officer, RoleGrant
from signing_service.people.rules import GrantState, Role

WAITING, ACTIVE, ENDED = "waiting", "active", "ended"
IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=10)
WAITING_FOR = timedelta(minutes=3)
TOUCH_EVERY = timedelta(minutes=1)
IsUsable = Callable[[str], bool]


class OfficerSession(Base):
    """`id` is the SHA-256 of the cookie's value, `agent` the one that opened it, `certificate` the log-in's."""

    __tablename__ = "people_session"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    officer_id: Mapped[str] = mapped_column(ForeignKey("people_officer.id"), index=True)
    agent: Mapped[str] = mapped_column(String(32), index=True)
    state: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(16), default="")
    nonce: Mapped[str] = mapped_column(String(64), default="")
    certificate: Mapped[str] = mapped_column(String(64), default="", index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    active_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_because: Mapped[str] = mapped_column(String(64), default="")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who is at the browser."""

    officer: str
    name: str
    department: str
    roles: frozenset[Role]
    agent: str


class Sessions:
    """`is_usable` tells whether the certificate with a fingerprint is active and not revoked."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog, is_usable: IsUsable) -> None:
        self._database, self._clock, self._audit, self._is_usable = database, clock, audit, is_usable

    def open_waiting(self, session: Session, officer: str, agent: str, code: str) -> str:
        """A session that waits for its officer's signature, in the caller's transaction; returns the cookie's value."""
        value, now = secrets.token_urlsafe(32), self._clock.now()
        session.add(
            OfficerSession(
                id=session_hash(value), officer_id=officer, agent=agent, state=WAITING, code=code, created_at=now,
                seen_at=now,
            )
        )  # fmt: skip
        return value

    def activate(self, session: Session, row: OfficerSession, certificate: str) -> None:
        """The officer has signed for it; in the caller's transaction."""
        now = self._clock.now()
        row.state, row.certificate, row.active_since, row.seen_at, row.code = ACTIVE, certificate, now, now, ""
        act = Act("session.login", row.officer_id, f"officer:{row.officer_id}", certificate=certificate)
        self._audit.record(session, act, now)

    def current(self, cookie: str) -> LoggedIn:
        """Who this cookie belongs to. Raises SessionEnded."""
        now = self._clock.now()
        with self._database.read() as session:
            row = session.get(OfficerSession, session_hash(cookie))
            if row is None or row.state != ACTIVE:
                raise SessionEnded(Text("没有登录。", "There is no log-in."))
        if ended := self._over(row, now):
            self._end(row, ended[0])
            raise SessionEnded(ended[1])
        if now - row.seen_at >= TOUCH_EVERY:
            with self._database.write() as session:
                touched = update(OfficerSession).where(OfficerSession.id == row.id, OfficerSession.state == ACTIVE)
                session.execute(touched.values(seen_at=now))
        return self._who(row)

    def state(self, cookie: str) -> str:
        """waiting, active or ended: what the log-in page asks for."""
        with self._database.read() as session:
            row = session.get(OfficerSession, session_hash(cookie))
            if row is None or (row.state == WAITING and self._clock.now() - row.created_at > WAITING_FOR):
                return ENDED
            return row.state

    def code(self, cookie: str) -> str:
        """The code that a waiting page shows."""
        with self._database.read() as session:
            row = session.get(OfficerSession, session_hash(cookie))
            return row.code if row is not None and row.state == WAITING else ""

    def end(self, cookie: str) -> None:
        """Log out here."""
        with self._database.read() as session:
            row = session.get(OfficerSession, session_hash(cookie))
        if row is not None and row.state != ENDED:
            self._end(row, "logout")

    def end_all(self, officer: str, because: str) -> int:
        """Log out everywhere; returns how many sessions ended."""
        now = self._clock.now()
        with self._database.write() as session:
            rows = list(
                session.scalars(
                    select(OfficerSession).where(OfficerSession.officer_id == officer, OfficerSession.state != ENDED)
                )
            )
            for row in rows:
                row.state, row.ended_at, row.ended_because = ENDED, now, because
            act = Act(
                "session.end_all", officer, f"officer:{officer}", details={"because": because, "count": len(rows)}
            )
            self._audit.record(session, act, now)
        return len(rows)

    def _over(self, row: OfficerSession, now: datetime) -> tuple[str, Text] | None:
        """Why a session is over, if it is."""
        if now - row.seen_at >= IDLE:
            return "idle", Text("超过 30 分钟没有操作。", "Nothing was done for 30 minutes.")
        if row.active_since is None or now - row.active_since >= ABSOLUTE:
            return "too_long", Text("登录已满 10 小时。", "You logged in 10 hours ago.")
        if not self._is_usable(row.certificate):
            return "certificate", Text("登录用的证书已失效。", "The certificate that you logged in with is not valid.")
        return None

    def _who(self, row: OfficerSession) -> LoggedIn:
        with self._database.read() as session:
            officer = session.get_one(Officer, row.officer_id)
            if not officer.works_at(self._clock.now()):
                raise SessionEnded(Text("您已离岗。", "You no longer work here."))
            grants = select(RoleGrant.role).where(
                RoleGrant.officer_id == officer.id, RoleGrant.state == GrantState.ACTIVE
            )
            roles = frozenset(Role(role) for role in session.scalars(grants))
            return LoggedIn(officer.id, officer.name, officer.department_id, roles, row.agent)

    def _end(self, row: OfficerSession, because: str) -> None:
        now = self._clock.now()
        with self._database.write() as session:
            kept = session.get_one(OfficerSession, row.id)
            kept.state, kept.ended_at, kept.ended_because = ENDED, now, because
            act = Act("session.end", row.officer_id, f"officer:{row.officer_id}", details={"because": because})
            self._audit.record(session, act, now)


def session_hash(cookie: str) -> str:
    """SHA-256 (hex) of a cookie's value."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()
