"""Licence identifiers (GB/T 36904) that a document names in its information dictionary or XMP metadata."""

from __future__ import annotations

import re

from signing_service.verification.document import Document
from signing_service.verification.errors import DamagedPdf
from signing_service.verification.fields import text
from signing_service.verification.syntax import Ref, Stream

_IDENTIFIER = re.compile(r"1\.2\.156\.3005\.2(?:\.[0-9A-Z]{1,40}){4}\.[0-9A-Z]\b")
_MOST = 20


def identifiers_in(document: Document) -> tuple[str, ...]:
    """Distinct identifiers in order of appearance, at most twenty."""
    found: list[str] = []
    for value in document.dictionary(document.trailer.get("Info")).values():
        found += _IDENTIFIER.findall(text(document.resolve(value)))
    found += _IDENTIFIER.findall(_metadata(document))
    return tuple(dict.fromkeys(found))[:_MOST]


def _metadata(document: Document) -> str:
    reference = document.catalog.get("Metadata")
    stream = document.resolve(reference)
    if not isinstance(stream, Stream) or not isinstance(reference, Ref):
        return ""
    try:
        return document.file.decoded(stream, reference.number, reference.generation).decode("utf-8", "replace")
    except DamagedPdf:
        return ""
