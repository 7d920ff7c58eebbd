"""One licence for several (多证合一): a business licence takes in listed certificates, which then stand for themselves
no more and are not issued separately to that holder; the bodies that issue them get a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.errors import Text
from cert_registry.licences.catalogue import Catalogue, LicenceType
from cert_registry.licences.drafts import Actor
from cert_registry.licences.errors import FieldsInvalid, LicenceError
from cert_registry.licences.events import happened
from cert_registry.licences.issuers import IssuingRight
from cert_registry.licences.register import Licence, LicenceHolder, LicenceOperation
from signing_service.kernel.database import Base
from signing_service.kernel.outbox import publish

NOTICE_TOPIC = "registry_notice"


class AbsorbedType(LicenceError):
    """`identifier`: the business licence that stands for this certificate."""

    code = "absorbed_type"

    def __init__(self, type_name: Text, identifier: str) -> None:
        self.identifier = identifier
        super().__init__(
            Text(f"{type_name.zh}已并入营业执照,不再单独颁发。", f"{type_name.en} is part of the business licence."),
            why=Text(f"营业执照标识:{identifier}。", f"The business licence: {identifier}."),
            advice=Text("请核验该营业执照。", "Verify that business licence instead."),
        )


class AbsorbedCertificate(Base):
    """For one holder, a type that a business licence stands for. `hash_key`: as with a licence's holder."""

    __tablename__ = "absorbed_certificate"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    type_code: Mapped[str] = mapped_column(String(21), primary_key=True)
    by: Mapped[str] = mapped_column(String(128))
    hash_key: Mapped[int] = mapped_column(default=1, server_default="1")


def refuse_absorbed(session: Session, kind: LicenceType, code_hashes: Iterable[str]) -> None:
    """Raises AbsorbedType when a holder's business licence already stands for this type."""
    query = select(AbsorbedCertificate).where(
        AbsorbedCertificate.type_code == kind.code, AbsorbedCertificate.code_hash.in_(list(code_hashes))
    )
    found = session.scalar(query)
    if found is not None:
        raise AbsorbedType(kind.name, found.by)


def check_absorbs(kind: LicenceType, catalogue: Catalogue, absorbs: Sequence[str]) -> None:
    """Raises FieldsInvalid when the type cannot take in one of these."""
    for key in absorbs:
        absorbed = catalogue.get(key)
        if absorbed.key not in kind.absorbs:
            raise FieldsInvalid(
                {"absorbs": Text(f"{absorbed.name.zh}不能并入", f"{absorbed.name.en} cannot be absorbed")}
            )


def take_in(
    session: Session,
    new: Licence,
    catalogue: Catalogue,
    absorbs: Sequence[str],
    lookups: Callable[[Licence, LicenceHolder], Sequence[str]],
    actor: Actor,
    now: datetime,
) -> None:
    """End the holder's certificates of the absorbed types, remember the types, and send the notices. `lookups`: every
    hash under which a holder's code may lie."""
    for absorbed in map(catalogue.get, absorbs):
        for holder in new.holders:
            _end_certificates(session, new, absorbed, lookups(new, holder), actor, now)
            session.merge(
                AbsorbedCertificate(
                    code_hash=holder.code_hash, type_code=absorbed.code, by=new.identifier, hash_key=holder.hash_key
                )
            )
        _notify(session, new, absorbed, now)


def _end_certificates(
    session: Session, new: Licence, absorbed: LicenceType, code_hashes: Sequence[str], actor: Actor, now: datetime
) -> None:
    query = (
        select(Licence)
        .join(LicenceHolder, LicenceHolder.licence_id == Licence.id)
        .where(LicenceHolder.code_hash.in_(code_hashes), Licence.type_code == absorbed.code)
        .where(Licence.digest.is_not(None))
    )
    for old in session.scalars(query).unique():
        if old.state(now, now).status not in ("valid", "suspended"):
            continue
        operation = LicenceOperation(
            licence_id=old.id, operation="absorb", effective_from=now, recorded_at=now, reason=new.identifier,
            actor=actor.id, department=actor.department, certificate=actor.certificate,
        )  # fmt: skip
        session.add(operation)
        happened(session, old, "absorb", now, by=new.identifier)


def _notify(session: Session, new: Licence, absorbed: LicenceType, now: datetime) -> None:
    """One notice for each body that issues the absorbed type."""
    query = select(IssuingRight.issuer_code).where(IssuingRight.type_code == absorbed.code).distinct()
    for body in session.scalars(query):
        notice = {"body": body, "about": "absorbed", "type_code": absorbed.code, "identifier": new.identifier}
        publish(session, NOTICE_TOPIC, f"{new.identifier}:{absorbed.code}:{body}", notice, now)
