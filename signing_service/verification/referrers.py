"""Who refers to an object: found by scanning source text once, so that a thousand unchanged pages cost nothing more."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from signing_service.verification.document import Document, PdfFile
from signing_service.verification.errors import DamagedPdf
from signing_service.verification.spans import syntax_spans
from signing_service.verification.syntax import Dictionary, Ref, Stream

_GAP = rb"(?:[\0\t\n\f\r ]|%[^\r\n]*[\r\n])+"
_REFERENCE = re.compile(
    rb"(?<![0-9A-Za-z])0*+(\d{1,10})" + _GAP + rb"\d{1,5}(?:" + _GAP + rb")?R(?![^\0\t\n\f\r ()<>\[\]{}/%])"
)
TRAILER = 0


class ReferenceIndex:
    """Reference positions of one file, extended as later revisions are asked for."""

    def __init__(self, file: PdfFile) -> None:
        self._file = file
        self._scanned = 0
        self._hits: dict[int, list[int]] = {}

    def referrers(self, document: Document, number: int) -> set[int]:
        """Object numbers that refer to `number` in this revision; TRAILER stands for the trailer."""
        starts, numbers = self._current(document)
        self._scan(document)
        found = set()
        for position in self._hits.get(number, ()):
            if position >= document.end:
                break
            place = bisect_right(starts, position) - 1
            if place >= 0 and self._really_inside(document, numbers[place], position):
                found.add(numbers[place])
        found |= self._compressed(document).get(number, set())
        if any(ref.number == number for _, ref in references_in(document.trailer)):
            found.add(TRAILER)
        return found - {number}

    def _really_inside(self, document: Document, number: int, position: int) -> bool:
        """False for the remains of a superseded object that lie behind a current one, and for a stream's content."""
        offset = document.offset_of(number)
        if offset is None:
            return False
        try:
            _, _, value, behind = self._file.object_at(offset, document.end, document.resolve)
            return position < (value.start if isinstance(value, Stream) else behind)
        except DamagedPdf:
            return True

    def _current(self, document: Document) -> tuple[list[int], list[int]]:
        cached = getattr(document, "_starts", None)
        if cached is None:
            placed = sorted((entry.offset, number) for number, entry in document.xref.items() if entry.offset > 0)
            cached = [offset for offset, _ in placed], [number for _, number in placed]
            document._starts = cached  # type: ignore[attr-defined]
        result: tuple[list[int], list[int]] = cached
        return result

    def _scan(self, document: Document) -> None:
        if self._scanned >= document.end:
            return
        begin, self._scanned = self._scanned, document.end
        for start, end in syntax_spans(document, begin):
            for match in _REFERENCE.finditer(self._file.data, start, end):
                self._hits.setdefault(int(match[1]), []).append(match.start())

    def _compressed(self, document: Document) -> dict[int, set[int]]:
        """References made by objects inside object streams."""
        cached: dict[int, set[int]] | None = getattr(document, "_compressed_references", None)
        if cached is None:
            cached = {}
            for number, entry in document.xref.items():
                if entry.container:
                    value = document.get(number)
                    for _, ref in references_in(value):
                        cached.setdefault(ref.number, set()).add(number)
                    for match in _REFERENCE.finditer(document.unread(number)) if value is None else ():
                        cached.setdefault(int(match[1]), set()).add(number)
            document._compressed_references = cached  # type: ignore[attr-defined]
        return cached


def references_in(value: Any) -> Iterator[tuple[tuple[str, ...], Ref]]:
    """Every reference inside a value with the keys that lead to it (array elements are "[]")."""
    pending: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while pending:
        path, item = pending.pop()
        if isinstance(item, Stream):
            item = item.dictionary
        if isinstance(item, Ref):
            yield path, item
        elif isinstance(item, Dictionary):
            pending += [((*path, key), entry) for key, entry in item.items()]
        elif isinstance(item, list):
            pending += [((*path, "[]"), entry) for entry in item]
