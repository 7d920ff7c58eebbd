"""What is asked for when a licence is to be issued, and the draft that it becomes. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cert_registry.licences.catalogue import Body
from cert_registry.licences.holders import Holder


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an officer's, client's or process's id; the department; the certificate's SHA-256 if one was used."""

    id: str
    department: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """`type`: key or code of the catalogue. `approval_id` names the case; one case gives one licence.

    `number` empty: drawn by the type's pattern. `operation`: issue, renew, change or transfer_in; all but the first
    name in `replaces` the identifier of the licence before. `absorbs`: types taken in by a business licence.
    `parties`: departments of the case's route.
    """

    approval_id: str
    type: str
    issuer: Body
    holders: Sequence[Holder]
    fields: Mapping[str, Any]
    issued_on: date
    valid_from: date | None = None
    valid_until: date | None = None
    number: str = ""
    matter_code: str = ""
    matter_name: str = ""
    document_digest: str = ""
    operation: str = "issue"
    replaces: str = ""
    reason: str = ""
    legal_basis: str = ""
    absorbs: Sequence[str] = ()
    parties: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Draft:
    """A prepared licence, for those who make its paper code and seal it. `seal_centre_mm`: on the last page."""

    licence_id: int
    approval_id: str
    identifier: str
    number: str
    type_key: str
    type_code: str
    type_name: str
    issuer: Body
    issued_on: date
    valid_from: date
    valid_until: date | None
    seal_centre_mm: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Registered:
    """`digest`: SHA-256 of the sealed file, under which the blob store has it."""

    identifier: str
    number: str
    digest: str


PaperCode = Callable[[Draft], bytes]
"""The draft's paper code as SVG bytes."""
Seal = Callable[[Draft, bytes], bytes]
"""The rendered PDF, sealed by incremental update under the issuing body's authorisation. Raises what sealing raises."""
