"""A holder's consent: a code for one department and one licence, until a day. Only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.licences.identifiers import ALPHABET
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Base, UtcDateTime

CONSENTED = "sharing.consented"
LENGTH = 12


class HolderConsent(Base):
    __tablename__ = "holder_consent"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    identifier: Mapped[str] = mapped_column(String(128), index=True)
    department: Mapped[str] = mapped_column(String(64))
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


def give_consent(session: Session, identifier: str, department: str, *, at: datetime, until: datetime) -> str:
    """The code to pass on; it is shown once. 12 digits and capitals (62 bits), valid for one department."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    row = HolderConsent(code_hash=_hash(code), identifier=identifier, department=department, since=at, until=until)
    session.add(row)
    details = {"department": department, "until": until.isoformat()}
    AuditLog().record(session, Act(CONSENTED, "holder", f"licence:{identifier}", details=details), at)
    return code


def has_consented(session: Session, code: str, identifier: str, department: str, at: datetime) -> bool:
    """Does this code let this department see this licence now?"""
    query = select(HolderConsent.code_hash).where(
        HolderConsent.code_hash == _hash("".join(code.split()).upper()),
        HolderConsent.identifier == identifier,
        HolderConsent.department == department,
        HolderConsent.since <= at,
        HolderConsent.until > at,
    )
    return bool(code) and session.scalar(query) is not None


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
