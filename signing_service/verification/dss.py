"""Validation data that a document carries (EN 319 142-1, 5.4: the document security store)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signing_service.verification.document import Document
from signing_service.verification.errors import DamagedPdf, ResourceLimit
from signing_service.verification.syntax import Ref, Stream

_MOST = 2_000


@dataclass(frozen=True, slots=True)
class SecurityStore:
    """Certificates, CRLs and OCSP responses, DER."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()


def read_security_store(document: Document) -> SecurityStore:
    """What /DSS of this revision holds; unreadable members are left out."""
    store = document.dictionary(document.catalog.get("DSS"))
    return SecurityStore(
        _streams(document, store.get("Certs")),
        _streams(document, store.get("CRLs")),
        _streams(document, store.get("OCSPs")),
    )


def _streams(document: Document, array: Any) -> tuple[bytes, ...]:
    items = document.array(array)
    if len(items) > _MOST:
        raise ResourceLimit("validation data")
    found = []
    for item in items:
        stream = document.resolve(item)
        if isinstance(stream, Stream) and isinstance(item, Ref):
            try:
                found.append(document.file.decoded(stream, item.number, item.generation))
            except DamagedPdf:
                continue
    return tuple(found)
