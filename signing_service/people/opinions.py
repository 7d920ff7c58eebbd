"""Opinions that an officer uses again and again, kept per officer."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, UtcDateTime

MOST_OPINIONS = 30
MOST_CHARACTERS = 200
USUAL = ("同意。", "材料齐全,拟同意。", "符合规定,同意。")


class SavedOpinion(Base):
    __tablename__ = "people_saved_opinion"
    __table_args__ = (UniqueConstraint("officer_id", "text"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    officer_id: Mapped[str] = mapped_column(ForeignKey("people_officer.id"))
    text: Mapped[str] = mapped_column(String(MOST_CHARACTERS))
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)


def opinions_of(session: Session, officer: str) -> list[str]:
    """The officer's own, last used first, then the usual ones."""
    query = select(SavedOpinion.text).where(SavedOpinion.officer_id == officer)
    own = list(session.scalars(query.order_by(SavedOpinion.used_at.desc(), SavedOpinion.id.desc())))
    return own + [text for text in USUAL if text not in own]


def keep_opinion(session: Session, officer: str, text: str, at: datetime) -> None:
    """Remember an opinion that was used; the ones not used for longest are forgotten."""
    text = text.strip()[:MOST_CHARACTERS]
    if not text:
        return
    query = select(SavedOpinion).where(SavedOpinion.officer_id == officer)
    rows = list(session.scalars(query.order_by(SavedOpinion.used_at.desc(), SavedOpinion.id.desc())))
    for row in rows:
        if row.text == text:
            row.used_at = at
            return
    session.add(SavedOpinion(officer_id=officer, text=text, used_at=at))
    old = [row.id for row in rows[MOST_OPINIONS - 1 :]]
    session.execute(delete(SavedOpinion).where(SavedOpinion.id.in_(old)))
