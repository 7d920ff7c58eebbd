"""The book of stored documents and their ends: looked at once, known by when, never read again until then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from signing_service.kernel.database import Base, UtcDateTime
from signing_service.verification.renewal import End

Column = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
RETRY = timedelta(hours=6)
"""How long a document that could not be renewed is left alone."""


class StoredDocument(Base):
    """A document by digest (SHA-256, hex), and `newest`: its newest revision, the same file with later timestamps.

    `ends_at` is empty where it has no timestamp. `failure`: the code of the error that stopped the last try.
    """

    __tablename__ = "stored_document"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    newest: Mapped[str] = mapped_column(String(64), index=True)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    cause: Mapped[str] = mapped_column(String(32), default="")
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str] = mapped_column(String(64), default="")

    def ends(self, end: End | None) -> None:
        self.ends_at, self.cause = (end.at, end.cause) if end is not None else (None, "")


def is_known(column: Column) -> ColumnElement[bool]:
    """Is the digest in `column` in the book, as a document or as some document's newest revision?"""
    known = or_(StoredDocument.digest == column, StoredDocument.newest == column)
    return select(StoredDocument.digest).where(known).exists()


def due(session: Session, before: datetime) -> Sequence[StoredDocument]:
    """Ending before that instant, or not readable at the last try; the first to end first."""
    query = select(StoredDocument).where(or_(StoredDocument.ends_at <= before, StoredDocument.failure != ""))
    return session.scalars(query.order_by(StoredDocument.ends_at, StoredDocument.digest)).all()


def to_try(session: Session, before: datetime, now: datetime, limit: int | None = None) -> list[str]:
    """Digests of those due that were not tried a short while ago."""
    rested = or_(StoredDocument.tried_at.is_(None), StoredDocument.tried_at <= now - RETRY)
    is_due = or_(StoredDocument.ends_at <= before, StoredDocument.failure != "")
    query = select(StoredDocument.digest).where(and_(is_due, rested))
    return list(session.scalars(query.order_by(StoredDocument.ends_at, StoredDocument.digest).limit(limit)))


def without_timestamp(session: Session) -> int:
    """How many have none: nothing to renew."""
    query = select(func.count()).select_from(StoredDocument)
    return session.scalar(query.where(StoredDocument.ends_at.is_(None), StoredDocument.failure == "")) or 0
