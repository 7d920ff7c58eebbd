"""Which body may issue which type, since when and until when. Nobody may, unless it is recorded here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.errors import NotAnIssuer
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Base, UtcDateTime

ISSUER_PERMITTED = "licence.issuer_permitted"


class IssuingRight(Base):
    __tablename__ = "issuing_right"

    id: Mapped[int] = mapped_column(primary_key=True)
    type_code: Mapped[str] = mapped_column(String(21), index=True)
    issuer_code: Mapped[str] = mapped_column(String(32), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    basis: Mapped[str] = mapped_column(String(500))


def permit(
    session: Session,
    kind: LicenceType,
    issuer_code: str,
    *,
    since: datetime,
    until: datetime | None = None,
    basis: str,
    actor: str,
) -> IssuingRight:
    """Record that a body may issue a type, on a legal basis."""
    right = IssuingRight(type_code=kind.code, issuer_code=issuer_code, since=since, until=until, basis=basis)
    session.add(right)
    act = Act(ISSUER_PERMITTED, actor, f"issuer:{issuer_code}", details={"type": kind.code, "basis": basis})
    AuditLog().record(session, act, since)
    return right


def require_right(session: Session, kind: LicenceType, issuer_code: str, at: datetime) -> None:
    """Raises NotAnIssuer."""
    if not may_issue(session, kind, issuer_code, at):
        raise NotAnIssuer(kind.name)


def may_issue(session: Session, kind: LicenceType, issuer_code: str, at: datetime) -> bool:
    """Is it recorded that this body may issue this type then?"""
    query = select(IssuingRight.id).where(
        IssuingRight.type_code == kind.code,
        IssuingRight.issuer_code == issuer_code,
        IssuingRight.since <= at,
        or_(IssuingRight.until.is_(None), IssuingRight.until > at),
    )
    return session.scalar(query.limit(1)) is not None
