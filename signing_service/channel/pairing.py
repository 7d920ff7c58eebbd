"""Pairing: an agent proves its officer's log-in key once, pins the server's key, and is known from then on.

The statement that the key signs names the origin and the server's key, so that a relaying server cannot use it here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.agent.protocol import pairing_statement
from signing_service.channel.errors import AgentUnknown, ChallengeOver, StatementRefused
from signing_service.channel.signature_check import signature_fits
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.people.officers import AUTHENTICATION
from signing_service.people.register import PeopleRegister

CHALLENGE_FOR = timedelta(minutes=5)
TOUCH_EVERY = timedelta(minutes=1)
IsUsable = Callable[[str], bool]


class PairedAgent(Base):
    """One installed agent of one officer; `secret` is the SHA-256 of what it shows at every request."""

    __tablename__ = "channel_agent"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    officer: Mapped[str] = mapped_column(ForeignKey("people_officer.id"), index=True)
    secret: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(100), default="")
    certificate: Mapped[str] = mapped_column(String(64))
    paired_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PairingChallenge(Base):
    """A nonce that waits for its statement; used once."""

    __tablename__ = "channel_pairing_challenge"

    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """A paired agent and its officer."""

    id: str
    officer: str
    name: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a new agent keeps."""

    agent: str
    secret: str
    name: str


class Pairings:
    """`origin` is our address as browsers name it, `server_key` the fingerprint that agents pin."""

    def __init__(
        self, database: Database, clock: Clock, audit: AuditLog, people: PeopleRegister, is_usable: IsUsable,
        *, origin: str, server_key: str,
    ) -> None:  # fmt: skip
        self._database, self._clock, self._audit, self._people = database, clock, audit, people
        self._is_usable, self.origin, self._server_key = is_usable, origin, server_key

    def begin(self) -> str:
        """A nonce for one statement, good for five minutes."""
        nonce, now = secrets.token_hex(32), self._clock.now()
        with self._database.write() as session:
            session.execute(delete(PairingChallenge).where(PairingChallenge.created_at < now - CHALLENGE_FOR))
            session.add(PairingChallenge(nonce=nonce, created_at=now))
        return nonce

    def finish(self, nonce: str, certificate: bytes, signature: bytes, device: str) -> Pairing:
        """Take the statement. Raises ChallengeOver, StatementRefused; a refusal is logged."""
        fingerprint, now = hashlib.sha256(certificate).hexdigest(), self._clock.now()
        self._use(nonce, now)
        statement = pairing_statement(self.origin, self._server_key, nonce)
        with self._database.read() as session:
            found = self._people.officer_of(session, certificate, AUTHENTICATION)
            officer = None if found is None else (found.id, found.name)
        proven = officer is not None and signature_fits(certificate, signature, statement)
        if officer is None or not proven or not self._is_usable(fingerprint):
            act = Act("agent.pair", officer[0] if officer else "unknown", "agent", certificate=fingerprint)
            self._audit.refuse(self._database, act, now, StatementRefused.code)
            raise StatementRefused
        return self._keep(officer, fingerprint, device)

    def agent(self, id: str, secret: str) -> KnownAgent:
        """Who this agent is. Raises AgentUnknown; also when its officer's certificate was revoked since."""
        now = self._clock.now()
        with self._database.read() as session:
            row = session.get(PairedAgent, id)
            if row is None or row.ended_at is not None or not hmac.compare_digest(row.secret, _digest(secret)):
                raise AgentUnknown
            officer = self._people.officer(session, row.officer)
            known, certificate = KnownAgent(row.id, officer.id, officer.name), row.certificate
            works, seen_at = officer.works_at(now), row.seen_at
        if not works or not self._is_usable(certificate):
            raise AgentUnknown
        if now - seen_at >= TOUCH_EVERY:
            with self._database.write() as session:
                session.get_one(PairedAgent, id).seen_at = now
        return known

    def of_officer(self, officer: str) -> list[PairedAgent]:
        """The officer's agents that are paired now, for the page that ends them."""
        query = select(PairedAgent).where(PairedAgent.officer == officer, PairedAgent.ended_at.is_(None))
        with self._database.read() as session:
            return list(session.scalars(query.order_by(PairedAgent.paired_at)))

    def end(self, officer: str, id: str) -> None:
        """The officer takes one agent's pairing away. Raises AgentUnknown."""
        with self._database.write() as session:
            row = session.get(PairedAgent, id)
            if row is None or row.officer != officer:
                raise AgentUnknown
            row.ended_at = self._clock.now()
            self._audit.record(session, Act("agent.end", officer, f"agent:{id}"), self._clock.now())

    def _use(self, nonce: str, now: datetime) -> None:
        with self._database.write() as session:
            row = session.get(PairingChallenge, nonce, with_for_update=True)
            if row is None or now - row.created_at > CHALLENGE_FOR:
                raise ChallengeOver
            session.delete(row)

    def _keep(self, officer: tuple[str, str], certificate: str, device: str) -> Pairing:
        secret, id, now = secrets.token_urlsafe(32), secrets.token_hex(16), self._clock.now()
        with self._database.write() as session:
            session.add(
                PairedAgent(
                    id=id, officer=officer[0], secret=_digest(secret), device=device[:100], certificate=certificate,
                    paired_at=now, seen_at=now,
                )
            )  # fmt: skip
            act = Act(
                "agent.pair", officer[0], f"agent:{id}", certificate=certificate, details={"device": device[:100]}
            )
            self._audit.record(session, act, now)
        return Pairing(id, secret, officer[1])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
