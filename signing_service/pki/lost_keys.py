"""Telling of a lost USB key: its certificate was revoked or put on hold for that; holder and operators hear once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.errors import Text
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.people.contacts import contacts_of
from signing_service.people.notice_outbox import queue_notice
from signing_service.people.register import PeopleRegister
from signing_service.people.rules import Role
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.crl import Reason

LOST_KEY, RECENT = "lost_key", timedelta(days=7)
_LOST = (int(Reason.KEY_COMPROMISE), int(Reason.CERTIFICATE_HOLD))


def tell_lost_keys(database: Database, clock: Clock, people: PeopleRegister) -> int:
    """Queue notices for officers' certificates that were stopped in the last days; returns how many are new."""
    now = clock.now()
    query = select(CertificateRow).where(
        CertificateRow.profile.startswith("officer-"), CertificateRow.reason.in_(_LOST),
        CertificateRow.status_at > now - RECENT, CertificateRow.revoked_at.is_not(None),
    )  # fmt: skip
    with database.write() as session:
        return sum(_tell(session, people, row, now) for row in session.scalars(query.order_by(CertificateRow.id)))


def _tell(session: Session, people: PeopleRegister, row: CertificateRow, now: datetime) -> int:
    """The text names the certificate by the end of its serial number, and nobody."""
    end = (row.serial or "")[-6:].upper()
    text = Text(
        f"尾号{end}的 USB Key 证书已停用(挂失或泄露)。如非本人办理,请立即联系证书操作员。{{site}}",
        f"The USB key's certificate ending in {end} was stopped (lost or compromised). If you did not ask for this, "
        "call the PKI operator at once. {site}",
    )
    operators = [officer.id for officer in people.officers_with(session, Role.PKI_OPERATOR)]
    told = 0
    for officer, to in contacts_of(session, {row.owner, *operators}):
        key = f"{LOST_KEY}:{row.id}:{row.reason}:{officer}:{to.channel}"
        told += queue_notice(session, key, LOST_KEY, to, text, now)
    return told
