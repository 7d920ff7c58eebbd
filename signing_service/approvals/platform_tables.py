"""The tables of online platforms, of the events that they are told, and of how applicants are reached."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.database import Base, UtcDateTime

SOURCE = "client:"
"""The `source` of a platform's case is this and the client's id."""


class CasePlatform(Base):
    """`matters`: codes that the client may hand in. `may_route`: it may give a case its own route. `webhook`: where
    events are sent, empty for none."""

    __tablename__ = "approval_platform"

    client_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    matters: Mapped[list[str]] = mapped_column(JSON)
    may_route: Mapped[bool] = mapped_column(default=False)
    webhook: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(128))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CaseEvent(Base):
    """One step of a platform's case, numbered within the case. `case_state` is the one after it; `state` tells how far
    its delivery is, empty where nobody is called back."""

    __tablename__ = "approval_case_event"
    __table_args__ = (UniqueConstraint("case_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("approval_case.id"))
    client_id: Mapped[str] = mapped_column(String(64), index=True)
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(32))
    case_state: Mapped[str] = mapped_column(String(24))
    step: Mapped[str] = mapped_column(String(60), default="")
    department_name: Mapped[str] = mapped_column(String(100), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16), default="", index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(String(500), default="")


class ApplicantContact(Base):
    """How an applicant wants to be told, sealed under the home's data keys and bound to the case."""

    __tablename__ = "approval_contact"

    case_id: Mapped[str] = mapped_column(ForeignKey("approval_case.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    address_sealed: Mapped[bytes] = mapped_column(LargeBinary)
