"""After a key is compromised: what depended on it since then, and which revocations follow. Nothing is revoked here.

The audit log tells what was done with the certificate. The facts above this room (seals, documents, prints, licences,
recipients) come through `Dependants`, composed by the command; a missing source is named in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from signing_service.kernel.audit_log import AuditEntry
from signing_service.pki.certificates import CertificateRow
from signing_service.pki.crl import Reason
from signing_service.pki.register import CertificateRegister, Why
from signing_service.pki.rules import ENDED, Actor, State
from signing_service.pki.timestamp_register import TimestampRow

KINDS = ("seal", "document", "print", "licence", "recipient")


@dataclass(frozen=True, slots=True)
class Dependant:
    """One thing that rests on the key; `label` is for people."""

    kind: str
    id: str
    at: datetime | None
    label: str = ""


class Dependants(Protocol):
    """A room above that knows what one kind of thing owes to a key."""

    def since(self, certificate: str, owner: str, moment: datetime) -> Sequence[Dependant]:
        """What the key behind this certificate (fingerprint) touched from `moment` on."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A revocation that is proposed."""

    reference: str
    profile: str
    owner: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Impact:
    """`unknown` lists the kinds for which no source was given."""

    certificate: str
    owner: str
    since: datetime
    dependants: tuple[Dependant, ...]
    timestamps: int
    drafts: tuple[Draft, ...]
    unknown: tuple[str, ...]


def impact(
    session: Session, register: CertificateRegister, which: str, since: datetime, sources: Mapping[str, Dependants]
) -> Impact:
    """What depended on a certificate (reference or fingerprint) after `since`. Raises CertificateUnknown."""
    row = register.find(session, which)
    reached = [row, *_issued_below(session, row)]
    dependants = [act for certificate in reached for act in _acts(session, certificate, since)]
    dependants += [
        found
        for certificate in reached
        for source in sources.values()
        for found in source.since(certificate.fingerprint or "", certificate.owner, since)
    ]
    stamped = 0
    if any(certificate.profile == "tsa" for certificate in reached):
        stamped = session.scalar(select(func.count()).select_from(TimestampRow).where(TimestampRow.at >= since)) or 0
    drafts = [
        Draft(entry.reference, entry.profile, entry.owner, _reason(entry, row))
        for entry in reached
        if entry.state not in (*ENDED, State.REQUESTED, State.APPROVED, State.REFUSED)
    ]
    unknown = tuple(kind for kind in KINDS if kind not in sources)
    once = tuple(dict.fromkeys(dependants))  # a file can rest on several keys of one CA
    return Impact(row.fingerprint or "", row.owner, since, once, stamped, tuple(drafts), unknown)


def carry_out(register: CertificateRegister, found: Impact, chosen: Sequence[str], actor: Actor, text: str) -> None:
    """Revoke those drafts whose references a person confirmed, dated back to when the key was lost."""
    for draft in found.drafts:
        if draft.reference in chosen:
            lost = found.since if draft.reason is not Reason.SUPERSEDED else None
            register.change(draft.reference, "revoke", actor, Why(text, draft.reason, invalid_from=lost))


def _acts(session: Session, row: CertificateRow, since: datetime) -> list[Dependant]:
    """What the audit log knows: acts done with this certificate, and acts upon its holder (a seal, say)."""
    by_or_on = or_(AuditEntry.certificate == row.fingerprint, AuditEntry.subject == row.owner)
    query = select(AuditEntry).where(AuditEntry.at >= since, by_or_on).order_by(AuditEntry.id)
    return [
        Dependant("act", entry.subject, entry.at, f"{entry.kind} {entry.result} {entry.digest}".strip())
        for entry in session.scalars(query)
    ]


def _issued_below(session: Session, row: CertificateRow) -> list[CertificateRow]:
    """Everything that a CA issued, down to the end entities, whenever: who has its key can date as he likes."""
    below: list[CertificateRow] = []
    level = [row.fingerprint]
    while level:
        query = select(CertificateRow).where(
            CertificateRow.issuer.in_(level), CertificateRow.fingerprint.is_not(None),
            CertificateRow.fingerprint != CertificateRow.issuer,
        )  # fmt: skip
        found = list(session.scalars(query))
        below += found
        level = [entry.fingerprint for entry in found]
    return below


def _reason(entry: CertificateRow, compromised: CertificateRow) -> Reason:
    if entry is not compromised:
        return Reason.CA_COMPROMISE
    return Reason.CA_COMPROMISE if entry.profile.endswith(("root", "-ca")) else Reason.KEY_COMPROMISE
