"""Numbers on licences (证照编号): drawn from a counter row under its lock, never counted from what exists."""

from __future__ import annotations

from sqlalchemy import String, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.licences.catalogue import LicenceType
from signing_service.kernel.database import Base


class LicenceCounter(Base):
    __tablename__ = "licence_counter"

    type_code: Mapped[str] = mapped_column(String(21), primary_key=True)
    issuer_code: Mapped[str] = mapped_column(String(32), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]


def draw_number(session: Session, kind: LicenceType, issuer_code: str, year: int) -> str:
    """The next number of a type, body and year. A draft given up leaves a gap; two never get the same."""
    place = (LicenceCounter.type_code == kind.code, LicenceCounter.issuer_code == issuer_code)
    raised = (
        update(LicenceCounter)
        .where(*place, LicenceCounter.year == year)
        .values(last=LicenceCounter.last + 1)
        .returning(LicenceCounter.last)
        .execution_options(synchronize_session=False)
    )
    count = session.scalar(raised)
    if count is None:
        _open_counter(session, kind.code, issuer_code, year)
        count = session.scalar(raised)
    return kind.number_pattern.format(year=year, count=count)


def _open_counter(session: Session, type_code: str, issuer_code: str, year: int) -> None:
    """The first row of a year. Of two who make it at once one waits for the other and then finds it there."""
    try:
        with session.begin_nested():
            row = {"type_code": type_code, "issuer_code": issuer_code, "year": year, "last": 0}
            session.execute(insert(LicenceCounter).values(row))
    except IntegrityError:
        here = select(LicenceCounter.last).where(
            LicenceCounter.type_code == type_code,
            LicenceCounter.issuer_code == issuer_code,
            LicenceCounter.year == year,
        )
        if session.scalar(here) is None:
            raise
