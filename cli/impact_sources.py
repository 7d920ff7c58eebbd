"""What rested on a key since an instant, from every room's own tables: the `Dependants` of `pki.impact`, composed here.

A seal's key reaches its uses; a holder's key the uses that he asked for, approved or ordered; an officer's key the
cases that he signed. From uses and cases it goes on to documents, licences, prints and those who received them. All is
asked as one query each, however many uses a seal had; a use that was voided made nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, true
from sqlalchemy.orm import Session

from cert_registry.audit.accesses import KINDS
from cert_registry.licences.events import LicenceEvent
from cert_registry.licences.register import Licence, LicenceOperation
from cert_registry.sharing.copies import PurposeCopy
from cert_registry.sharing.subscriptions import Delivery, Subscription
from signing_service.approvals.register import ApprovalCase, DocumentVersion, RouteStep, StepSignature
from signing_service.custody.errors import CustodyError
from signing_service.custody.policy import load_policy
from signing_service.kernel.audit_log import ALLOWED, AuditEntry
from signing_service.kernel.database import Database
from signing_service.people.deliveries import DELIVERED
from signing_service.pki.impact import Dependant, Dependants
from signing_service.pki.register import fingerprint
from signing_service.printing.issued_codes import IssuedCode
from signing_service.printing.ledger import PrintCopy
from signing_service.seals.errors import SealError
from signing_service.seals.holder_signature import SignedAuthorisation
from signing_service.seals.seal_tables import SealOrder, SealUse
from signing_service.seals.use_book import UseState
from signing_service.settings import Settings

OWNER_PREFIXES = ("seal:", "seal-")  # how the register names a seal's certificate
PAPER_CODE, EVIDENCE = "paper-code", "evidence"  # services whose key signs what others receive


class Reach:
    """The rows that one certificate touched from an instant on, as conditions that queries build upon."""

    def __init__(
        self, session: Session, seals: Mapping[str, str], certificate: str, owner: str, since: datetime
    ) -> None:
        self.certificate, self.owner, self.since = certificate, owner, since
        self.use = self._use(session, seals)
        references = select(SealUse.reference).where(self.use)
        signed = select(RouteStep.case_id).join(StepSignature, StepSignature.step_id == RouteStep.id)
        signed = signed.where(StepSignature.certificate == certificate, StepSignature.signed_at >= since)
        logged = select(AuditEntry.subject).where(*self._logged("case.%"))
        self.case = or_(
            ApprovalCase.id.in_(references),
            ApprovalCase.id.in_(signed),
            (literal("case:") + ApprovalCase.id).in_(logged),
        )
        operated = select(LicenceOperation.licence_id).where(
            LicenceOperation.certificate == certificate, LicenceOperation.recorded_at >= since
        )
        self.licence = or_(
            Licence.approval_id.in_(select(ApprovalCase.id).where(self.case)),
            (literal("licence:") + Licence.identifier).in_(references),
            Licence.id.in_(operated),
        )
        self.identifiers = select(Licence.identifier).where(self.licence)
        self.copy = and_(
            PurposeCopy.made_at >= since,
            or_(PurposeCopy.identifier.in_(self.identifiers), (literal("copy:") + PurposeCopy.id).in_(references)),
        )

    def _use(self, session: Session, seals: Mapping[str, str]) -> ColumnElement[bool]:
        named = [self.owner.removeprefix(prefix) for prefix in OWNER_PREFIXES if self.owner.startswith(prefix)]
        own = {*named, *(seal for seal, key in seals.items() if key == self.certificate)}
        by_person = or_(SealUse.actor == self.owner, SealUse.approver == self.owner)
        reached = or_(SealUse.seal_id.in_(own), by_person, SealUse.authorisation.in_(self._orders(session)))
        return and_(SealUse.reserved_at >= self.since, SealUse.state != UseState.VOIDED, reached)

    def _orders(self, session: Session) -> list[str]:
        """Standing and emergency orders that bear a signature of this key."""
        found = []
        query = select(SealOrder.id, SealOrder.encoded).where(SealOrder.until >= self.since)
        for number, encoded in session.execute(query):
            with suppress(SealError):  # a draft that nobody signed
                signatures = SignedAuthorisation.decode(encoded).signatures
                if any(fingerprint(each.certificate) == self.certificate for each in signatures):
                    found.append(number)
        return found

    def _logged(self, kinds: str) -> Sequence[ColumnElement[bool]]:
        return (
            AuditEntry.certificate == self.certificate, AuditEntry.at >= self.since, AuditEntry.result == ALLOWED,
            AuditEntry.kind.like(kinds), AuditEntry.kind != "case.read",
        )  # fmt: skip


Find = Callable[[Session, Reach], list[Dependant]]


def impact_sources(settings: Settings, database: Database) -> dict[str, Dependants]:
    """A source for each kind that `pki.impact` knows."""
    seals: dict[str, str] = {}
    with suppress(CustodyError):  # another account's: the register's names of owners still tell
        seals = {name: fingerprint(seal.certificate) for name, seal in load_policy(settings.custody).seals.items()}
    finders: Mapping[str, Find] = {
        "seal": _seal_uses, "document": _documents, "print": _prints, "licence": _licences, "recipient": _recipients,
    }  # fmt: skip
    return {kind: _Source(database, seals, find) for kind, find in finders.items()}


class _Source:
    def __init__(self, database: Database, seals: Mapping[str, str], find: Find) -> None:
        self._database, self._seals, self._find = database, seals, find

    def since(self, certificate: str, owner: str, moment: datetime) -> Sequence[Dependant]:
        with self._database.read() as session:
            return self._find(session, Reach(session, self._seals, certificate, owner, moment))


def _seal_uses(session: Session, reach: Reach) -> list[Dependant]:
    return [
        Dependant(
            "seal", f"{use.seal_id}#{use.id}", use.reserved_at, f"{use.document_type} {use.state} {use.reference}"
        )
        for use in session.scalars(select(SealUse).where(reach.use).order_by(SealUse.id))
    ]


def _documents(session: Session, reach: Reach) -> list[Dependant]:
    """Signed revisions of the cases that were reached, from the instant on, by digest."""
    query = select(DocumentVersion, ApprovalCase.number).join(ApprovalCase)
    query = query.where(reach.case, DocumentVersion.created_at >= reach.since, DocumentVersion.signatures > 0)
    return [
        Dependant("document", version.digest, version.created_at, f"{number} {version.kind}")
        for version, number in session.execute(query.order_by(DocumentVersion.id))
    ]


def _licences(session: Session, reach: Reach) -> list[Dependant]:
    return [
        Dependant("licence", row.identifier, row.registered_at, row.number)
        for row in session.scalars(select(Licence).where(reach.licence).order_by(Licence.id))
    ]


def _prints(session: Session, reach: Reach) -> list[Dependant]:
    """Print copies of reached licences and cases; for the paper code's own key, every copy that bears a code."""
    coded = select(IssuedCode.copy_serial).where(IssuedCode.issued_at >= reach.since)
    cases = select(ApprovalCase.id).where(reach.case)
    wanted = or_(PrintCopy.document.in_(reach.identifiers), PrintCopy.document.in_(cases))
    if reach.owner == PAPER_CODE:
        wanted = or_(wanted, PrintCopy.serial.in_(coded))
    query = select(PrintCopy).where(wanted, PrintCopy.reserved_at >= reach.since).order_by(PrintCopy.reserved_at)
    return [
        Dependant("print", copy.serial, copy.reserved_at, f"{copy.document} {copy.state}")
        for copy in session.scalars(query)
    ]


def _recipients(session: Session, reach: Reach) -> list[Dependant]:
    """Who was given anything of it, with the last time: departments by API, copy and event, and who printed."""
    found = [
        Dependant("recipient", who, at, what)
        for query in (_by_api(reach), _by_copy(reach), _by_event(reach), _by_print(reach))
        for who, at, what in session.execute(query)
    ]
    return sorted(found, key=lambda entry: (entry.id, entry.label))


def _by_api(reach: Reach) -> Select[str, datetime, str]:
    """For the key that signs answers, everybody who got an answer."""
    subjects = select(literal("licence:") + Licence.identifier).where(reach.licence)
    about = true() if reach.owner == EVIDENCE else AuditEntry.subject.in_(subjects)
    query = select(AuditEntry.actor, func.max(AuditEntry.at), AuditEntry.kind)
    query = query.where(AuditEntry.kind.in_(KINDS), AuditEntry.result == ALLOWED, AuditEntry.at >= reach.since, about)
    return query.group_by(AuditEntry.actor, AuditEntry.kind)


def _by_copy(reach: Reach) -> Select[str, datetime, str]:
    query = select(PurposeCopy.recipient, func.max(PurposeCopy.made_at), literal("copy")).where(reach.copy)
    return query.group_by(PurposeCopy.recipient)


def _by_event(reach: Reach) -> Select[str, datetime, str]:
    query = select(Subscription.department, func.max(LicenceEvent.at), literal("event"))
    query = query.join(Delivery, Delivery.subscription_id == Subscription.id)
    query = query.join(LicenceEvent, LicenceEvent.number == Delivery.event_number)
    query = query.where(
        Delivery.state == DELIVERED, LicenceEvent.at >= reach.since, LicenceEvent.identifier.in_(reach.identifiers)
    )
    return query.group_by(Subscription.department)


def _by_print(reach: Reach) -> Select[str, datetime, str]:
    cases = select(ApprovalCase.id).where(reach.case)
    wanted = or_(PrintCopy.document.in_(reach.identifiers), PrintCopy.document.in_(cases))
    query = select(PrintCopy.requested_by, func.max(PrintCopy.reserved_at), literal("print"))
    return query.where(wanted, PrintCopy.reserved_at >= reach.since).group_by(PrintCopy.requested_by)
