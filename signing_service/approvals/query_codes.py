"""Query codes (查询码): what an applicant enters with the case number; sub-codes for named clerks or agents (代办).

Only a slow hash is kept (scrypt, salted by the case's random id). A wrong number and a wrong code get the same answer
after the same work; failures are counted for each case number and for each client.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.approvals.errors import CodeRefused, TooManyTries
from signing_service.approvals.register import ApprovalCase
from signing_service.kernel.clock import local
from signing_service.kernel.database import Base, Database, UtcDateTime

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
WINDOW = timedelta(minutes=15)
MOST_FAILURES_OF_CASE, MOST_FAILURES_OF_CLIENT = 5, 20
_LOOKALIKES = str.maketrans("OIL", "011", "- ")
_COST = {"n": 2**14, "r": 8, "p": 1}


class Right(StrEnum):
    VIEW = "view"
    DOWNLOAD = "download"
    PRINT = "print"
    SHARE = "share"


ALL_RIGHTS = tuple(Right)


class QueryCode(Base):
    """`person` is empty for the principal's own code; `withdrawn_at` also marks a code that was replaced."""

    __tablename__ = "approval_query_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("approval_case.id"), index=True)
    hash: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(100), default="")
    rights: Mapped[list[str]] = mapped_column(JSON)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_by: Mapped[str] = mapped_column(String(128))
    expires_on: Mapped[date | None]
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FailedTry(Base):
    """A wrong entry; `key` is a hash of the case number or of the client."""

    __tablename__ = "approval_failed_try"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class Access:
    """What a right code opens: the case, who it was given to ("" = the applicant), and what that person may do."""

    case_id: str
    code_id: int
    person: str
    rights: frozenset[Right]


@dataclass(frozen=True, slots=True)
class FreshCode:
    """A code just drawn, with its slow hash: made before the transaction that keeps the hash."""

    case_id: str
    code: str
    hash: str

    @property
    def shown(self) -> str:
        """XXXX-XXXX, as it is shown once."""
        return f"{self.code[:4]}-{self.code[4:]}"


def fresh_code(case_id: str) -> FreshCode:
    """Eight random characters: 40 bits, against a handful of tries in a quarter of an hour."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return FreshCode(case_id, code, _hash(case_id, code))


def issue_code(
    session: Session,
    fresh: FreshCode,
    *,
    by: str,
    at: datetime,
    person: str = "",
    rights: Iterable[Right] = ALL_RIGHTS,
    expires_on: date | None = None,
) -> str:
    """Keep a fresh code's hash; returns the code as it is shown once."""
    session.add(
        QueryCode(
            case_id=fresh.case_id, hash=fresh.hash, person=person, rights=[str(right) for right in rights],
            issued_at=at, issued_by=by, expires_on=expires_on,
        )
    )  # fmt: skip
    return fresh.shown


def withdraw_codes(session: Session, case_id: str, at: datetime, *, person: str | None = None) -> int:
    """Withdraw the codes of one person, or with None all of the case; returns how many."""
    query = select(QueryCode).where(QueryCode.case_id == case_id, QueryCode.withdrawn_at.is_(None))
    codes = list(session.scalars(query if person is None else query.where(QueryCode.person == person)))
    for code in codes:
        code.withdrawn_at = at
    return len(codes)


def enter(database: Database, number: str, code: str, *, client: str, at: datetime) -> Access:
    """The case that number and code open. `client`: the caller's address. Raises CodeRefused, TooManyTries."""
    keys = {_key("case", number.strip()): MOST_FAILURES_OF_CASE, _key("client", client): MOST_FAILURES_OF_CLIENT}
    with database.read() as session:
        _check_tries(session, keys, at)
        case_id = session.scalar(select(ApprovalCase.id).where(ApprovalCase.number == number.strip()))
        hashed = _hash(case_id or "", code.upper().translate(_LOOKALIKES))
        access = _matching(session, case_id, hashed, local(at).date())
    if access is None:
        _remember_failure(database, keys, at)
        raise CodeRefused
    return access


def _matching(session: Session, case_id: str | None, hashed: str, today: date) -> Access | None:
    query = select(QueryCode).where(QueryCode.case_id == (case_id or ""), QueryCode.withdrawn_at.is_(None))
    for code in session.scalars(query):
        in_time = code.expires_on is None or today <= code.expires_on
        if hmac.compare_digest(code.hash, hashed) and in_time:
            return Access(code.case_id, code.id, code.person, frozenset(Right(right) for right in code.rights))
    return None


def _check_tries(session: Session, keys: dict[str, int], at: datetime) -> None:
    for key, most in keys.items():
        recent = select(func.count()).select_from(FailedTry).where(FailedTry.key == key, FailedTry.at > at - WINDOW)
        if session.scalars(recent).one() >= most:
            raise TooManyTries(int(WINDOW.total_seconds() // 60))


def _remember_failure(database: Database, keys: Iterable[str], at: datetime) -> None:
    with database.write() as session:
        session.execute(delete(FailedTry).where(FailedTry.at <= at - WINDOW))
        session.add_all(FailedTry(key=key, at=at) for key in keys)


def _hash(case_id: str, code: str) -> str:
    return hashlib.scrypt(code.encode(), salt=case_id.encode(), dklen=32, **_COST).hex()


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
