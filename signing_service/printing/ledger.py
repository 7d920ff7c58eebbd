"""The print ledger: reserve -> render -> confirm or void. The quota is never exceeded, whoever asks at the same time.

The quota's row is locked by each reservation; what a crash left pending expires and returns its share. A copy on an
unmanaged PC cannot be policed: duplicates are detected by serial when they are verified, as a hint (`issued_codes`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Base, Database, UtcDateTime
from signing_service.printing.errors import CopyNotFound, QuotaUnset, QuotaUsedUp, VoidReasonMissing
from signing_service.printing.ledger_rules import COUNTED, PENDING, RESERVED_FOR, CopyState, lowest_free, moved
from signing_service.printing.short_code import ALPHABET

SERIAL_LENGTH = 12


class PrintQuota(Base):
    """How many copies of a document may exist at once."""

    __tablename__ = "print_quota"

    document: Mapped[str] = mapped_column(String(160), primary_key=True)
    allowed: Mapped[int]


class PrintCopy(Base):
    """One copy. `number` of `quota`: what it says of itself; `live` is the number while it counts, else NULL."""

    __tablename__ = "print_copy"
    __table_args__ = (UniqueConstraint("document", "live"),)

    serial: Mapped[str] = mapped_column(String(16), primary_key=True)
    document: Mapped[str] = mapped_column(String(160), index=True)
    number: Mapped[int]
    live: Mapped[int | None]
    quota: Mapped[int]
    state: Mapped[CopyState] = mapped_column(String(16), index=True)
    purpose: Mapped[str] = mapped_column(String(100), default="")
    channel: Mapped[str] = mapped_column(String(16))
    requested_by: Mapped[str] = mapped_column(String(128))
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(String(64), default="")
    printer_job: Mapped[str] = mapped_column(String(200), default="")
    void_reason: Mapped[str] = mapped_column(String(200), default="")


@dataclass(frozen=True, slots=True)
class ReservedCopy:
    """What is printed on it: its serial and "copy `number` of `quota`"."""

    serial: str
    document: str
    number: int
    quota: int
    purpose: str
    reserved_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, row: PrintCopy) -> ReservedCopy:
        """As it was when it was reserved."""
        return cls(
            row.serial, row.document, row.number, row.quota, row.purpose, row.reserved_at, row.expires_at
        )  # fmt: skip


@dataclass(frozen=True)
class PrintLedger:
    """`document` is a licence identifier or a document id; `by` an officer, client or applicant's access, no name."""

    database: Database
    clock: Clock
    audit: AuditLog = field(default_factory=AuditLog)

    def allow(self, document: str, copies: int, by: str) -> None:
        """Set the quota. A lower one than already used stops further copies and changes none."""
        with self.database.write() as session:
            quota = session.get(PrintQuota, document, with_for_update=True) or PrintQuota(document=document)
            quota.allowed = copies
            session.add(quota)
            self._log(session, "quota", document, by, copies=copies)

    def open(self, document: str, copies: int, by: str) -> None:
        """Set the quota of a document that has none yet; one that an office set stays."""
        with self.database.write() as session:
            if session.get(PrintQuota, document) is None:
                session.add(PrintQuota(document=document, allowed=copies))
                self._log(session, "quota", document, by, copies=copies)

    def reserve(self, document: str, by: str, *, purpose: str = "", channel: str = "home") -> ReservedCopy:
        """Take one of the quota. Raises QuotaUnset, QuotaUsedUp."""
        now = self.clock.now()
        with self.database.write() as session:
            quota = session.scalar(select(PrintQuota).where(PrintQuota.document == document).with_for_update())
            if quota is None:
                raise QuotaUnset(document)
            self._expire(session, document, now)
            taken = list(session.scalars(select(PrintCopy.live).where(
                PrintCopy.document == document, PrintCopy.live.is_not(None)
            )))  # fmt: skip
            if len(taken) >= quota.allowed:
                raise QuotaUsedUp(quota.allowed)
            number = lowest_free(one for one in taken if one is not None)
            copy = PrintCopy(
                serial=new_serial(), document=document, number=number, live=number, quota=quota.allowed,
                state=CopyState.RESERVED, purpose=purpose, channel=channel, requested_by=by, reserved_at=now,
                expires_at=now + RESERVED_FOR,
            )  # fmt: skip
            session.add(copy)
            self._log(session, "reserve", copy.serial, by, document=document, number=number, channel=channel)
            return ReservedCopy(copy.serial, document, number, quota.allowed, purpose, now, copy.expires_at)

    def rendered(self, serial: str, by: str, digest: str) -> None:
        """The copy's file was made; `digest` is its SHA-256. Raises CopyNotFound, CopyMoveNotAllowed."""
        with self.database.write() as session:
            copy = self._move(session, serial, "render", by, digest=digest)
            copy.digest = digest

    def confirm(self, serial: str, by: str, *, printer_job: str = "") -> None:
        """It is on paper, or was handed out to be printed at home. Raises CopyNotFound, CopyMoveNotAllowed."""
        with self.database.write() as session:
            copy = self._move(session, serial, "confirm", by, printer_job=printer_job)
            copy.printer_job = printer_job

    def void(self, serial: str, by: str, reason: str) -> None:
        """A jam, a bad print: the share returns, the trace stays. Raises VoidReasonMissing and as above."""
        if not reason.strip():
            raise VoidReasonMissing
        with self.database.write() as session:
            copy = self._move(session, serial, "void", by, reason=reason)
            copy.void_reason = reason.strip()

    def expire_pending(self) -> int:
        """Return what crashes and closed windows left reserved; run now and then by the worker. How many."""
        with self.database.write() as session:
            return self._expire(session, None, self.clock.now())

    def copies_of(self, document: str) -> list[PrintCopy]:
        """All copies ever reserved, oldest first."""
        with self.database.read() as session:
            query = select(PrintCopy).where(PrintCopy.document == document)
            copies = list(session.scalars(query.order_by(PrintCopy.reserved_at, PrintCopy.serial)))
            session.expunge_all()
            return copies

    def left(self, document: str) -> int:
        """How many may still be printed. Raises QuotaUnset."""
        now = self.clock.now()
        with self.database.read() as session:
            allowed = session.scalar(select(PrintQuota.allowed).where(PrintQuota.document == document))
            if allowed is None:
                raise QuotaUnset(document)
            counted = [
                copy
                for copy in session.scalars(select(PrintCopy).where(PrintCopy.document == document))
                if copy.state in COUNTED and not (copy.state in PENDING and copy.expires_at <= now)
            ]
            return max(allowed - len(counted), 0)

    def left_or(self, document: str, copies: int) -> int:
        """The same, with what an unset quota would begin with."""
        try:
            return self.left(document)
        except QuotaUnset:
            return copies

    def _move(self, session: Session, serial: str, act: str, by: str, **details: Any) -> PrintCopy:
        copy = session.scalar(select(PrintCopy).where(PrintCopy.serial == serial).with_for_update())
        if copy is None:
            raise CopyNotFound(serial)
        if CopyState(copy.state) in PENDING and copy.expires_at <= self.clock.now() and act != "expire":
            moved(serial, CopyState.EXPIRED, act)
        copy.state = moved(serial, CopyState(copy.state), act)
        copy.live = copy.number if copy.state in COUNTED else None
        copy.ended_at = None if copy.state in PENDING else self.clock.now()
        self._log(session, act, serial, by, document=copy.document, **details)
        return copy

    def _expire(self, session: Session, document: str | None, now: datetime) -> int:
        late = select(PrintCopy.serial).where(PrintCopy.state.in_(PENDING), PrintCopy.expires_at <= now)
        serials = list(session.scalars(late if document is None else late.where(PrintCopy.document == document)))
        for serial in serials:
            self._move(session, serial, "expire", "process:print-ledger")
        session.flush()
        return len(serials)

    def _log(self, session: Session, kind: str, subject: str, by: str, **details: Any) -> None:
        act = Act(f"print.{kind}", by, f"print:{subject}", details=details)
        self.audit.record(session, act, self.clock.now())


def new_serial() -> str:
    """Twelve random characters: a serial cannot be guessed from another."""
    return "".join(secrets.choice(ALPHABET) for _ in range(SERIAL_LENGTH))
