"""Operations on a licence that exists: suspension, return, ending, transfer out, and correcting a record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.errors import Text
from cert_registry.licences.drafts import Actor
from cert_registry.licences.errors import BasisMissing, FieldsInvalid, LicenceNotFound
from cert_registry.licences.events import happened
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.lifecycle import OPERATIONS, State, check_operation
from cert_registry.licences.register import Licence, LicenceOperation, entries_of
from signing_service.kernel.audit_log import Act, AuditLog

RECORDED = "licence.operation"
CORRECTION = Text("更正记录", "correction of the record")
RECORDABLE = frozenset(key for key, one in OPERATIONS.items() if not one.makes_new) - {"replace", "absorb"}


@dataclass(frozen=True, slots=True)
class Change:
    """`operation` is one of RECORDABLE, or `void` to take back entry number `voids` of the same licence."""

    operation: str
    effective_from: datetime
    reason: str = ""
    legal_basis: str = ""
    voids: int | None = None


def record(session: Session, identifier: LicenceIdentifier, change: Change, actor: Actor, now: datetime) -> State:
    """Record within the caller's transaction, under the licence's lock; gives the state that then holds now.

    Raises LicenceNotFound, OperationNotAllowed, BasisMissing, FieldsInvalid.
    """
    query = select(Licence).where(Licence.identifier == str(identifier), Licence.digest.is_not(None))
    licence = session.scalar(query.with_for_update())
    if licence is None:
        raise LicenceNotFound
    operation = _checked(licence, change, now)
    row = LicenceOperation(
        licence_id=licence.id, operation=operation, effective_from=change.effective_from, recorded_at=now,
        voids=change.voids, reason=change.reason, legal_basis=change.legal_basis, actor=actor.id,
        department=actor.department, certificate=actor.certificate,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.refresh(licence, ["operations"])
    details = {"operation": change.operation, "effective_from": change.effective_from.isoformat(), "entry": row.id}
    act = Act(RECORDED, actor.id, f"licence:{identifier}", actor.department, actor.certificate, details=details)
    AuditLog().record(session, act, now)
    happened(session, licence, change.operation, now, effective_from=change.effective_from.isoformat())
    return licence.state(now, now)


def _checked(licence: Licence, change: Change, now: datetime) -> str:
    history = entries_of(licence.operations)
    if change.operation == "void":
        return _checked_correction(licence, change)
    if change.operation not in RECORDABLE or change.voids is not None:
        allowed = ", ".join(sorted(RECORDABLE | {"void"}))
        raise FieldsInvalid({"operation": Text(f"应为:{allowed}", f"must be one of: {allowed}")})
    check_operation(
        change.operation, history, change.effective_from, now, reason=change.reason, legal_basis=change.legal_basis
    )
    return change.operation


def _checked_correction(licence: Licence, change: Change) -> str:
    """The operation of the entry that is taken back; the first entry of a licence cannot be (revoke it instead)."""
    if not change.reason.strip():
        raise BasisMissing(CORRECTION)
    voided = {row.voids for row in licence.operations}
    for row in licence.operations[1:]:
        if row.id == change.voids and row.voids is None and row.id not in voided:
            return row.operation
    raise FieldsInvalid({"voids": Text("没有可以更正的这条记录", "no such entry to take back")})
