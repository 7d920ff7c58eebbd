"""The applicant's visit: begun with a query code, ended by leaving, by idleness, or by the code's own end.

The cookie's value is random and only its hash is kept. Rights are read from the code anew at each use, so that a
withdrawn or expired code ends its visits at once.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.approvals.errors import ApprovalError
from signing_service.approvals.query_codes import Access, QueryCode, Right
from signing_service.errors import Text
from signing_service.kernel.clock import local
from signing_service.kernel.database import Base, Database, UtcDateTime

IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=2)
IDLE_AT_TERMINAL = timedelta(minutes=2)
"""In a hall the next person waits behind; the page's own clock is shorter still."""


class CodeSession(Base):
    """`terminal`: the self-service terminal where it was begun, empty at home."""

    __tablename__ = "approval_code_session"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    code_id: Mapped[int] = mapped_column(ForeignKey("approval_query_code.id"), index=True)
    terminal: Mapped[str] = mapped_column(String(64), default="")
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is here, and at which terminal ("" = at home)."""

    access: Access
    terminal: str


class VisitOver(ApprovalError):
    """Never begun, idle too long, left, or its code was withdrawn."""

    code = "visit_over"

    def __init__(self) -> None:
        super().__init__(
            Text("查询已结束。", "This visit has ended."),
            why=Text(
                "离开、长时间没有操作,或查询码已失效。", "You left, did nothing for a while, or the code has ended."
            ),
            advice=Text("请重新输入办件编号和查询码。", "Enter the case number and the query code again."),
        )


def begin(database: Database, access: Access, at: datetime, *, terminal: str = "") -> str:
    """Begin a visit; returns the cookie's value. Visits long over are swept out."""
    cookie = secrets.token_urlsafe(32)
    with database.write() as session:
        session.execute(delete(CodeSession).where(CodeSession.used_at <= at - LONGEST))
        session.add(
            CodeSession(key=_key(cookie), code_id=access.code_id, terminal=terminal, begun_at=at, used_at=at)
        )  # fmt: skip
    return cookie


def current(database: Database, cookie: str, at: datetime) -> Visit:
    """The visit that the cookie stands for, which stays alive by this. Raises VisitOver."""
    with database.write() as session:
        row = session.get(CodeSession, _key(cookie)) if cookie else None
        if row is None or at > row.used_at + _idle(row) or at > row.begun_at + LONGEST:
            raise VisitOver
        row.used_at = at
        return Visit(_access(session, row.code_id, at), row.terminal)


def end(database: Database, cookie: str) -> None:
    """Leave. Nothing happens when the visit is over already."""
    with database.write() as session:
        session.execute(delete(CodeSession).where(CodeSession.key == _key(cookie)))


def _access(session: Session, code_id: int, at: datetime) -> Access:
    code = session.get(QueryCode, code_id)
    if code is None or code.withdrawn_at is not None:
        raise VisitOver
    if code.expires_on is not None and local(at).date() > code.expires_on:
        raise VisitOver
    return Access(code.case_id, code.id, code.person, frozenset(Right(right) for right in code.rights))


def _idle(row: CodeSession) -> timedelta:
    return IDLE_AT_TERMINAL if row.terminal else IDLE


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
