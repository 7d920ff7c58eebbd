"""Finds every signature of a file: those that the current form shows, and those that an earlier revision showed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from signing_service.verification.byte_range import Coverage, Unsigned, read_coverage
from signing_service.verification.document import Document, PdfFile
from signing_service.verification.errors import DamagedPdf, ResourceLimit
from signing_service.verification.fields import FormField, hole_of, signed_fields
from signing_service.verification.syntax import Dictionary

_REACH = 262_144


@dataclass(slots=True)
class Found:
    """A signature dictionary with its field. `revision` is the document as the signature saw it (None: no usable
    coverage)."""

    field: FormField
    dictionary: Dictionary
    coverage: Coverage | Unsigned
    revision: Document | None = None
    removed: bool = False
    problem: str | None = None

    @property
    def end(self) -> int:
        return self.coverage.end if isinstance(self.coverage, Coverage) else 0


class Revisions:
    """Views of the file by length, each made once."""

    def __init__(self, file: PdfFile, current: Document) -> None:
        self._file = file
        self._views: dict[int, Document] = {current.end: current}
        self.current = current

    def at(self, end: int) -> Document:
        if end not in self._views:
            if len(self._views) > self._file.spending.limits.signatures + 1:
                raise ResourceLimit("revisions")
            self._views[end] = Document(self._file, end)
        return self._views[end]


def find_signatures(file: PdfFile, revisions: Revisions) -> list[Found]:
    """All of them, in the order of the bytes that they cover."""
    size = len(file.data)
    found = [
        _place(Found(field, dictionary, read_coverage(dictionary, size)), revisions)
        for field, dictionary in signed_fields(revisions.current)
    ]
    known = {hole_of(item.dictionary) for item in found if item.revision is not None}
    for dictionary in _superseded(file, revisions.current):
        hole = hole_of(dictionary)
        coverage = read_coverage(dictionary, size)
        if hole in known or not isinstance(coverage, Coverage) or coverage.problem:
            continue
        lost = _in_its_revision(dictionary, coverage, revisions)
        if lost is not None:
            known.add(hole)
            found.append(lost)
    return sorted(found, key=lambda item: item.end)


def _place(found: Found, revisions: Revisions) -> Found:
    """Check that the revision which the byte range ends with shows this very signature in this place."""
    coverage = found.coverage
    if not isinstance(coverage, Coverage) or coverage.problem:
        return found
    revision = revisions.at(coverage.end)
    seen = next((pair for pair in signed_fields(revision) if hole_of(pair[1]) == coverage.hole), None)
    if seen is None:
        found.problem = "the revision that the byte range covers does not contain this signature"
    elif not revision.ends_properly and coverage.end != revisions.current.end:
        found.problem = "the byte range does not end with a revision"
    else:
        found.revision, found.field = revision, seen[0]
    return found


def _in_its_revision(dictionary: Dictionary, coverage: Coverage, revisions: Revisions) -> Found | None:
    revision = revisions.at(coverage.end)
    if not revision.ends_properly:
        return None
    for field, seen in signed_fields(revision):
        if hole_of(seen) == hole_of(dictionary):
            return Found(field, seen, coverage, revision, removed=True)
    return None


def _superseded(file: PdfFile, current: Document) -> Iterator[Dictionary]:
    """Signature dictionaries lying anywhere in the file, current or not."""
    offsets = {entry.offset for section in current.sections for entry in section.entries.values() if entry.offset > 0}
    if current.rebuilt or _rolled_back(file, current):
        offsets = {offset for offset, _, _ in file.headers}
    ordered = sorted(offsets)
    for offset, following in zip(ordered, [*ordered[1:], current.end], strict=False):
        if file.data.find(b"/ByteRange", offset, min(following, offset + _REACH)) < 0:
            continue
        try:
            value = file.object_at(offset, current.end, lambda _: None)[2]
        except DamagedPdf:
            continue
        yield from _signature_dictionaries(value)


def _rolled_back(file: PdfFile, current: Document) -> bool:
    """Do the file's last words lead to a revision that is not its last? (So does every linearised file.)"""
    newest = max((section.offset for section in current.sections), default=0)
    return file.data.count(b"startxref", newest, current.end) > 1


def _signature_dictionaries(value: object) -> Iterator[Dictionary]:
    """The value itself, or a signature dictionary written directly into a field."""
    if isinstance(value, Dictionary):
        if "ByteRange" in value and "Contents" in value:
            yield value
        inner = value.get("V")
        if isinstance(inner, Dictionary) and "ByteRange" in inner:
            yield inner
