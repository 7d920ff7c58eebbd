"""Codes that were put on paper, found again by their short form; and how often each was verified (a hint, no proof)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, Text, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.database import Base, UtcDateTime
from signing_service.printing.errors import ShortCodeUnknown
from signing_service.printing.paper_code import PaperCode
from signing_service.printing.short_code import normal_short_code


class IssuedCode(Base):
    """`payload` is verified like a scanned code when it is found: the table need not be trusted."""

    __tablename__ = "paper_code"

    short_code: Mapped[str] = mapped_column(String(16), primary_key=True)
    payload: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(String(160), index=True)
    copy_serial: Mapped[str] = mapped_column(String(16), default="", index=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    times_seen: Mapped[int] = mapped_column(default=0)
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Sightings:
    """How often, and when last, a code was verified before this time."""

    times: int
    last: datetime | None


def remember_code(session: Session, code: PaperCode) -> str:
    """Keep a code in the transaction that hands it out; returns its short form. Repeating it changes nothing."""
    if session.get(IssuedCode, code.short_code) is None:
        session.add(
            IssuedCode(
                short_code=code.short_code, payload=code.payload, subject=code.claims.subject,
                copy_serial=code.claims.copy_serial, issued_at=code.claims.issued_at,
            )
        )  # fmt: skip
    return code.short_code


def find_payload(session: Session, typed: str) -> str:
    """The payload that a typed short code stands for. Raises ShortCodeMistyped, ShortCodeUnknown."""
    row = session.get(IssuedCode, normal_short_code(typed))
    if row is None:
        raise ShortCodeUnknown
    return row.payload


def sightings_of(session: Session, serials: Iterable[str]) -> dict[str, Sightings]:
    """How often the codes of print copies were verified, by the copies' serials."""
    rows = session.scalars(select(IssuedCode).where(IssuedCode.copy_serial.in_(list(serials))))
    return {row.copy_serial: Sightings(row.times_seen, row.last_seen) for row in rows}


def count_sighting(session: Session, short_code: str, at: datetime) -> Sightings:
    """Count one verification; returns those before it. Never touches a quota. Codes that are not kept count as new."""
    row = session.get(IssuedCode, short_code, with_for_update=True)
    if row is None:
        return Sightings(0, None)
    before = Sightings(row.times_seen, row.last_seen)
    change = update(IssuedCode).where(IssuedCode.short_code == short_code)
    session.execute(change.values(times_seen=IssuedCode.times_seen + 1, last_seen=at))
    return before
