"""Issuing: prepare (reserve case, identifier, number) -> render -> the caller seals -> register.

No transaction is open while the paper code or the seal is made. What a crash leaves is a draft, which nobody sees;
the same case may be prepared again when the draft's lease is over, or at once by a caller that resumes its own work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cert_registry.licences.catalogue import Body, Catalogue, LicenceType
from cert_registry.licences.content import checked_fields, checked_holders
from cert_registry.licences.drafts import Actor, Draft, IssueRequest, PaperCode, Registered, Seal
from cert_registry.licences.errors import AlreadyIssued, SealedBytesDiffer
from cert_registry.licences.events import happened
from cert_registry.licences.holder_vault import HolderVault
from cert_registry.licences.holders import Holder, masked
from cert_registry.licences.identifiers import LicenceIdentifier, new_serial
from cert_registry.licences.issuers import require_right
from cert_registry.licences.merging import check_absorbs, refuse_absorbed, take_in
from cert_registry.licences.numbers import draw_number
from cert_registry.licences.register import Licence, LicenceHolder, LicenceOperation, LicenceParty, by_approval
from cert_registry.licences.rendering import render
from cert_registry.licences.succession import end_replaced, replaced_by
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.clock import LOCAL_ZONE, Clock
from signing_service.kernel.database import Database

LEASE = timedelta(minutes=2)
PREPARED, REGISTERED = "licence.prepared", "licence.registered"


@dataclass(frozen=True, slots=True)
class Issuing:
    """`verify_host`: the official address that is printed beside the paper code."""

    database: Database
    blobs: BlobStore
    catalogue: Catalogue
    vault: HolderVault
    clock: Clock
    verify_host: str

    def issue(
        self, request: IssueRequest, actor: Actor, *, paper_code: PaperCode, seal: Seal, resume: bool = False
    ) -> Registered:
        """All steps in order. Raises AlreadyIssued when the case has its licence, and what the steps raise."""
        draft = self.prepare(request, actor, resume=resume)
        try:
            rendered = self.render(draft, paper_code(draft))
            sealed = seal(draft, rendered)
        except Exception:
            self._end_lease(draft)
            raise
        return self.register(draft, sealed, request, actor)

    def prepare(self, request: IssueRequest, actor: Actor, *, resume: bool = False) -> Draft:
        """Check everything and reserve. Raises FieldsInvalid, HolderCodeInvalid, NotAnIssuer, AlreadyIssued, …"""
        kind = self.catalogue.get(request.type)
        fields, holders = checked_fields(kind, request.fields), checked_holders(kind, request.holders)
        check_absorbs(kind, self.catalogue, request.absorbs)
        now = self.clock.now()
        try:
            with self.database.write() as session:
                require_right(session, kind, request.issuer.code, now)
                refuse_absorbed(session, kind, self._lookups(holders))
                kept = _give_up_draft(session, request.approval_id, now, resume)
                row = self._draft_row(session, kind, request, fields, kept, now)
                row.prepared_by = actor.id
                row.holders = [self._holder_row(row.identifier, place, one) for place, one in enumerate(holders)]
                session.add(row)
                session.flush()
                session.add_all(LicenceParty(licence_id=row.id, department=one) for one in sorted(set(request.parties)))
                _log(session, PREPARED, row, actor, now)
                return _as_draft(row, kind)
        except IntegrityError:
            raise self._already_issued(request.approval_id) from None

    def render(self, draft: Draft, code_svg: bytes) -> bytes:
        """The unsealed PDF; its digest is kept so that only its sealed form can be registered."""
        with self.database.read() as session:
            row = session.get_one(Licence, draft.licence_id)
            content = render(row, self.catalogue.get(draft.type_code), code_svg, self.verify_host)
        with self.database.write() as session:
            row = session.get_one(Licence, draft.licence_id)
            row.rendered_digest, row.rendered_bytes = hashlib.sha256(content).hexdigest(), len(content)
        return content

    def register(self, draft: Draft, sealed: bytes, request: IssueRequest, actor: Actor) -> Registered:
        """Keep the sealed bytes and make the licence exist. Raises SealedBytesDiffer, AlreadyIssued."""
        digest, now = self.blobs.put(sealed), self.clock.now()
        with self.database.write() as session:
            row = session.scalar(select(Licence).where(Licence.id == draft.licence_id).with_for_update())
            if row is None or not row.is_draft:
                raise AlreadyIssued(draft.identifier)
            begun = sealed[: row.rendered_bytes]
            if len(begun) == len(sealed) or hashlib.sha256(begun).hexdigest() != row.rendered_digest:
                raise SealedBytesDiffer
            row.digest, row.registered_at = digest, now
            session.add(_first_operation(row, request, actor, now))
            end_replaced(session, row, actor, now)
            take_in(session, row, self.catalogue, request.absorbs, self._lookups_of, actor, now)
            _log(session, REGISTERED, row, actor, now)
            happened(session, row, row.operation, now, digest=digest)
        return Registered(draft.identifier, draft.number, digest)

    def _end_lease(self, draft: Draft) -> None:
        """What failed here is over: the case may be tried again at once, with the same identifier and number."""
        with self.database.write() as session:
            row = session.get(Licence, draft.licence_id, with_for_update=True)
            if row is not None and row.is_draft:
                row.prepared_at -= LEASE + timedelta(seconds=1)

    def draft_of(self, licence: Licence) -> Draft:
        """The licence as those see it who make its paper code."""
        return _as_draft(licence, self.catalogue.get(licence.type_code))

    def find_by_approval(self, approval_id: str) -> Registered | None:
        """The licence that a case already has; None while there is none or only a draft."""
        with self.database.read() as session:
            row = by_approval(session, approval_id)
            return None if row is None or row.digest is None else Registered(row.identifier, row.number, row.digest)

    def _draft_row(
        self,
        session: Session,
        kind: LicenceType,
        request: IssueRequest,
        fields: dict[str, object],
        kept: tuple[LicenceIdentifier, str] | None,
        now: datetime,
    ) -> Licence:
        before = replaced_by(session, request, kind, now)
        fresh = LicenceIdentifier(kind.code, request.issuer.code, new_serial(), 1)
        identifier = before.identifier if before else kept[0] if kept else fresh
        valid_from = request.valid_from or request.issued_on
        number = request.number or (before.number if before else "") or (kept[1] if kept else "")
        return Licence(
            identifier=str(identifier),
            type_code=kind.code,
            issuer_code=request.issuer.code,
            issuer_name=request.issuer.name,
            serial=identifier.serial,
            version=identifier.version,
            number=number or draw_number(session, kind, request.issuer.code, request.issued_on.year),
            approval_id=request.approval_id,
            matter_code=request.matter_code,
            matter_name=request.matter_name,
            fields=fields,
            issued_on=request.issued_on,
            valid_from=valid_from,
            valid_until=request.valid_until or _end_by_type(kind, valid_from),
            replaces=request.replaces,
            operation=request.operation,
            document_digest=request.document_digest,
            prepared_at=now,
        )

    def _lookups(self, holders: Iterable[Holder]) -> list[str]:
        return [found for one in holders for found in self.vault.lookups(one.code, one.code_type)]

    def _lookups_of(self, licence: Licence, holder: LicenceHolder) -> Sequence[str]:
        """Raises HolderCodeUnreadable."""
        code = self.vault.open(holder.code_sealed, licence.identifier)
        return self.vault.lookups(code, holder.code_type)

    def _holder_row(self, identifier: str, position: int, holder: Holder) -> LicenceHolder:
        lookup = self.vault.lookup(holder.code, holder.code_type)
        return LicenceHolder(
            position=position,
            name=holder.name,
            code_type=holder.code_type,
            code_sealed=self.vault.seal(holder.code, identifier),
            code_hash=lookup.digest,
            hash_key=lookup.key,
            code_shown=masked(holder.code, holder.code_type),
        )

    def _already_issued(self, approval_id: str) -> AlreadyIssued:
        with self.database.read() as session:
            row = by_approval(session, approval_id)
            return AlreadyIssued(row.identifier if row is not None else "-")


def midnight(day: date) -> datetime:
    """The instant at which a day begins in the city."""
    return datetime.combine(day, time(), LOCAL_ZONE)


def _give_up_draft(
    session: Session, approval_id: str, now: datetime, resume: bool
) -> tuple[LicenceIdentifier, str] | None:
    """Clear the way for a case; the identifier and number of the draft given up are used again."""
    row = by_approval(session, approval_id)
    if row is None:
        return None
    if not row.is_draft or not (resume or now - row.prepared_at > LEASE):
        raise AlreadyIssued(row.identifier)
    kept = LicenceIdentifier.parse(row.identifier), row.number
    for party in session.scalars(select(LicenceParty).where(LicenceParty.licence_id == row.id)):
        session.delete(party)
    session.flush()
    session.delete(row)
    session.flush()
    return kept


def _end_by_type(kind: LicenceType, valid_from: date) -> date | None:
    """The day before the anniversary; 29 February counts as 1 March in other years."""
    if kind.validity_years is None:
        return None
    year = valid_from.year + kind.validity_years
    leap_day = (valid_from.month, valid_from.day) == (2, 29)
    return (date(year, 3, 1) if leap_day else valid_from.replace(year=year)) - timedelta(days=1)


def _first_operation(row: Licence, request: IssueRequest, actor: Actor, now: datetime) -> LicenceOperation:
    return LicenceOperation(
        licence_id=row.id,
        operation=row.operation,
        effective_from=midnight(row.valid_from),
        recorded_at=now,
        reason=request.reason,
        legal_basis=request.legal_basis,
        actor=actor.id,
        department=actor.department,
        certificate=actor.certificate,
    )


def _log(session: Session, kind: str, row: Licence, actor: Actor, now: datetime) -> None:
    details = {"approval": row.approval_id, "type": row.type_code, "operation": row.operation}
    act = Act(
        kind, actor.id, f"licence:{row.identifier}", actor.department, actor.certificate, row.digest or "", details
    )
    AuditLog().record(session, act, now)


def _as_draft(row: Licence, kind: LicenceType) -> Draft:
    return Draft(
        row.id, row.approval_id, row.identifier, row.number, kind.key, kind.code, kind.name.zh,
        Body(row.issuer_code, row.issuer_name), row.issued_on, row.valid_from, row.valid_until, kind.seal_centre_mm,
    )  # fmt: skip
