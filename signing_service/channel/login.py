"""Log-in, started at the agent (DESIGN 4): ticket -> page with a code -> code typed into the agent -> signed statement.

A ticket opens one page once, within 30 s. The code counts only for a page that this very agent opened: the code of a
relaying site, or of somebody else's page, belongs to no such page. What is signed names our origin and the one
session, so that a statement given to another site is of no use here.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.agent.protocol import code_from, login_statement
from signing_service.channel.errors import ChallengeOver, LoginCodeWrong, StatementRefused
from signing_service.channel.pairing import KnownAgent
from signing_service.channel.signature_check import signature_fits
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.people.officers import AUTHENTICATION
from signing_service.people.register import PeopleRegister
from signing_service.people.sessions import ENDED, WAITING, WAITING_FOR, OfficerSession, Sessions

TICKET_FOR = timedelta(seconds=30)
MOST_WRONG_CODES = 5
IsUsable = Callable[[str], bool]


class LoginTicket(Base):
    """What an agent gives to the browser that it opens; by SHA-256, used once."""

    __tablename__ = "channel_login_ticket"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    agent: Mapped[str] = mapped_column(ForeignKey("channel_agent.id"), index=True)
    officer: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    wrong_codes: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the agent shows, checks and signs."""

    origin: str
    session: str
    nonce: str


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """A page that waits: its cookie's value and the code that it shows."""

    cookie: str
    code: str


class Logins:
    def __init__(
        self, database: Database, clock: Clock, audit: AuditLog, people: PeopleRegister, sessions: Sessions,
        is_usable: IsUsable, *, origin: str,
    ) -> None:  # fmt: skip
        self._database, self._clock, self._audit, self._people = database, clock, audit, people
        self._sessions, self._is_usable, self.origin = sessions, is_usable, origin

    def ticket(self, agent: KnownAgent) -> str:
        """A fresh ticket; the agent's earlier ones and waiting pages end."""
        value, now = secrets.token_urlsafe(32), self._clock.now()
        with self._database.write() as session:
            session.execute(delete(LoginTicket).where(LoginTicket.agent == agent.id))
            for page in _waiting(session, agent):
                page.state, page.ended_at = ENDED, now
            session.add(LoginTicket(id=_digest(value), agent=agent.id, officer=agent.officer, created_at=now))
        return value

    def open_page(self, ticket: str) -> WaitingPage:
        """The browser brings its ticket. Raises ChallengeOver when it is unknown, used or older than 30 s."""
        now, code = self._clock.now(), code_from(secrets.token_bytes(16))
        with self._database.write() as session:
            row = session.get(LoginTicket, _digest(ticket), with_for_update=True)
            if row is None or row.used_at is not None or now - row.created_at > TICKET_FOR:
                raise ChallengeOver
            row.used_at = now
            cookie = self._sessions.open_waiting(session, row.officer, row.agent, code)
        return WaitingPage(cookie, code)

    def challenge(self, agent: KnownAgent, code: str) -> Challenge:
        """The officer typed a page's code. Raises LoginCodeWrong; after five wrong ones the page is over."""
        now, typed, nonce = self._clock.now(), code.strip().upper(), secrets.token_hex(32)
        with self._database.write() as session:
            for page in _waiting(session, agent):
                if now - page.created_at <= WAITING_FOR and page.code == typed:
                    page.nonce = nonce
                    return Challenge(self.origin, page.id, nonce)
            self._count_wrong(session, agent, now)
        act = Act("session.login", agent.officer, f"officer:{agent.officer}")
        self._audit.refuse(self._database, act, now, LoginCodeWrong.code)
        raise LoginCodeWrong

    def prove(self, agent: KnownAgent, session_id: str, certificate: bytes, signature: bytes) -> None:
        """The signed statement: the page's session becomes active. Raises ChallengeOver, StatementRefused."""
        now, fingerprint = self._clock.now(), hashlib.sha256(certificate).hexdigest()
        with self._database.read() as session:
            page = next((each for each in _waiting(session, agent) if each.id == session_id), None)
            if page is None or not page.nonce or now - page.created_at > WAITING_FOR:
                raise ChallengeOver
            statement = login_statement(self.origin, page.id, page.nonce)
            holder = self._people.officer_of(session, certificate, AUTHENTICATION)
            owns = holder is not None and holder.id == agent.officer
        if not owns or not signature_fits(certificate, signature, statement) or not self._is_usable(fingerprint):
            act = Act("session.login", agent.officer, f"officer:{agent.officer}", certificate=fingerprint)
            self._audit.refuse(self._database, act, now, StatementRefused.code)
            raise StatementRefused
        with self._database.write() as session:
            row = session.get_one(OfficerSession, session_id, with_for_update=True)
            if row.state != WAITING:
                raise ChallengeOver
            self._sessions.activate(session, row, fingerprint)

    def _count_wrong(self, session: Session, agent: KnownAgent, now: datetime) -> None:
        ticket = session.scalars(select(LoginTicket).where(LoginTicket.agent == agent.id)).first()
        if ticket is None:
            return
        ticket.wrong_codes += 1
        if ticket.wrong_codes >= MOST_WRONG_CODES:
            for page in _waiting(session, agent):
                page.state, page.ended_at = ENDED, now


def _waiting(session: Session, agent: KnownAgent) -> list[OfficerSession]:
    query = select(OfficerSession).where(OfficerSession.agent == agent.id, OfficerSession.state == WAITING)
    return list(session.scalars(query))


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
