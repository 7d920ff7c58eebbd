"""Certificates that end soon: warned 30, 7 and 1 days before. Deciding is pure; the queries only fetch and tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from signing_service.kernel.audit_log import Act, AuditLog, entries_about
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.kernel.outbox import Handler, OutboxMessage, publish
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.rules import State

STEPS = (1, 7, 30)
TOPIC = "certificate.ending"
OFFICER = "officer-"
FORGOTTEN_AFTER = timedelta(days=30)


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
    """Active certificates with a warning due, soonest first.

    Left out: what has an active successor (named by it, or the newest one of the same service), and officers'
    certificates that ended over a month ago.
    """
    row = CertificateRow
    query = select(row).where(row.state == State.ACTIVE, row.not_after <= now + timedelta(days=STEPS[-1]))
    settled = _settled_by(session)
    found = []
    for certificate in session.scalars(query.order_by(row.not_after)):
        end = certificate.not_after
        step = None if end is None else step_due(end, now)
        if end is not None and step is not None and not settled(certificate, end, now):
            found.append(
                EndingSoon(
                    certificate.reference, certificate.profile, certificate.owner, certificate.department, end, step
                )
            )
    return found


def _settled_by(session: Session) -> Callable[[CertificateRow, datetime, datetime], bool]:
    """Tells of a certificate whether nobody need be warned of its end."""
    row = CertificateRow
    replaced = set(session.scalars(select(row.replaces).where(row.state == State.ACTIVE, row.replaces.is_not(None))))
    ends = select(row.owner, row.profile, func.max(row.not_after)).where(
        row.state == State.ACTIVE, row.profile.not_like(f"{OFFICER}%")
    )
    latest = {(owner, profile): last for owner, profile, last in session.execute(ends.group_by(row.owner, row.profile))}

    def settled(certificate: CertificateRow, end: datetime, now: datetime) -> bool:
        newest = latest.get((certificate.owner, certificate.profile))
        if certificate.id in replaced or (newest is not None and newest > end):
            return True
        return certificate.profile.startswith(OFFICER) and now - end > FORGOTTEN_AFTER

    return settled


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


def record_warning(database: Database, audit: AuditLog, clock: Clock) -> Handler:
    """The outbox consumer: a warning that was given is in the audit log, once, under the certificate's reference."""

    def record(key: str, payload: Mapping[str, Any]) -> None:
        subject = f"certificate:{payload['reference']}"
        with database.write() as session:
            told = [entry for entry in entries_about(session, subject) if entry.details.get("key") == key]
            if not told:
                act = Act(TOPIC, "worker", subject, str(payload["department"]), details={**payload, "key": key})
                audit.record(session, act, clock.now())

    return record
