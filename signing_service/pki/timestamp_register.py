"""The TSA's own register (not the audit log, which is itself timestamped): one row for each timestamp, serial = id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import String, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.clock import Clock
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


@dataclass(slots=True)
class _Waiting:
    """A request that waits for its serial; filled in by whichever thread commits."""

    digest: str
    policy: str
    taken: tuple[int, datetime] | None = None
    failure: BaseException | None = None


class TimestampRegister:
    """Serials from the database; safe with several threads, and with several processes on one database.

    Threads that wait together are committed together, since the disk's sync is what a timestamp costs. `_guard` guards
    `_waiting`; `_turn` is held while one thread commits for all that wait.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._guard, self._turn = Lock(), Lock()

    def take(self, digest: bytes, policy: str, clock: Clock) -> tuple[int, datetime]:
        """See timestamping.SerialSource. The row is committed before it returns."""
        mine = _Waiting(digest.hex(), policy)
        with self._guard:
            self._waiting.append(mine)
        with self._turn:
            if mine.taken is None and mine.failure is None:
                self._commit(clock)
        if mine.taken is None:
            raise mine.failure or RuntimeError("a serial was neither taken nor refused")
        return mine.taken

    def _commit(self, clock: Clock) -> None:
        with self._guard:
            batch, self._waiting = self._waiting, []
        try:
            taken = self._insert(batch, clock)
        except BaseException as failure:
            for waiting in batch:
                waiting.failure = failure
            return
        for waiting, given in zip(batch, taken, strict=True):
            waiting.taken = given

    def _insert(self, batch: Sequence[_Waiting], clock: Clock) -> list[tuple[int, datetime]]:
        """The clock is read within the transaction: who waited for it must not look like a clock that went back."""
        with self._database.write() as session:
            connection = session.connection()
            last = connection.scalar(_LAST)
            now = clock.now()
            if last is not None and last - now > TOLERANCE:
                raise ClockWentBack(last, now)
            at = now if last is None else max(now, last)
            rows = [{"at": at, "digest": waiting.digest, "policy": waiting.policy} for waiting in batch]
            return [(serial, at) for serial in connection.execute(_INSERT, rows).scalars()]


_LAST = select(TimestampRow.at).order_by(TimestampRow.id.desc()).limit(1)
_INSERT = insert(TimestampRow).returning(TimestampRow.id, sort_by_parameter_order=True)
