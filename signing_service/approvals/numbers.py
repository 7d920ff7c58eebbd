"""Numbers of cases and of outward documents (发文字号): unique under any number of writers, and without gaps.

The number is drawn in the transaction of the act that needs it: a rolled back act gives it back (B47: counting rows
and adding one gives two cases the same number).
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from signing_service.approvals.register import NumberSeries


def draw(session: Session, series: str) -> int:
    """The next number of a series, from 1. The row stays locked until the caller's transaction ends."""
    dialect = session.get_bind().dialect.name
    new = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(NumberSeries)
    session.execute(new.values(series=series, last=0).on_conflict_do_nothing())
    step = update(NumberSeries).where(NumberSeries.series == series).values(last=NumberSeries.last + 1)
    return int(session.execute(step.returning(NumberSeries.last)).scalar_one())


def document_number(session: Session, prefix: str, day: date) -> str:
    """示政审〔2026〕1号: agency code, year in hexagonal brackets, number without leading zeros (GB/T 9704 7.2.5)."""
    return f"{prefix}〔{day.year}〕{draw(session, f'{prefix} {day.year}')}号"


def case_number(session: Session, prefix: str, day: date) -> str:
    """示办202600000001: prefix, year, eight digits."""
    return f"{prefix}{day.year}{draw(session, f'case {prefix} {day.year}'):08d}"
