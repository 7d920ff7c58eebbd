"""Purpose-bound copies (加注件): recipient, purpose and expiry are printed on the copy, in its metadata, and sealed.

Made like a licence: reserved, rendered, sealed (no transaction open), registered under the digest of the sealed file.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.catalogue import Catalogue
from cert_registry.licences.identifiers import ALPHABET
from cert_registry.licences.register import Licence
from cert_registry.licences.rendering import Annotation, render
from cert_registry.licences.standing import Standing
from signing_service.kernel.database import Base, UtcDateTime
from signing_service.verification.ports import CopyFact

LONGEST_LIFE = timedelta(days=366)


class PurposeCopy(Base):
    """`digest` is empty until the sealed file is registered."""

    __tablename__ = "purpose_copy"

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    identifier: Mapped[str] = mapped_column(String(128), index=True)
    recipient: Mapped[str] = mapped_column(String(64))
    recipient_name: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str] = mapped_column(String(200))
    matter: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[str] = mapped_column(String(128))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    digest: Mapped[str | None] = mapped_column(String(64), unique=True)


@dataclass(frozen=True, slots=True)
class CopyOrder:
    """`recipient`: the department's id; `until`: the first instant at which the copy is of no use any more."""

    recipient: str
    recipient_name: str
    purpose: str
    matter: str
    until: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class CopyDraft:
    """For those who seal: the licence that it copies, the issuing body under whose authorisation it is sealed."""

    id: str
    identifier: str
    issuer_code: str
    type_code: str
    seal_centre_mm: tuple[float, float]
    rendered: bytes


SealCopy = Callable[[CopyDraft], bytes]
"""The draft's rendered PDF, sealed by incremental update under the issuing body's standing order for copies."""


class LicenceNotUsable(RegistryError):
    """No copy of a licence that may not be used; the code is that of its standing."""

    def __init__(self, now: Standing) -> None:
        self.code = now.reason
        advice = Text("请核实证照状态。", "Check the licence's status.")
        super().__init__(now.sentence, advice=advice)


class CopyPeriodInvalid(RegistryError):
    code = "fields_invalid"

    def __init__(self) -> None:
        days = LONGEST_LIFE.days
        super().__init__(
            Text("加注件的有效期不对。", "The copy's expiry is not acceptable."),
            why=Text(f"应晚于现在,且不超过 {days} 天。", f"It must lie ahead, at most {days} days."),
        )


def prepare_copy(session: Session, licence: Licence, standing: Standing, order: CopyOrder, now: datetime) -> str:
    """Reserve a copy in the caller's transaction; gives its id. Raises LicenceNotUsable, CopyPeriodInvalid."""
    if standing.usable_now != "yes":
        raise LicenceNotUsable(standing)
    if not now < order.until <= now + LONGEST_LIFE:
        raise CopyPeriodInvalid
    copy_id = "".join(secrets.choice(ALPHABET) for _ in range(20))
    row = PurposeCopy(
        id=copy_id, identifier=licence.identifier, recipient=order.recipient, recipient_name=order.recipient_name,
        purpose=order.purpose, matter=order.matter, until=order.until, made_at=now, made_by=order.made_by,
    )  # fmt: skip
    session.add(row)
    return copy_id


def render_copy(session: Session, copy_id: str, catalogue: Catalogue, code_svg: bytes, verify_host: str) -> CopyDraft:
    """The copy's PDF: the licence's layout with the annotation band."""
    row = session.get_one(PurposeCopy, copy_id)
    licence = session.scalars(select(Licence).where(Licence.identifier == row.identifier)).one()
    kind = catalogue.get(licence.type_code)
    annotation = Annotation(row.id, row.recipient_name, row.purpose, row.until, row.made_at, licence.issuer_name)
    content = render(licence, kind, code_svg, verify_host, annotation)
    return CopyDraft(row.id, row.identifier, licence.issuer_code, kind.code, kind.seal_centre_mm, content)


def register_copy(session: Session, draft: CopyDraft, sealed: bytes) -> str:
    """Bind the sealed bytes to the copy; gives their digest. What does not begin with the rendered bytes is refused."""
    if not sealed.startswith(draft.rendered) or len(sealed) == len(draft.rendered):
        raise CopyBytesDiffer
    row = session.get_one(PurposeCopy, draft.id)
    row.digest = hashlib.sha256(sealed).hexdigest()
    return row.digest


class CopyBytesDiffer(RegistryError):
    code = "sealed_bytes_differ"

    def __init__(self) -> None:
        super().__init__(
            Text("盖章后的加注件与送去盖章的不一致。", "The sealed copy is not the one sent to be sealed."),
            advice=Text("请重新制作。", "Make it again."),
        )


def copy_by_digest(session: Session, digest: str) -> PurposeCopy | None:
    """The copy whose sealed file has this SHA-256."""
    return session.scalar(select(PurposeCopy).where(PurposeCopy.digest == digest))


def fact_for(copy: PurposeCopy, department: str | None, matter: str) -> CopyFact:
    """As the engine takes it. `department` None: nobody said who asks. A withdrawn copy ended when it was withdrawn."""
    until = min(copy.until, copy.withdrawn_at) if copy.withdrawn_at else copy.until
    matches = None if department is None else (department, matter) == (copy.recipient, copy.matter)
    return CopyFact(copy.recipient_name, copy.matter, until, matches)


def fact_for_named(copy: PurposeCopy, recipient: str, matter: str) -> CopyFact:
    """As `fact_for`, for somebody who says by name or code who they are and what for; empty: not said."""
    whom = not recipient or recipient in (copy.recipient, copy.recipient_name)
    why = not matter or matter in (copy.matter, copy.purpose)
    return replace(fact_for(copy, None, ""), recipient_matches=whom and why if recipient or matter else None)
