"""A holder's consent: a code for one department, one licence and one matter, until a day. Only its hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.identifiers import ALPHABET
from cert_registry.sharing.access import ANY
from signing_service.kernel.audit_log import ALLOWED, Act, AuditEntry, AuditLog
from signing_service.kernel.database import Base, UtcDateTime

CONSENTED, ENDED = "sharing.consented", "sharing.consent_withdrawn"
LENGTH, REFERENCE = 12, 16


class HolderConsent(Base):
    """`matter` may be ANY: for a grant that names no matter."""

    __tablename__ = "holder_consent"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    identifier: Mapped[str] = mapped_column(String(128), index=True)
    department: Mapped[str] = mapped_column(String(64))
    matter: Mapped[str] = mapped_column(String(64), default=ANY, server_default=ANY)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def reference(self) -> str:
        """Its name in the log; it opens nothing."""
        return self.code_hash[:REFERENCE]

    def holds_at(self, at: datetime) -> bool:
        return self.since <= at < self.until and self.withdrawn_at is None


class ConsentUnknown(RegistryError):
    code = "consent_unknown"

    def __init__(self) -> None:
        super().__init__(
            Text("没有这个授权码,或已失效。", "There is no such consent code, or it has ended."),
            advice=Text("请刷新页面查看现有的授权码。", "Load the page again to see those that hold."),
        )


@dataclass(frozen=True, slots=True)
class Use:
    """What departments did with a consent code."""

    times: int = 0
    last: datetime | None = None


def give_consent(
    session: Session, identifier: str, department: str, *, matter: str, at: datetime, until: datetime, actor: str
) -> str:
    """The code to pass on; it is shown once. 12 digits and capitals (62 bits)."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    row = HolderConsent(
        code_hash=_hash(code), identifier=identifier, department=department, matter=matter, since=at, until=until
    )
    session.add(row)
    details = {"consent": row.reference, "department": department, "matter": matter, "until": until.isoformat()}
    AuditLog().record(session, Act(CONSENTED, actor, f"licence:{identifier}", details=details), at)
    return code


def withdraw_consent(session: Session, identifier: str, reference: str, *, at: datetime, actor: str) -> None:
    """Ends it now, whatever day it had. Raises ConsentUnknown, also for another licence's."""
    for row in consents_to(session, identifier):
        if row.reference == reference and row.holds_at(at):
            row.withdrawn_at = at
            details = {"consent": reference, "department": row.department}
            AuditLog().record(session, Act(ENDED, actor, f"licence:{identifier}", details=details), at)
            return
    raise ConsentUnknown


def consents_to(session: Session, identifier: str) -> list[HolderConsent]:
    """All that were given for a licence, the newest first, ended ones too."""
    query = select(HolderConsent).where(HolderConsent.identifier == identifier)
    return list(session.scalars(query.order_by(HolderConsent.since.desc(), HolderConsent.code_hash)))


def uses_of(session: Session, identifier: str, references: Sequence[str]) -> dict[str, Use]:
    """How often and when each was used, by the log; none for one that never was."""
    named = AuditEntry.details["consent"].as_string()
    query = (
        select(named, func.count(), func.max(AuditEntry.at))
        .where(AuditEntry.subject == f"licence:{identifier}", AuditEntry.result == ALLOWED)
        .where(AuditEntry.kind.startswith("api."), named.in_(references))
        .group_by(named)
    )
    return {row[0]: Use(row[1], row[2]) for row in session.execute(query)}


def consent_given(
    session: Session, code: str, identifier: str, department: str, matter: str, at: datetime
) -> HolderConsent | None:
    """The consent by which this code lets this department see this licence for this matter now."""
    row = session.get(HolderConsent, _hash("".join(code.replace("-", "").split()).upper())) if code else None
    if row is None or (row.identifier, row.department) != (identifier, department):
        return None
    return row if row.matter in (matter, ANY) and row.holds_at(at) else None


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
