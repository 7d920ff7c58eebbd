"""Would two careful readers see the same document?

Where they could differ, a signature proves nothing about what is shown.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from signing_service.verification.document import Document
from signing_service.verification.errors import DamagedPdf
from signing_service.verification.spans import syntax_spans


def ambiguity(document: Document) -> str | None:
    """Why two careful readers could disagree about a signed revision: they must not."""
    if any(section.conflicts for section in document.sections):
        return "the two halves of hybrid cross-references disagree"
    if document.rebuilt:
        return _twice_without_references(document)
    offsets = {entry.offset for section in document.sections for entry in section.entries.values()}
    placed = {document.file.behind_blanks(offset) for offset in offsets if offset > 0}
    bounds = sorted(section.offset for section in document.sections)
    seen: dict[tuple[int, int], int] = {}
    headers = [header for start, end in syntax_spans(document, 0) for header in document.file.headers_in(start, end)]
    for offset, number, _ in headers:
        revision = bisect_left(bounds, offset)  # a cross-reference stream is itself an object of the revision it ends
        if (revision, number) in seen and _both_real(document, seen[revision, number], offset, placed):
            return f"object {number} occurs twice in one revision"
        seen[revision, number] = offset
    return None


def _twice_without_references(document: Document) -> str | None:
    """Where nothing says which copy of an object counts, each reader has a rule of its own."""
    numbers = [number for offset, number, _ in document.file.headers if offset < document.end]
    twice = next((number for number, count in Counter(numbers).items() if count > 1), None)
    return None if twice is None else f"object {twice} occurs twice and no cross-references tell which counts"


def _both_real(document: Document, first: int, second: int, placed: set[int]) -> bool:
    """Neither lies inside another object's stream, and one of them is in use."""
    if not {first, second} & placed:
        return False
    return all(not _inside_stream(document, offset, placed) for offset in (first, second) if offset not in placed)


def _inside_stream(document: Document, offset: int, placed: set[int]) -> bool:
    holders = [place for place in placed if 0 < place < offset]
    if not holders:
        return False
    try:
        return offset < document.file.object_at(max(holders), document.end, document.resolve)[3]
    except DamagedPdf:
        return False
