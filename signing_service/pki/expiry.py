"""Certificates that end soon: warned 30, 7 and 1 days before. Deciding is pure; the queries only fetch and tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.kernel.database import Database
from signing_service.kernel.outbox import OutboxMessage, publish
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.rules import State

STEPS = (1, 7, 30)
TOPIC = "certificate.ending"


@dataclass(frozen=True, slots=True)
class EndingSoon:
    """`step` is the warning that is due: 30, 7 or 1 days; 0 when it has ended."""

    reference: str
    profile: str
    owner: str
    department: str
    not_after: datetime
    step: int


def step_due(not_after: datetime, now: datetime) -> int | None:
    """Which warning is due, the most urgent one; None when there is more than 30 days left."""
    if now >= not_after:
        return 0
    return next((step for step in STEPS if not_after - now <= timedelta(days=step)), None)


def ending_soon(session: Session, now: datetime) -> list[EndingSoon]:
    """Active certificates with a warning due, soonest first. One with an active successor is left out."""
    row = CertificateRow
    query = select(row).where(row.state == State.ACTIVE, row.not_after <= now + timedelta(days=STEPS[-1]))
    replaced = set(session.scalars(select(row.replaces).where(row.state == State.ACTIVE, row.replaces.is_not(None))))
    found = []
    for certificate in session.scalars(query.order_by(row.not_after)):
        step = None if certificate.not_after is None else step_due(certificate.not_after, now)
        if certificate.id not in replaced and certificate.not_after is not None and step is not None:
            found.append(
                EndingSoon(
                    certificate.reference, certificate.profile, certificate.owner, certificate.department,
                    certificate.not_after, step,
                )
            )  # fmt: skip
    return found


def announce_endings(database: Database, now: datetime) -> int:
    """Put each warning that is due into the outbox, once for a certificate and step; how many were new.

    Topic `certificate.ending`, key `reference:step`. To be run daily by the worker; running it again does nothing.
    """
    with database.write() as session:
        told = set(session.scalars(select(OutboxMessage.key).where(OutboxMessage.topic == TOPIC)))
        due = [entry for entry in ending_soon(session, now) if f"{entry.reference}:{entry.step}" not in told]
        for entry in due:
            payload = {
                "reference": entry.reference, "profile": entry.profile, "owner": entry.owner,
                "department": entry.department, "not_after": entry.not_after.isoformat(), "days": entry.step,
            }  # fmt: skip
            publish(session, TOPIC, f"{entry.reference}:{entry.step}", payload, now)
        return len(due)
