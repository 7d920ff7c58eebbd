"""Random access to a plain PDF: cross-reference tables and streams are looked into, not read as a whole.

Plain means: unencrypted, not hybrid, cross-references intact. Anything else raises NotPlain. Files of hundreds of
megabytes may be given as a memory map; only what is asked for is touched.
"""

from __future__ import annotations

import mmap
import re
import zlib
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from signing_service.pdf.mending import header_stands_first
from signing_service.pdf.plain_tokens import NotPlain, PlainDictionary, numbers, parse_dictionary, reference

Buffer = bytes | mmap.mmap

_TAIL, _WINDOW, _LARGEST_WINDOW = 1024, 4096, 1 << 20
_START = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_SUBSECTION = re.compile(rb"\s*(?:(\d+)[ ]+(\d+)[ ]*(?:\r\n|\r|\n)|trailer)")
_ROW = re.compile(rb"(\d{10}) (\d{5}) ([nf])[ \r][\r\n]")
_HEADER = re.compile(rb"\s*(\d+)\s+(\d+)\s+obj\b")
_COMMENT = re.compile(rb"%[^\r\n]*")
_ROW_BYTES = 20
_MOST_SECTIONS = 200


@dataclass(frozen=True, slots=True)
class Location:
    """`offset` in the file, or, when `container` is set, the index in that object stream."""

    offset: int
    container: int | None = None


class Section(Protocol):
    def find(self, number: int) -> Location | None: ...

    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TableSection:
    """First number, count and offset of the first row of each subsection."""

    buffer: Buffer
    subsections: tuple[tuple[int, int, int], ...]

    @property
    def end(self) -> int:
        return max((first + count for first, count, _ in self.subsections), default=0)

    def find(self, number: int) -> Location | None:
        for first, count, start in self.subsections:
            if first <= number < first + count:
                row = _ROW.match(self.buffer, start + _ROW_BYTES * (number - first))
                if row is None or row.group(3) != b"n" or row.group(2) != b"00000":
                    raise NotPlain("freed or reused object")
                return Location(int(row.group(1)))
        return None


@dataclass(frozen=True, slots=True)
class StreamSection:
    """First number, count and first row of each subsection; field widths; the rows."""

    subsections: tuple[tuple[int, int, int], ...]
    widths: tuple[int, int, int]
    rows: bytes

    @property
    def end(self) -> int:
        return max((first + count for first, count, _ in self.subsections), default=0)

    def find(self, number: int) -> Location | None:
        size = sum(self.widths)
        for first, count, start in self.subsections:
            if first <= number < first + count:
                row = self.rows[(start + number - first) * size :][:size]
                kind = int.from_bytes(row[: self.widths[0]], "big") if self.widths[0] else 1
                second = int.from_bytes(row[self.widths[0] : self.widths[0] + self.widths[1]], "big")
                third = int.from_bytes(row[self.widths[0] + self.widths[1] :], "big")
                if kind == 1 and third == 0:
                    return Location(second)
                if kind == 2:
                    return Location(third, second)
                raise NotPlain("freed or reused object")
        return None


class PlainPdf:
    """`trailer` is the newest; `next_number` the first object number that is surely unused."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        if not header_stands_first(buffer[:16]):
            raise NotPlain("header")
        match = _START.search(bytes(buffer[-_TAIL:]))
        if match is None:
            raise NotPlain("startxref")
        self.start = int(match.group(1))
        self._object_streams: dict[int, tuple[bytes, int, list[int]]] = {}
        self._sections: list[Section] = []
        trailers = self._read_sections()
        self.trailer = trailers[0]
        self.has_stream = isinstance(self._sections[0], StreamSection)
        declared = int(self.trailer.get(b"/Size") or b"0")
        self.next_number = max(declared, *(section.end for section in self._sections))

    def _read_sections(self) -> list[PlainDictionary]:
        trailers: list[PlainDictionary] = []
        position: int | None = self.start
        seen: set[int] = set()
        while position is not None:
            if position in seen or len(seen) > _MOST_SECTIONS:
                raise NotPlain("chain of cross-references")
            seen.add(position)
            is_table = self.buffer[position : position + 4] == b"xref"
            trailer = self._read_table(position) if is_table else self._read_stream_section(position)
            if trailer.get(b"/Encrypt") is not None or trailer.get(b"/XRefStm") is not None:
                raise NotPlain("encrypted or hybrid")
            trailers.append(trailer)
            previous = trailer.get(b"/Prev")
            position = int(previous) if previous is not None else None
        return trailers

    def _read_table(self, position: int) -> PlainDictionary:
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
        self._sections.append(TableSection(self.buffer, tuple(subsections)))
        return self._dictionary_at(position)

    def _read_stream_section(self, position: int) -> PlainDictionary:
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
        subsections = zip((int(value) for value in listed[::2]), counts, starts, strict=False)
        self._sections.append(StreamSection(tuple(subsections), (widths[0], widths[1], widths[2]), rows))
        return dictionary

    def dictionary(self, number: int) -> PlainDictionary:
        """The dictionary (or a stream's) that is object `number`, generation 0."""
        location = self.locate(number)
        if location.container is not None:
            return parse_dictionary(self._compressed(location))
        return self._object_dictionary(location.offset, number)[0]

    def source(self, number: int) -> bytes:
        """The source of an object that is neither stream nor longer than a megabyte."""
        location = self.locate(number)
        if location.container is not None:
            return self._compressed(location).strip()
        start = self._after_header(location.offset, number)
        window = bytes(self.buffer[start : start + _LARGEST_WINDOW])
        end = window.find(b"endobj")
        if end < 0 or b"stream" in window[:end]:
            raise NotPlain("plain object expected")
        return window[:end].strip()

    def stream(self, number: int) -> bytes:
        """The decoded data of a stream object."""
        dictionary, start = self._object_dictionary(self.locate(number).offset, number)
        return self._stream_data(dictionary, start)

    def locate(self, number: int) -> Location:
        for section in self._sections:
            location = section.find(number)
            if location is not None:
                return location
        raise NotPlain("object not listed")

    def _after_header(self, offset: int, number: int | None) -> int:
        match = _HEADER.match(self.buffer, offset)
        if match is None or (number is not None and (int(match.group(1)), match.group(2)) != (number, b"0")):
            raise NotPlain("object header")
        return match.end()

    def _object_dictionary(self, offset: int, number: int | None) -> tuple[PlainDictionary, int]:
        """An object's dictionary and the file offset just after it."""
        start = self._after_header(offset, number)
        dictionary = self._dictionary_at(start)
        return dictionary, self.buffer.find(dictionary.source[:2], start) + len(dictionary.source)

    def _dictionary_at(self, start: int) -> PlainDictionary:
        size = _WINDOW
        while True:
            window = bytes(self.buffer[start : start + size])
            try:
                return parse_dictionary(window)
            except NotPlain:
                if len(window) < size or size >= _LARGEST_WINDOW:
                    raise
                size *= 16

    def _stream_data(self, dictionary: PlainDictionary, position: int) -> bytes:
        match = re.compile(rb"\s*stream(?:\r\n|\n)").match(self.buffer, position)
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

    def _compressed(self, location: Location) -> bytes:
        container = location.container
        assert container is not None  # noqa: S101  # callers checked it
        if container not in self._object_streams:
            dictionary, start = self._object_dictionary(self.locate(container).offset, container)
            data = self._stream_data(dictionary, start)
            first = int(dictionary.get(b"/First") or b"0")
            self._object_streams[container] = (
                data,
                first,
                [int(word) for word in _COMMENT.sub(b" ", data[:first]).split()],
            )
        data, first, header = self._object_streams[container]
        start = first + header[2 * location.offset + 1]
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
