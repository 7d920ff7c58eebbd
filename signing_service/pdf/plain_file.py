"""Random access to a plain PDF: cross-reference tables and streams are looked into, not read as a whole.

Plain means: unencrypted, not hybrid, cross-references intact. Anything else raises NotPlain. Files of hundreds of
megabytes may be given as a memory map; only what is asked for is touched.
"""

from __future__ import annotations

import mmap
import re
import zlib
from itertools import accumulate
from typing import Protocol

from signing_service.pdf.mending import header_stands_first
from signing_service.pdf.plain_tokens import (
    NotPlain,
    PlainDictionary,
    numbers,
    parse_any,
    parse_dictionary,
    parse_simple,
    reference,
)

Buffer = bytes | mmap.mmap

_TAIL, _WINDOW, _LARGEST_WINDOW = 1024, 4096, 1 << 20
_START = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_STREAM = re.compile(rb"\s*stream(?:\r\n|\n)")
_SUBSECTION = re.compile(rb"\s*(?:(\d+)[ ]+(\d+)[ ]*(?:\r\n|\r|\n)|trailer)")
_ROW = re.compile(rb"(\d{10}) 00000 n[ \r][\r\n]")
_HEADER = re.compile(rb"\s*(\d+)\s+(\d+)\s+obj\b")
_COMMENT = re.compile(rb"%[^\r\n]*")
_ROW_BYTES = 20
_MOST_SECTIONS = 200


Location = tuple[int, int | None]
"""Offset in the file and None, or the index in an object stream and the stream's number."""
Subsection = tuple[int, int, int]
"""First number, how many, and where the first row is: an offset in the file, or an index in a stream's rows."""


class Section(Protocol):
    """One cross-reference table or stream; `end` is the number after the highest one listed."""

    end: int

    def find(self, buffer: Buffer, number: int) -> Location | None: ...


class TableSection:
    def __init__(self, subsections: list[Subsection]) -> None:
        self._subsections = subsections
        self.end = max([first + count for first, count, _ in subsections], default=0)

    def find(self, buffer: Buffer, number: int) -> Location | None:
        for first, count, start in self._subsections:
            if first <= number < first + count:
                row = _ROW.match(buffer, start + _ROW_BYTES * (number - first))
                if row is None:
                    raise NotPlain("freed or reused object")
                return int(row.group(1)), None
        return None


class StreamSection:
    """`widths` are those of a row's three fields, `rows` the decoded stream."""

    def __init__(self, subsections: list[Subsection], widths: list[int], rows: bytes) -> None:
        self._subsections, self._widths, self._rows = subsections, widths, rows
        self.end = max([first + count for first, count, _ in subsections], default=0)

    def find(self, buffer: Buffer, number: int) -> Location | None:
        size = sum(self._widths)
        for first, count, start in self._subsections:
            if first <= number < first + count:
                return self._row(self._rows[(start + number - first) * size :][:size])
        return None

    def _row(self, row: bytes) -> Location:
        first, second, _ = self._widths
        kind = int.from_bytes(row[:first], "big") if first else 1
        place = int.from_bytes(row[first : first + second], "big")
        rest = int.from_bytes(row[first + second :], "big")
        if kind == 1 and rest == 0:
            return place, None
        if kind == 2:
            return rest, place
        raise NotPlain("freed or reused object")


KnownSections = dict[int, tuple[Section, PlainDictionary]]
"""Cross-reference sections that were read, with their trailers, by offset: a file that grows keeps them as they are."""


class PlainPdf:
    """`trailer` is the newest; `next_number` the first object number that is surely unused.

    `known` sections of the same file, read before it grew, are not read again; new ones are added to it.
    """

    def __init__(self, buffer: Buffer, known: KnownSections | None = None) -> None:
        self.buffer = buffer
        self._known: KnownSections = {} if known is None else known
        if not header_stands_first(buffer[:16]):
            raise NotPlain("header")
        tail = bytes(buffer[-_TAIL:])
        match = _START.match(tail, max(tail.rfind(b"startxref"), 0))
        if match is None:
            raise NotPlain("startxref")
        self.start = int(match.group(1))
        self._object_streams: dict[int, tuple[bytes, int, list[int]]] = {}
        self._sections, self.trailer = self._read_sections()
        self.has_stream = isinstance(self._sections[0], StreamSection)
        declared = int(self.trailer.get(b"/Size") or b"0")
        self.next_number = max([declared, *[section.end for section in self._sections]])

    def _read_sections(self) -> tuple[list[Section], PlainDictionary]:
        """All sections, the newest first, and its trailer."""
        found: dict[int, tuple[Section, PlainDictionary]] = {}
        position: int | None = self.start
        while position is not None:
            if position in found or len(found) > _MOST_SECTIONS:
                raise NotPlain("chain of cross-references")
            found[position] = self._known.get(position) or self._read_section(position)
            previous = found[position][1].get(b"/Prev")
            position = int(previous) if previous is not None else None
        self._known.update(found)
        return [section for section, _ in found.values()], found[self.start][1]

    def _read_section(self, position: int) -> tuple[Section, PlainDictionary]:
        is_table = self.buffer[position : position + 4] == b"xref"
        section, trailer = self._read_table(position) if is_table else self._read_stream_section(position)
        if b"/Encrypt" in trailer or b"/XRefStm" in trailer:
            raise NotPlain("encrypted or hybrid")
        return section, trailer

    def _read_table(self, position: int) -> tuple[Section, PlainDictionary]:
        subsections, position = [], position + 4
        while True:
            match = _SUBSECTION.match(self.buffer, position)
            if match is None:
                raise NotPlain("cross-reference table")
            position = match.end()
            if match.group(1) is None:
                break
            first, count = int(match.group(1)), int(match.group(2))
            subsections.append((first, count, position))
            position += _ROW_BYTES * count
        return TableSection(subsections), self._dictionary_at(position)[0]

    def _read_stream_section(self, position: int) -> tuple[Section, PlainDictionary]:
        dictionary, start = self._object_dictionary(position, None)
        if dictionary.get(b"/Type") != b"/XRef":
            raise NotPlain("cross-reference stream expected")
        widths = [int(value) for value in numbers(dictionary.get(b"/W")) or ()]
        listed = numbers(dictionary.get(b"/Index")) or [0.0, float(dictionary.get(b"/Size") or b"0")]
        if len(widths) != 3 or len(listed) % 2:
            raise NotPlain("cross-reference stream")
        rows = self._stream_data(dictionary, start)
        counts = [int(value) for value in listed[1::2]]
        starts = [0, *accumulate(counts)]
        subsections = zip([int(value) for value in listed[::2]], counts, starts, strict=False)
        return StreamSection(list(subsections), widths, rows), dictionary

    def dictionary(self, number: int) -> PlainDictionary:
        """The dictionary (or a stream's) that is object `number`, generation 0."""
        place, container = self.locate(number)
        if container is not None:
            return parse_dictionary(self._compressed(place, container))
        return self._object_dictionary(place, number)[0]

    def source(self, number: int) -> bytes:
        """The source of an object that is neither stream nor longer than a megabyte."""
        place, container = self.locate(number)
        if container is not None:
            return self._compressed(place, container).strip()
        start = self._after_header(place, number)
        window = bytes(self.buffer[start : start + _LARGEST_WINDOW])
        end = window.find(b"endobj")
        if end < 0 or b"stream" in window[:end]:
            raise NotPlain("plain object expected")
        return window[:end].strip()

    def stream(self, number: int) -> bytes:
        """The decoded data of a stream object."""
        dictionary, start = self._object_dictionary(self._offset(number), number)
        return self._stream_data(dictionary, start)

    def locate(self, number: int) -> Location:
        for section in self._sections:
            location = section.find(self.buffer, number)
            if location is not None:
                return location
        raise NotPlain("object not listed")

    def _offset(self, number: int) -> int:
        place, container = self.locate(number)
        if container is not None:
            raise NotPlain("stream in an object stream")
        return place

    def _after_header(self, offset: int, number: int | None) -> int:
        match = _HEADER.match(self.buffer, offset)
        if match is None or (number is not None and (int(match.group(1)), match.group(2)) != (number, b"0")):
            raise NotPlain("object header")
        return match.end()

    def _object_dictionary(self, offset: int, number: int | None) -> tuple[PlainDictionary, int]:
        """An object's dictionary and the file offset just after it."""
        return self._dictionary_at(self._after_header(offset, number))

    def _dictionary_at(self, start: int) -> tuple[PlainDictionary, int]:
        simple = parse_simple(self.buffer, start, start + _LARGEST_WINDOW)
        if simple is not None:
            return simple
        size = _WINDOW
        while True:
            window = bytes(self.buffer[start : start + size])
            try:
                found, end = parse_any(window)
            except NotPlain:
                if len(window) < size or size >= _LARGEST_WINDOW:
                    raise
                size *= 16
            else:
                return found, start + end

    def _stream_data(self, dictionary: PlainDictionary, position: int) -> bytes:
        match = _STREAM.match(self.buffer, position)
        length = dictionary.get(b"/Length")
        if match is None or length is None:
            raise NotPlain("stream")
        target = reference(length)
        size = int(self.source(target) if target is not None else length)
        raw = bytes(self.buffer[match.end() : match.end() + size])
        kind = dictionary.get(b"/Filter")
        if kind is None:
            return raw
        if kind.strip(b"[] \r\n") != b"/FlateDecode":
            raise NotPlain("filter")
        return _without_predictor(_inflated(raw), dictionary.get(b"/DecodeParms"))

    def _compressed(self, index: int, container: int) -> bytes:
        if container not in self._object_streams:
            dictionary, start = self._object_dictionary(self._offset(container), container)
            data = self._stream_data(dictionary, start)
            first = int(dictionary.get(b"/First") or b"0")
            self._object_streams[container] = (
                data,
                first,
                [int(word) for word in _COMMENT.sub(b" ", data[:first]).split()],
            )
        data, first, header = self._object_streams[container]
        start = first + header[2 * index + 1]
        later = [offset for value in header[1::2] if (offset := first + value) > start]
        return data[start : min(later, default=len(data))]


def _inflated(raw: bytes) -> bytes:
    """At most 64 MiB; a stream that grows beyond is not plain."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(raw, 64 << 20)
    if unpacker.unconsumed_tail:
        raise NotPlain("stream too large")
    return data


def _without_predictor(data: bytes, parameters: bytes | None) -> bytes:
    """Undoes the PNG "up" predictor, the one that writers use for cross-reference streams."""
    if parameters is None or parameters.strip() == b"null":
        return data
    entries = parse_dictionary(parameters)
    if int(entries.get(b"/Predictor") or b"1") < 10:
        return data
    columns = int(entries.get(b"/Columns") or b"1")
    if set(data[:: columns + 1]) - {2} or len(data) % (columns + 1):
        raise NotPlain("predictor")
    output = bytearray(len(data) // (columns + 1) * columns)
    for column in range(columns):
        values = accumulate(data[column + 1 :: columns + 1])
        output[column::columns] = bytes(value & 255 for value in values)
    return bytes(output)
