"""New versions: renewal and change raise an identifier's version, transfer-in starts a new one; linked both ways."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.errors import Text
from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.drafts import Actor, IssueRequest
from cert_registry.licences.errors import FieldsInvalid, LicenceNotFound
from cert_registry.licences.events import happened
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.lifecycle import OPERATIONS, check_operation
from cert_registry.licences.register import Licence, LicenceOperation, by_identifier, entries_of

KEEPS_SERIAL = frozenset({"renew", "change"})


@dataclass(frozen=True, slots=True)
class Continued:
    """What a renewed or changed licence takes over: the identifier's next version and the number."""

    identifier: LicenceIdentifier
    number: str


def replaced_by(session: Session, request: IssueRequest, kind: LicenceType, now: datetime) -> Continued | None:
    """Check `replaces` against the operation. None when the new licence has an identifier of its own.

    Raises FieldsInvalid, LicenceNotFound, OperationNotAllowed (the old one has ended).
    """
    operation = OPERATIONS.get(request.operation)
    if operation is None or not operation.makes_new:
        raise FieldsInvalid({"operation": Text("不是颁发类操作", "is not an operation that issues")})
    if (request.operation == "issue") == bool(request.replaces):
        raise FieldsInvalid(
            {"replaces": Text("延续、变更、转入须写明原证照,新发不得写", "belongs to all but new issue")}
        )
    if request.operation not in KEEPS_SERIAL:
        return None
    old_identifier = LicenceIdentifier.parse(request.replaces)
    old = by_identifier(session, old_identifier)
    if (old.type_code, old.issuer_code) != (kind.code, request.issuer.code):
        raise LicenceNotFound
    check_operation("replace", entries_of(old.operations), now, now, reason="", legal_basis="")
    return Continued(old_identifier.next_version(), old.number)


def end_replaced(session: Session, new: Licence, actor: Actor, now: datetime) -> None:
    """Record on the old version, if this registry holds it, that the new one took its place."""
    if not new.replaces:
        return
    query = select(Licence).where(Licence.identifier == new.replaces, Licence.digest.is_not(None))
    old = session.scalar(query.with_for_update())
    if old is None:
        return
    if new.operation in KEEPS_SERIAL:
        check_operation("replace", entries_of(old.operations), now, now, reason="", legal_basis="")
        session.add(_replacement(old, new, actor, now))
        happened(session, old, "replace", now, by=new.identifier)


def _replacement(old: Licence, new: Licence, actor: Actor, now: datetime) -> LicenceOperation:
    return LicenceOperation(
        licence_id=old.id,
        operation="replace",
        effective_from=now,
        recorded_at=now,
        reason=new.identifier,
        actor=actor.id,
        department=actor.department,
        certificate=actor.certificate,
    )
