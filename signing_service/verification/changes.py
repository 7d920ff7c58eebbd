"""What a later revision changed: does it build on the earlier one at all, and if so, what does it touch?"""

from __future__ import annotations

from signing_service.verification.change_kinds import Change, Kind
from signing_service.verification.comparison import Comparison
from signing_service.verification.document import Document
from signing_service.verification.errors import DamagedPdf
from signing_service.verification.referrers import ReferenceIndex
from signing_service.verification.spans import syntax_spans


def compare(old: Document, new: Document, index: ReferenceIndex) -> list[Change]:
    """Every change from `old` to the later revision `new` of the same file."""
    if old.end == new.end:
        return []
    broken = _broken_succession(old, new)
    if broken:
        return [Change(Kind.OTHER, broken)]
    return Comparison(old, new, index).changes()


def _broken_succession(old: Document, new: Document) -> str | None:
    """Does the later revision build on the earlier by its own cross-references (7.5.6)?"""
    if new.rebuilt or old.rebuilt:
        return "the bytes added later have no usable cross-references"
    if old.sections[0].offset not in {section.offset for section in new.sections}:
        return "the later revision does not build on the signed one"
    if _size(new) < _size(old):
        return "the later revision leaves objects out by its /Size"
    if not new.ends_properly:
        return "the later revision is not complete"
    root, later = old.trailer.get("Root"), new.trailer.get("Root")
    if root != later or old.trailer.get("Encrypt") != new.trailer.get("Encrypt"):
        return "another document catalog or encryption was put in"
    stray = _stray_object(old, new)
    return None if stray is None else f"object {stray} was added beside the cross-references"


def _size(document: Document) -> int:
    """/Size of the trailer: objects with that number or more do not exist for a careful reader (7.5.5)."""
    size = document.trailer.get("Size")
    return size if type(size) is int else 0


def _stray_object(old: Document, new: Document) -> int | None:
    """An object in the added bytes that no cross-reference section names at that place."""
    added = [section for section in new.sections if section.offset >= old.end]
    placed = {entry.offset for section in added for entry in section.entries.values() if entry.offset}
    placed |= {section.offset for section in added}
    placed |= {offset for section in added if type(offset := section.trailer.get("XRefStm")) is int}
    placed = {new.file.behind_blanks(offset) for offset in placed}
    position = old.end
    headers = [header for start, end in syntax_spans(new, old.end) for header in new.file.headers_in(start, end)]
    for offset, number, _ in headers:
        if offset < position:
            continue
        if offset not in placed:
            return number
        try:
            position = new.file.object_at(offset, new.end, new.resolve)[3]
        except DamagedPdf:
            return number
    return None
