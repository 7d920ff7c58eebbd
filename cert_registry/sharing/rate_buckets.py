"""A token bucket for each caller, in the database: a limit holds over all processes and machines of a deployment.

A process draws many at once and counts them down itself, so that not every call writes. What it has drawn is spent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, Database, UtcDateTime

FORGET = timedelta(minutes=5)


class RateBucket(Base):
    """`key`: SHA-256 of whom it counts; `level`: what was left at `at`. A row that would be full again is dropped."""

    __tablename__ = "rate_bucket"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    level: Mapped[float]
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True, slots=True)
class Drawn:
    """`given` is 0 when there is nothing left; then `wait` says after how many seconds one call is free again."""

    given: int
    wait: float = 0.0


def draw(database: Database, whom: str, *, a_minute: int, wanted: int, now: datetime) -> Drawn:
    """Take up to `wanted` calls out of a bucket that holds `a_minute` and fills in a minute."""
    key = hashlib.sha256(whom.encode()).hexdigest()
    try:
        with database.write() as session:
            return _drawn(session, key, a_minute, wanted, now)
    except IntegrityError:  # another process made the row between our look and our insert
        with database.write() as session:
            return _drawn(session, key, a_minute, wanted, now)


def _drawn(session: Session, key: str, a_minute: int, wanted: int, now: datetime) -> Drawn:
    session.execute(delete(RateBucket).where(RateBucket.at < now - FORGET))
    row = session.get(RateBucket, key, with_for_update=True)
    if row is None:
        row = RateBucket(key=key, level=float(a_minute), at=now)
        session.add(row)
        session.flush()
    row.level = min(a_minute, row.level + max(0.0, (now - row.at).total_seconds()) * a_minute / 60)
    row.at = max(row.at, now)
    given = min(wanted, int(row.level))
    row.level -= given
    return Drawn(given, 0.0 if given else (1 - row.level) * 60 / a_minute)
