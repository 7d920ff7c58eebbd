"""The stretches of a file that hold PDF syntax: everything but the bodies of large streams and long hexadecimal
strings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from signing_service.verification.document import Document
from signing_service.verification.errors import DamagedPdf
from signing_service.verification.syntax import Dictionary, HexString, Stream

_LARGE = 4096


def syntax_spans(document: Document, begin: int) -> Iterator[tuple[int, int]]:
    """(start, end) offsets from `begin` to the revision's end, in order. Small objects are taken whole, stream and
    all."""
    starts = sorted(
        {entry.offset for section in document.sections for entry in section.entries.values() if entry.offset >= begin}
    )
    position = begin
    bounds = [start for start in starts if start < document.end] + [document.end]
    for start, following in pairwise(bounds):
        if following - start < _LARGE or start < position:
            continue
        for first, last in _bodies(document, start):
            if first > position:
                yield position, first
            position = max(position, last)
    if position < document.end:
        yield position, document.end


def _bodies(document: Document, offset: int) -> list[tuple[int, int]]:
    """What to leave out of one object."""
    try:
        value: Any = document.file.object_at(offset, document.end, document.resolve)[2]
    except DamagedPdf:
        return []
    if isinstance(value, Stream):
        return [(value.start, value.start + value.length)]
    if isinstance(value, Dictionary):
        return sorted(
            (item.start, item.end) for item in value.values() if isinstance(item, HexString) and len(item) > 1000
        )
    return []
