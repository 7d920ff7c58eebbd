"""Certificates that end soon: warned 30, 7 and 1 days before. Deciding is pure; the query only fetches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.pki.certificates import CertificateRow
from signing_service.pki.rules import State

STEPS = (1, 7, 30)


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
