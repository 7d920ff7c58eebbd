"""The TSA's own register (not the audit log, which is itself timestamped): one row for each timestamp, serial = id."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.pki.timestamping import ClockWentBack

TOLERANCE = timedelta(seconds=2)


class TimestampRow(Base):
    """A timestamp that was given, or whose signing failed after its serial was taken; never changed."""

    __tablename__ = "pki_timestamp"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  # a serial is not given again after a row is lost

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(128))
    policy: Mapped[str] = mapped_column(String(128))


class TimestampRegister:
    """Serials from the database; safe with several processes on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, digest: bytes, policy: str, at: datetime) -> tuple[int, datetime]:
        """See timestamping.SerialSource. The row is committed before it returns."""
        with self._database.write() as session:
            last = session.scalar(select(TimestampRow.at).order_by(TimestampRow.id.desc()).limit(1))
            if last is not None and last - at > TOLERANCE:
                raise ClockWentBack(last, at)
            row = TimestampRow(at=at if last is None else max(at, last), digest=digest.hex(), policy=policy)
            session.add(row)
            session.flush()
            return row.id, row.at
