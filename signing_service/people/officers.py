"""The tables of officers: who they are, which certificates stand for them, and which roles they were granted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.database import Base, UtcDateTime

SIGNING, AUTHENTICATION = "signing", "authentication"


class Officer(Base):
    """`id` is the log-in name, `name` what pages and visible signatures show."""

    __tablename__ = "people_officer"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    department_id: Mapped[str] = mapped_column(ForeignKey("people_department.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def works_at(self, at: datetime) -> bool:
        return self.left_at is None or at < self.left_at


class OfficerCertificate(Base):
    """A certificate that stands for an officer, by SHA-256 fingerprint; `purpose` is signing or authentication."""

    __tablename__ = "people_officer_certificate"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    officer_id: Mapped[str] = mapped_column(ForeignKey("people_officer.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    der: Mapped[bytes] = mapped_column(LargeBinary)
    bound_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RoleGrant(Base):
    """A role asked for by one person and confirmed by another; `state` as in `rules.GrantState`."""

    __tablename__ = "people_role_grant"
    __table_args__ = (Index("ix_people_role_grant_officer_state", "officer_id", "state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    officer_id: Mapped[str] = mapped_column(ForeignKey("people_officer.id"))
    role: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(500), default="")
    proposed_by: Mapped[str] = mapped_column(String(64))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[str] = mapped_column(String(64), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str] = mapped_column(String(64), default="")
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
