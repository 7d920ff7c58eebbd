"""How officers are told: office addresses, kept as they are given. Applicants' lie sealed with their cases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ForeignKey, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Base
from signing_service.people.addresses import checked_address
from signing_service.people.notice_outbox import To
from signing_service.people.officers import Officer


class OfficerContact(Base):
    """One address of an officer for one channel."""

    __tablename__ = "people_contact"

    officer_id: Mapped[str] = mapped_column(ForeignKey("people_officer.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    address: Mapped[str] = mapped_column(String(200))


def set_contact(session: Session, officer: str, channel: str, address: str, *, actor: str, at: datetime) -> None:
    """Keep an officer's address; empty takes it away. Logged without the address. Raises AddressInvalid."""
    mine = (OfficerContact.officer_id == officer, OfficerContact.channel == channel)
    session.execute(delete(OfficerContact).where(*mine))
    if address.strip():
        session.add(OfficerContact(officer_id=officer, channel=channel, address=checked_address(channel, address)))
    act = Act("officer.contact", actor, f"officer:{officer}", details={"channel": channel, "set": bool(address)})
    AuditLog().record(session, act, at)


def contacts_of(session: Session, officers: Iterable[str]) -> list[tuple[str, To]]:
    """(officer, where to) for every address of those who still work here."""
    query = (
        select(OfficerContact)
        .join(Officer, Officer.id == OfficerContact.officer_id)
        .where(OfficerContact.officer_id.in_(sorted(set(officers))), Officer.left_at.is_(None))
        .order_by(OfficerContact.officer_id, OfficerContact.channel)
    )
    return [(row.officer_id, To(row.channel, row.address)) for row in session.scalars(query)]
