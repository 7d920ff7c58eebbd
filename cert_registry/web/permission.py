"""Finds a licence for a caller, with sharing's decision; what must not be seen is not found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.register import Licence, parties_of
from cert_registry.sharing.access import Access, Action, Need, Relation, decide
from cert_registry.sharing.consents import consent_given
from cert_registry.sharing.grants import grants_of
from cert_registry.verification.lookup import find, refuse_other_issuer
from cert_registry.web.calls import Trace
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.purposes import Purpose


@dataclass(frozen=True, slots=True)
class Seen:
    licence: Licence
    access: Access


def licence_for(
    session: Session,
    parts: RegistryParts,
    caller: Caller,
    purpose: Purpose,
    action: Action,
    text: str,
    at: datetime,
    trace: Trace,
    consent: str = "",
) -> Seen:
    """By identifier. Raises IdentifierMalformed, BadCheckCharacter, OtherIssuer and what `access_to` raises."""
    identifier = LicenceIdentifier.parse(text)
    trace.subject = f"licence:{identifier}"
    refuse_other_issuer(identifier, parts.other_registries)
    licence = find(session, identifier)
    access = access_to(session, parts, caller, purpose, action, identifier.type_code, licence, at, consent)
    if licence is None:
        raise LicenceNotFound
    trace.digest = licence.digest or ""
    note(trace, access)
    return Seen(licence, access)


def access_to(
    session: Session,
    parts: RegistryParts,
    caller: Caller,
    purpose: Purpose,
    action: Action,
    type_code: str,
    licence: Licence | None,
    at: datetime,
    consent: str = "",
) -> Access:
    """Raises LicenceNotFound, GrantMissing, ConsentNeeded; the same whether or not the licence exists."""
    relation = relation_of(session, parts, caller, licence)
    identifier = licence.identifier if licence is not None else ""
    given = consent_given(session, consent, identifier, caller.department_id, purpose.matter, at)
    grants = () if relation is Relation.OWN else grants_of(session, caller.department_id, type_code)
    need = Need(action, type_code, purpose.matter)
    access = decide(relation, grants, need, at, consented=given is not None, contact=parts.settings.contact)
    return access if given is None else replace(access, consent=given.reference)


def note(trace: Trace, access: Access) -> None:
    """For the log: by what right, and by which consent of the holder."""
    trace.details.update(relation=str(access.relation), grant=access.grant)
    if access.consent:
        trace.details["consent"] = access.consent


def relation_of(session: Session, parts: RegistryParts, caller: Caller, licence: Licence | None) -> Relation:
    """Own: issued by this department or by a body that it succeeded. Route: it took part in the case."""
    if licence is None:
        return Relation.NONE
    codes = parts.department_codes(session, caller.department_id)
    if licence.issuer_code in codes:
        return Relation.OWN
    if parties_of(session, licence.id) & (codes | {caller.department_id}):
        return Relation.ROUTE
    return Relation.NONE
