"""The tables of the seal register: seals, their changes (rows are only added), and every use."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.database import Base, UtcDateTime


class SealRow(Base):
    """One seal, from the application on. `design` holds the fields of a SealDesign, `conditions` those of Conditions;
    `certificate` (DER) and `structure` (GB/T 38540) are empty until it is made; `holders` are officers' ids."""

    __tablename__ = "seal"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(100))
    owner_name: Mapped[str] = mapped_column(String(200))
    owner_code: Mapped[str] = mapped_column(String(18), index=True)
    department: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    applicant: Mapped[str] = mapped_column(String(128))
    holders: Mapped[list[str]] = mapped_column(JSON)
    design: Mapped[dict[str, Any]] = mapped_column(JSON)
    conditions: Mapped[dict[str, Any]] = mapped_column(JSON)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime] = mapped_column(UtcDateTime)
    certificate: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    structure: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    replaces: Mapped[str | None] = mapped_column(ForeignKey("seal.id"))


class SealChange(Base):
    """What was done to a seal, by whom, with which certificate, why, on what basis, from when, recorded when."""

    __tablename__ = "seal_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    seal_id: Mapped[str] = mapped_column(ForeignKey("seal.id"), index=True)
    move: Mapped[str] = mapped_column(String(16))
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(128))
    actor_certificate: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    legal_basis: Mapped[str] = mapped_column(String(200), default="")
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SealUse(Base):
    """One use of a seal: reserved before the key signs, released when the file leaves. `reference` is the caller's own
    name for it and can be used once; `day` is the local date; `approver` the second person where one is needed."""

    __tablename__ = "seal_use"
    __table_args__ = (UniqueConstraint("seal_id", "reference"), Index("ix_seal_use_seal_id_day", "seal_id", "day"))

    id: Mapped[int] = mapped_column(primary_key=True)
    seal_id: Mapped[str] = mapped_column(ForeignKey("seal.id"))
    reference: Mapped[str] = mapped_column(String(128))
    document_type: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    actor: Mapped[str] = mapped_column(String(128))
    approver: Mapped[str] = mapped_column(String(128), default="")
    authorisation: Mapped[str] = mapped_column(String(32), default="")
    day: Mapped[date]
    reserved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(String(200), default="")
