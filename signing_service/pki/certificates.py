"""The tables of the certificate register: certificates, their changes, and the CRLs that were issued."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from signing_service.kernel.database import Base, UtcDateTime
from signing_service.pki.rules import State

OWN, OUTSIDE = "own", "outside"


class CertificateRow(Base):
    """One certificate, from the request on. Hashes are SHA-256 in lower-case hex; `der` is empty until it is issued.

    `issuer` is the fingerprint of the issuer's certificate (its own for a root); `serial` is lower-case hex without
    leading zeros; `owner` is an officer's, seal's, department's or service's id. `revoked_at`, `reason` (CRLReason)
    and `invalid_from` tell what OCSP and CRL answer, holds included; `status_at` is when that last changed;
    `crl_partition` is the partial CRL that the certificate names (`crl_partitions`).
    """

    __tablename__ = "pki_certificate"
    __table_args__ = (
        UniqueConstraint("issuer", "serial"),
        Index("ix_pki_certificate_issuer_status_at", "issuer", "status_at"),
        Index("ix_pki_certificate_partition", "issuer", "crl_partition", "status_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(32), unique=True)
    profile: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16), index=True)
    origin: Mapped[str] = mapped_column(String(8), default=OWN)
    owner: Mapped[str] = mapped_column(String(128), index=True)
    department: Mapped[str] = mapped_column(String(64), default="")
    subject: Mapped[str] = mapped_column(String(500), default="")
    requested_by: Mapped[str] = mapped_column(String(128))
    token_serial: Mapped[str] = mapped_column(String(64), default="")
    issuer: Mapped[str | None] = mapped_column(String(64))
    serial: Mapped[str | None] = mapped_column(String(40))
    fingerprint: Mapped[str | None] = mapped_column(String(64), unique=True)
    key_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    der: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reason: Mapped[int] = mapped_column(default=0)
    invalid_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    crl_partition: Mapped[int] = mapped_column(default=0, server_default="0")
    replaces: Mapped[int | None] = mapped_column(ForeignKey("pki_certificate.id"))

    @property
    def is_usable(self) -> bool:
        """Active; whether it is within its validity is the caller's question."""
        return self.state == State.ACTIVE


class CertificateChange(Base):
    """What was done to a certificate, by whom and why; rows are only added."""

    __tablename__ = "pki_certificate_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    certificate_id: Mapped[int] = mapped_column(ForeignKey("pki_certificate.id"), index=True)
    move: Mapped[str] = mapped_column(String(16))
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(128))
    actor_certificate: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(String(500), default="")
    legal_basis: Mapped[str] = mapped_column(String(200), default="")
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CrlRow(Base):
    """A CRL as it was issued; `base_number` is set on a delta, `partition` is not zero on a partial one."""

    __tablename__ = "pki_crl"
    __table_args__ = (UniqueConstraint("issuer", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    base_number: Mapped[int | None]
    this_update: Mapped[datetime] = mapped_column(UtcDateTime)
    next_update: Mapped[datetime] = mapped_column(UtcDateTime)
    partition: Mapped[int] = mapped_column(default=0, server_default="0")
    der: Mapped[bytes] = mapped_column(LargeBinary)
