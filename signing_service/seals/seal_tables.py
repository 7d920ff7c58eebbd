"""The tables of the seal register: seals, their changes (rows are only added), changed conditions, orders, and uses."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, text
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


class SealConditionChange(Base):
    """Other conditions for a seal: proposed by one administrator, decided by another."""

    __tablename__ = "seal_condition_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    seal_id: Mapped[str] = mapped_column(ForeignKey("seal.id"), index=True)
    conditions: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(Text)
    legal_basis: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(16))
    proposed_by: Mapped[str] = mapped_column(String(128))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[str] = mapped_column(String(128), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SealOrder(Base):
    """A holder's standing order, or an emergency order of two persons, from its draft on. `encoded` is the statement
    with the signatures so far; `document` and `result` are digests of blobs: what is to be sealed, what came of it."""

    __tablename__ = "seal_order"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    seal_id: Mapped[str] = mapped_column(ForeignKey("seal.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    document_type: Mapped[str] = mapped_column(String(64))
    count: Mapped[int]
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text, default="")
    encoded: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(16), index=True)
    drafted_by: Mapped[str] = mapped_column(String(128))
    drafted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_by: Mapped[str] = mapped_column(String(128), default="")
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_because: Mapped[str] = mapped_column(String(200), default="")
    prepared: Mapped[str] = mapped_column(Text, default="")
    document: Mapped[str] = mapped_column(String(64), default="")
    result: Mapped[str] = mapped_column(String(64), default="")


STANDING = text("state NOT IN ('voided', 'withheld')")


class SealUse(Base):
    """One use of a seal: reserved before the key signs, released when the file leaves. `reference` is the caller's own
    name for it: one use of it stands, but for those that came to nothing; `day` is the local date; `approver` the
    second person where one is needed; `result` the digest of the sealed file where it was stored before its release."""

    __tablename__ = "seal_use"
    __table_args__ = (
        Index("uq_seal_use_standing", "seal_id", "reference", unique=True, sqlite_where=STANDING,
              postgresql_where=STANDING),
        Index("ix_seal_use_seal_id_day", "seal_id", "day"),
        Index("ix_seal_use_authorisation", "authorisation"),
    )  # fmt: skip

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
    result: Mapped[str] = mapped_column(String(64), default="", server_default="")
