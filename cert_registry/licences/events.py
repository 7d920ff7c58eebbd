"""What happened to licences, for those who keep copies: written in the act's own transaction, numbered afterwards.

Row ids commit out of order on PostgreSQL, so the feed's `number` is given later by one sequencer, without gaps.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.licences.register import Licence
from signing_service.kernel.database import Base, Database, UtcDateTime

MOST_AT_ONCE = 1000
_ONE_SEQUENCER = 7_214_036_904  # PostgreSQL advisory lock; any number that nobody else uses


class LicenceEvent(Base):
    """`number` is empty until sequenced; from then on rows never change."""

    __tablename__ = "licence_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None] = mapped_column(unique=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(32))
    identifier: Mapped[str] = mapped_column(String(128), index=True)
    type_code: Mapped[str] = mapped_column(String(21))
    issuer_code: Mapped[str] = mapped_column(String(32))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


def happened(session: Session, licence: Licence, kind: str, at: datetime, **content: Any) -> None:
    """Put an event into the caller's transaction. `content` is plain JSON without personal numbers."""
    session.add(
        LicenceEvent(
            at=at,
            kind=kind,
            identifier=licence.identifier,
            type_code=licence.type_code,
            issuer_code=licence.issuer_code,
            content=content,
        )
    )


def sequence(database: Database) -> int:
    """Number the events that have none, oldest row first; returns how many. Safe to run from several processes."""
    with database.write() as session:
        if not database.is_sqlite:  # on SQLite the writer's lock is taken already
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_SEQUENCER})
        last = session.scalar(select(func.max(LicenceEvent.number))) or 0
        query = select(LicenceEvent).where(LicenceEvent.number.is_(None)).order_by(LicenceEvent.id).limit(MOST_AT_ONCE)
        waiting = list(session.scalars(query))
        for place, event in enumerate(waiting, start=last + 1):
            event.number = place
    return len(waiting)


def events_after(session: Session, number: int, limit: int) -> list[LicenceEvent]:
    """Numbered events after `number`, in order."""
    query = select(LicenceEvent).where(LicenceEvent.number > number).order_by(LicenceEvent.number)
    return list(session.scalars(query.limit(limit)))
