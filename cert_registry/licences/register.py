"""The register's tables and how rows are found. History rows are only ever added.

A licence row is one version under one identifier. `digest` is empty while it is a draft: prepared, not yet sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.lifecycle import Entry, State, state_at
from signing_service.kernel.database import Base, UtcDateTime


class Licence(Base):
    """`approval_id`: the case that it comes from, one licence each. `document_digest`: the approval it rests on."""

    __tablename__ = "licence"
    __table_args__ = (UniqueConstraint("type_code", "issuer_code", "serial", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    identifier: Mapped[str] = mapped_column(String(128), unique=True)
    type_code: Mapped[str] = mapped_column(String(21), index=True)
    issuer_code: Mapped[str] = mapped_column(String(32), index=True)
    issuer_name: Mapped[str] = mapped_column(String(200))
    serial: Mapped[str] = mapped_column(String(32))
    version: Mapped[int]
    number: Mapped[str] = mapped_column(String(100), index=True)
    approval_id: Mapped[str] = mapped_column(String(128), unique=True)
    matter_code: Mapped[str] = mapped_column(String(64), default="")
    matter_name: Mapped[str] = mapped_column(String(200), default="")
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)
    issued_on: Mapped[date]
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    replaces: Mapped[str] = mapped_column(String(128), default="", index=True)
    operation: Mapped[str] = mapped_column(String(32))
    document_digest: Mapped[str] = mapped_column(String(64), default="")
    rendered_digest: Mapped[str] = mapped_column(String(64), default="")
    rendered_bytes: Mapped[int] = mapped_column(default=0)
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    prepared_by: Mapped[str] = mapped_column(String(128))
    prepared_at: Mapped[datetime] = mapped_column(UtcDateTime)
    registered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    holders: Mapped[list[LicenceHolder]] = relationship(order_by="LicenceHolder.position", cascade="all, delete-orphan")
    operations: Mapped[list[LicenceOperation]] = relationship(
        order_by="LicenceOperation.id", lazy="selectin", foreign_keys="LicenceOperation.licence_id"
    )

    @property
    def is_draft(self) -> bool:
        return self.digest is None

    def state(self, at: datetime, known_at: datetime) -> State:
        """What held at `at`, as recorded until `known_at`."""
        return state_at(entries_of(self.operations), at, known_at)


class LicenceHolder(Base):
    """`code_sealed` is bound to the identifier; `code_hash` finds, under the look-up key of number `hash_key`;
    `code_shown` is what pages may show."""

    __tablename__ = "licence_holder"
    __table_args__ = (UniqueConstraint("licence_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    licence_id: Mapped[int] = mapped_column(ForeignKey("licence.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    code_type: Mapped[str] = mapped_column(String(3))
    code_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    code_hash: Mapped[str] = mapped_column(String(64), index=True)
    hash_key: Mapped[int] = mapped_column(default=1, server_default="1")
    code_shown: Mapped[str] = mapped_column(String(64))


class LicenceOperation(Base):
    """One recorded operation: who, for which body, with which certificate, why, on which legal basis."""

    __tablename__ = "licence_operation"

    id: Mapped[int] = mapped_column(primary_key=True)
    licence_id: Mapped[int] = mapped_column(ForeignKey("licence.id"), index=True)
    operation: Mapped[str] = mapped_column(String(32))
    effective_from: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    voids: Mapped[int | None] = mapped_column(ForeignKey("licence_operation.id"))
    reason: Mapped[str] = mapped_column(String(500), default="")
    legal_basis: Mapped[str] = mapped_column(String(500), default="")
    actor: Mapped[str] = mapped_column(String(128))
    department: Mapped[str] = mapped_column(String(64), default="")
    certificate: Mapped[str] = mapped_column(String(64), default="")


class LicenceParty(Base):
    """A department that took part in the case: it may verify and read, as the route lets it see the case."""

    __tablename__ = "licence_party"

    licence_id: Mapped[int] = mapped_column(ForeignKey("licence.id"), primary_key=True)
    department: Mapped[str] = mapped_column(String(64), primary_key=True)


def entries_of(operations: Iterable[LicenceOperation]) -> list[Entry]:
    """The history as the rules take it."""
    return [
        Entry(row.id, row.operation, row.effective_from, row.recorded_at, row.voids, row.reason, row.legal_basis)
        for row in operations
    ]


def by_identifier(session: Session, identifier: LicenceIdentifier) -> Licence:
    """A registered licence; drafts do not exist for anybody. Raises LicenceNotFound."""
    found = session.scalar(select(Licence).where(Licence.identifier == str(identifier), Licence.digest.is_not(None)))
    if found is None:
        raise LicenceNotFound
    return found


def by_digest(session: Session, digest: str) -> Licence | None:
    """The licence whose sealed file has this SHA-256."""
    return session.scalar(select(Licence).where(Licence.digest == digest))


def by_approval(session: Session, approval_id: str) -> Licence | None:
    """The licence or draft of a case."""
    return session.scalar(select(Licence).where(Licence.approval_id == approval_id))


def by_holder(
    session: Session, code_hashes: Sequence[str], type_codes: Sequence[str], after: int, limit: int
) -> list[Licence]:
    """Registered licences of one holder (his code's look-ups), of the given types, by row number after `after`."""
    query = (
        select(Licence)
        .join(LicenceHolder, LicenceHolder.licence_id == Licence.id)
        .where(LicenceHolder.code_hash.in_(code_hashes), Licence.type_code.in_(type_codes))
        .where(Licence.digest.is_not(None), Licence.id > after)
    )
    return list(session.scalars(query.order_by(Licence.id).limit(limit)).unique())


def successor_of(session: Session, identifier: str) -> str:
    """The identifier of the licence that replaces this one, or an empty string."""
    query = select(Licence.identifier).where(Licence.replaces == identifier, Licence.digest.is_not(None))
    return session.scalar(query.order_by(Licence.id.desc())) or ""


def parties_of(session: Session, licence_id: int) -> frozenset[str]:
    return frozenset(session.scalars(select(LicenceParty.department).where(LicenceParty.licence_id == licence_id)))
