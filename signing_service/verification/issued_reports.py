"""The book of verification reports (核验报告): a gap-free number for each, what became of it, the sealed file's digest.

A number is drawn and recorded in one transaction; the report is then typeset and sealed with none open; a second
transaction closes the entry. One that could not be sealed stays in the book as void, with the reason. So does one that
a crash left open: nothing is handed out before its entry is closed, so nobody has it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import String, UniqueConstraint, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.errors import Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock, local
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.verification.errors import VerificationError
from signing_service.verification.report import Report

ISSUED, FETCHED = "verification_report.issued", "verification_report.fetched"
_CODE_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH = 10
INTERRUPTED = "interrupted"
LEFT_OPEN = timedelta(minutes=15)
"""Longer than sealing and its timestamp can take: an entry open for this long belongs to nobody any more."""


class ReportState(StrEnum):
    """`open` while it is being sealed."""

    OPEN = "open"
    ISSUED = "issued"
    VOID = "void"


class ReportSeries(Base):
    """The last number drawn in a year."""

    __tablename__ = "verification_report_series"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class IssuedReport(Base):
    """One number. `judged` is the SHA-256 of the file that was judged, `digest` that of the sealed report."""

    __tablename__ = "verification_report"
    __table_args__ = (UniqueConstraint("year", "serial"),)

    number: Mapped[str] = mapped_column(String(64), primary_key=True)
    year: Mapped[int]
    serial: Mapped[int]
    code: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(8))
    judged: Mapped[str] = mapped_column(String(64), index=True)
    verdict: Mapped[str] = mapped_column(String(16))
    usable_now: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(64))
    requested_by: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(String(200))
    requested_by_actor: Mapped[str] = mapped_column(String(128))
    drawn_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(64), default="")
    void_reason: Mapped[str] = mapped_column(String(64), default="")


class ReportUnknown(VerificationError):
    """No issued report has this number and code; which of the two is wrong is not said."""

    code = "verification_report_unknown"

    def __init__(self) -> None:
        super().__init__(
            Text("没有这份核验报告,或取件码不对。", "There is no such verification report, or the code is wrong."),
            advice=Text("请核对报告首页的编号和取件码。", "Compare number and code on the report's first page."),
        )


class ReportInterrupted(VerificationError):
    """Its entry was made void in the meantime; what was sealed must not leave."""

    code = "verification_report_interrupted"

    def __init__(self) -> None:
        super().__init__(
            Text("核验报告没有按时完成,编号已作废。", "The report took too long; its number is void."),
            advice=Text("请重新申请。", "Ask for it again."),
        )


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom and what a report is issued; `actor` is an officer, client or process id for the log."""

    requested_by: str
    purpose: str
    actor: str


class ReportBook:
    """The book over a database; `prefix` stands before the year, such as 示核验."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog, prefix: str) -> None:
        self._database, self._clock, self._audit, self._prefix = database, clock, audit, prefix

    def draw(self, report: Report, asker: Asker) -> IssuedReport:
        """The next number, for this judgement; its entry is open."""
        now = self._clock.now()
        with self._database.write() as session:
            year = local(now).year
            serial = _next(session, year)
            row = IssuedReport(
                number=f"{self._prefix}〔{year}〕{serial}号", year=year, serial=serial, code=_new_code(),
                state=ReportState.OPEN, judged=report.digest.hex(), verdict=str(report.verdict),
                usable_now=str(report.usable_now), reason=report.reason, requested_by=asker.requested_by,
                purpose=asker.purpose, requested_by_actor=asker.actor, drawn_at=now,
            )  # fmt: skip
            session.add(row)
        return row

    def close(self, number: str, digest: str) -> None:
        """It is sealed and kept; from here on it can be fetched. Logged with both digests. Raises ReportInterrupted."""
        now = self._clock.now()
        with self._database.write() as session:
            row = session.get_one(IssuedReport, number)
            if row.state != ReportState.OPEN:
                raise ReportInterrupted
            row.state, row.digest, row.closed_at = ReportState.ISSUED, digest, now
            self._audit.record(session, _act(ISSUED, row, row.requested_by_actor, digest), now)

    def void(self, number: str, reason: str) -> None:
        """It could not be sealed: the number stays taken. Logged as a refusal. One that is closed stays as it is."""
        now = self._clock.now()
        with self._database.write() as session:
            row = session.get_one(IssuedReport, number)
            if row.state != ReportState.OPEN:
                return
            row.state, row.void_reason, row.closed_at = ReportState.VOID, reason[:64], now
            act = _act(ISSUED, row, row.requested_by_actor, row.judged)
        self._audit.refuse(self._database, act, now, reason)

    def recover(self) -> list[str]:
        """Void the entries that a crash left open; gives their numbers. May run again, and beside those who issue."""
        before = self._clock.now() - LEFT_OPEN
        with self._database.read() as session:
            left = select(IssuedReport.number).where(
                IssuedReport.state == ReportState.OPEN, IssuedReport.drawn_at < before
            )
            numbers = list(session.scalars(left.order_by(IssuedReport.year, IssuedReport.serial)))
        for number in numbers:
            self.void(number, INTERRUPTED)
        return numbers

    def fetch(self, number: str, code: str, actor: str) -> str:
        """The sealed report's digest. Raises ReportUnknown, logged."""
        now = self._clock.now()
        with self._database.write() as session:
            row = session.get(IssuedReport, number.strip())
            known = row is not None and row.state == ReportState.ISSUED
            if row is not None and known and secrets.compare_digest(row.code, _plain(code)):
                self._audit.record(session, _act(FETCHED, row, actor, row.digest), now)
                return row.digest
        self._audit.refuse(self._database, Act(FETCHED, actor, f"report:{number[:64]}"), now, ReportUnknown.code)
        raise ReportUnknown

    def all(self) -> list[IssuedReport]:
        """The whole book, in the order of the numbers."""
        with self._database.read() as session:
            return list(session.scalars(select(IssuedReport).order_by(IssuedReport.year, IssuedReport.serial)))


def _next(session: Session, year: int) -> int:
    """The next number of the year, from 1; the row stays locked until the transaction ends."""
    dialect = session.get_bind().dialect.name
    new = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(ReportSeries)
    session.execute(new.values(year=year, last=0).on_conflict_do_nothing())
    step = update(ReportSeries).where(ReportSeries.year == year).values(last=ReportSeries.last + 1)
    return int(session.execute(step.returning(ReportSeries.last)).scalar_one())


def _new_code() -> str:
    """50 bits: not to be found by trying at the rate that the pages allow."""
    return "".join(secrets.choice(_CODE_SIGNS) for _ in range(_CODE_LENGTH))


def _plain(code: str) -> str:
    return "".join(sign for sign in code.upper() if sign.isascii() and sign.isalnum())


def _act(kind: str, row: IssuedReport, actor: str, digest: str) -> Act:
    details = {"judged": row.judged, "verdict": row.verdict, "reason": row.reason, "purpose": row.purpose}
    return Act(kind, actor, f"report:{row.number}", digest=digest, details=details)
