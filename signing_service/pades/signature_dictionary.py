"""The PDF source of what a signature adds: its dictionary, its lock, its strings (ISO 32000-2, 12.8.1)."""

from __future__ import annotations

import re
from datetime import datetime

from signing_service.pades.request import SignatureRequest
from signing_service.pdf.prepared import ByteRange

BYTE_RANGE_ROOM = b"[0 0000000000 0000000000 0000000000]"
_SPECIAL = re.compile(r"[()\\]")


def text_string(value: str) -> bytes:
    """A text string: ASCII as it is, anything else UTF-16 with its mark (7.9.2.2)."""
    if value.isascii() and value.isprintable() and not _SPECIAL.search(value):
        return b"(%s)" % value.encode("ascii")
    return b"<FEFF%s>" % value.encode("utf-16-be", "surrogatepass").hex().upper().encode("ascii")


def date_string(moment: datetime) -> bytes:
    """The instant with its own offset (7.9.4), never silently turned into UTC (B44)."""
    offset = moment.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    sign = b"-" if minutes < 0 else b"+"
    hours, rest = divmod(abs(minutes), 60)
    fields = moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, sign, hours, rest
    return b"(D:%04d%02d%02d%02d%02d%02d%s%02d'%02d')" % fields  # strftime costs ten times as much


def descriptive_entries(request: SignatureRequest) -> bytes:
    """/M and, where given, /Name, /Reason and /Location, in PDF source."""
    described = ((b"/Name", request.name), (b"/Reason", request.reason), (b"/Location", request.location))
    texts = b"".join([key + text_string(value) for key, value in described if value])
    return b"/M" + date_string(request.signed_at) + texts


def reference_entry(request: SignatureRequest, catalog: bytes) -> bytes:
    """/Reference with DocMDP and FieldMDP transforms; `catalog` is the reference they protect. Empty when neither."""
    references = b""
    if request.certify is not None:
        references += (
            b"<</Type/SigRef/TransformMethod/DocMDP/DigestMethod/SHA256/TransformParams"
            b"<</Type/TransformParams/V/1.2/P %d>>>>" % request.certify
        )
    if request.lock:
        references += (
            b"<</Type/SigRef/TransformMethod/FieldMDP/DigestMethod/SHA256/Data %s/TransformParams"
            b"<</Type/TransformParams/V/1.2/Action/All/P 1>>>>" % catalog
        )
    return b"/Reference[%s]" % references if references else b""


LOCK_ENTRY = b"<</Type/SigFieldLock/Action/All/P 1>>"
"""The field's own /Lock (12.7.5.5): all fields, and no change of the document (P, PDF 2.0)."""


def byte_range_source(byte_range: ByteRange) -> bytes:
    """The array, as long as its placeholder."""
    return b"[0 %010d %010d %010d]" % byte_range[1:]
