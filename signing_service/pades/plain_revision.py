"""One revision written as bytes: objects, then a cross-reference of the kind that the file uses."""

from __future__ import annotations

import hashlib
import re

from signing_service.pades.signature_dictionary import BYTE_RANGE_ROOM, byte_range_source
from signing_service.pdf.plain_file import PlainPdf
from signing_service.pdf.plain_tokens import NotPlain, PlainDictionary, reference
from signing_service.pdf.update import Container, Update

_TWO_HEX_STRINGS = re.compile(rb"\[\s*(<[0-9A-Fa-f\s]*>)\s*<[0-9A-Fa-f\s]*>\s*\]\Z")


class PlainRevision:
    """What is to be written after the file's bytes. `objects` are sources by number."""

    def __init__(self, file: PlainPdf) -> None:
        number = reference(file.trailer.get(b"/Root"))
        if number is None:
            raise NotPlain("catalog")
        self.file = file
        self.objects: dict[int, bytes] = {}
        self.catalog_number: int = number
        self.catalog: PlainDictionary = file.dictionary(number)
        self._next = file.next_number

    def new_number(self) -> int:
        self._next += 1
        return self._next - 1

    def add(self, source: bytes) -> int:
        number = self.new_number()
        self.objects[number] = source
        return number

    def written(self) -> bytes:
        """The update's bytes, without a signature."""
        output, offsets = self._written_objects()
        self._cross_reference(output, offsets)
        return bytes(output)

    def written_around(self, number: int, entries: bytes, room: int) -> Update:
        """The update's bytes; its last object is a signature dictionary of these entries, with `room` bytes of CMS."""
        output, offsets = self._written_objects()
        base = len(self.file.buffer)
        offsets[number] = base + len(output)
        output += b"%d 0 obj\n<<%s/ByteRange " % (number, entries)
        array = len(output)
        output += BYTE_RANGE_ROOM + b"/Contents "
        start = len(output)
        output += b"<" + b"0" * (2 * room) + b">"
        end = len(output)
        output += b">>\nendobj\n"
        self._cross_reference(output, offsets)
        byte_range = (0, base + start, base + end, len(output) - end)
        output[array : array + len(BYTE_RANGE_ROOM)] = byte_range_source(byte_range)
        return Update(output, Container(start, end, byte_range))

    def _written_objects(self) -> tuple[bytearray, dict[int, int]]:
        base = len(self.file.buffer)
        output = bytearray(b"" if self.file.buffer[-1:] in (b"\n", b"\r") else b"\n")
        offsets = {}
        for number, source in self.objects.items():
            offsets[number] = base + len(output)
            output += b"%d 0 obj\n%s\nendobj\n" % (number, source)
        return output, offsets

    def _cross_reference(self, output: bytearray, offsets: dict[int, int]) -> None:
        place = len(self.file.buffer) + len(output)
        kept = self._kept_entries(output)
        if self.file.has_stream:
            own = self.new_number()
            offsets[own] = place
            runs = _runs(offsets)
            rows = b"".join([b"\1" + offsets[number].to_bytes(5, "big") + b"\0" for run in runs for number in run])
            index = b" ".join([b"%d %d" % (run[0], len(run)) for run in runs])
            output += (
                b"%d 0 obj\n<</Type/XRef/W[1 5 1]/Index[%s]/Size %d%s/Length %d>>\nstream\n%s\nendstream\nendobj\n"
                % (
                    own,
                    index,
                    self._next,
                    kept,
                    len(rows),
                    rows,
                )
            )
        else:
            output += b"xref\n"
            for run in _runs(offsets):
                output += b"%d %d\n" % (run[0], len(run))
                output += b"".join([b"%010d 00000 n\r\n" % offsets[number] for number in run])
            output += b"trailer\n<</Size %d%s>>\n" % (self._next, kept)
        output += b"startxref\n%d\n%%%%EOF\n" % place

    def _kept_entries(self, written: bytearray) -> bytes:
        """The trailer's lasting entries. The new half of /ID follows from what this revision says (14.4), so that the
        same request prepared again gives the same bytes."""
        information = self.file.trailer.get(b"/Info")
        identifier = self.file.trailer.get(b"/ID")
        kept = b"/Root %d 0 R/Prev %d" % (self.catalog_number, self.file.start)
        if information is not None:
            kept += b"/Info " + information
        if identifier is not None:
            first = _TWO_HEX_STRINGS.match(identifier)
            name = hashlib.sha256(written).hexdigest()[:32].encode()
            fresh = b"[%s<%s>]" % (first.group(1), name) if first else identifier
            kept += b"/ID" + fresh
        return kept


def _runs(offsets: dict[int, int]) -> list[list[int]]:
    """The numbers in ascending order, cut where they do not follow one another."""
    runs: list[list[int]] = []
    for number in sorted(offsets):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
