"""A PDF as one of its revisions shows it: every object as of the first `end` bytes, nothing later.

`PdfFile` holds the bytes and what all revisions share; `Document` is the view of one revision. A view whose own
cross-references cannot be followed is rebuilt by scanning, as viewers do, and says so (`rebuilt`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from signing_service.verification.cross_reference import Entry, Section, is_xref_stream, read_section
from signing_service.verification.encrypted_strings import decrypt_strings
from signing_service.verification.errors import DamagedPdf, ResourceLimit
from signing_service.verification.filters import decode
from signing_service.verification.limits import Spending
from signing_service.verification.syntax import WHITE, Dictionary, Ref, Stream, parse_header, parse_value, stream_start

_NUMBERS_BEFORE = re.compile(rb"(?:^|[^0-9])(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]*$")
_STARTXREF = re.compile(rb"startxref[\0\t\n\f\r ]*(\d{1,12})")
_EOF_BEHIND = re.compile(rb"[\0\t\n\f\r ]*(?:%[^\r\n]*[\0\t\n\f\r ]*)*?%%EOF")

Decrypt = Callable[[int, int, bytes], bytes]


class PdfFile:
    """The bytes of one file, and what is read of them only once."""

    def __init__(self, data: bytes, spending: Spending) -> None:
        self.data, self.spending = data, spending
        self.decrypt: Decrypt | None = None
        self.decrypt_string: Decrypt | None = None
        self._sections: dict[int, Section] = {}
        self._objects: dict[int, tuple[int, int, Any, int]] = {}
        self._containers: dict[int, dict[int, Any]] = {}
        self._unread: dict[tuple[int, int], bytes] = {}

    def behind_blanks(self, offset: int) -> int:
        """The offset of the first byte from there that is no white space."""
        while offset < len(self.data) and self.data[offset] in WHITE:
            offset += 1
        return offset

    @cached_property
    def headers(self) -> list[tuple[int, int, int]]:
        """Every `N G obj` in the bytes: (offset, number, generation). Those inside stream data are not filtered out."""
        return self.headers_in(0, len(self.data))

    def headers_in(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """As `headers`, between two offsets."""
        found, position, data = [], start, self.data
        while (position := data.find(b"obj", position, end)) >= 0:
            if data[position - 3 : position] != b"end":
                match = _NUMBERS_BEFORE.search(data[max(0, position - 24) : position])
                if match:
                    found.append((max(0, position - 24) + match.start(1), int(match[1]), int(match[2])))
                    if len(found) > self.spending.limits.objects:
                        raise ResourceLimit("objects in the file")
            position += 3
        return found

    def encrypted(self, streams: Decrypt, strings: Decrypt) -> None:
        """From now on read contents through these; what was read of objects before is forgotten."""
        self.decrypt, self.decrypt_string = streams, strings
        self._objects.clear()

    def section(self, offset: int, end: int) -> Section:
        if offset not in self._sections:
            limit = self.spending.limits.objects
            self._sections[offset] = read_section(self.data, offset, end, lambda at: self._xref_stream(at, end), limit)
        return self._sections[offset]

    def _xref_stream(self, offset: int, end: int) -> tuple[Dictionary, bytes]:
        _, _, value, _ = self.object_at(offset, end, lambda _: None)
        if not is_xref_stream(value):
            raise DamagedPdf(f"no cross-reference section at offset {offset}")
        return value.dictionary, decode(self.raw(value), value.dictionary, self.spending)

    def raw(self, stream: Stream) -> bytes:
        return self.data[stream.start : stream.start + stream.length]

    def object_at(self, offset: int, end: int, resolve: Callable[[Any], Any]) -> tuple[int, int, Any, int]:
        """(number, generation, value, offset behind it). A stream whose /Length is indirect is never cached."""
        if offset in self._objects and self._objects[offset][3] <= end:
            return self._objects[offset]
        self.spending.parse()
        number, generation, position = parse_header(self.data, offset, end)
        value, position = parse_value(self.data, position, end, self.spending.limits.nesting)
        if (decrypt := self.decrypt_string) is not None:
            value = decrypt_strings(value, lambda raw: decrypt(number, generation, raw))
        start = stream_start(self.data, position, end) if isinstance(value, Dictionary) else None
        if start is None:
            self._objects[offset] = (number, generation, value, position)
            return self._objects[offset]
        given = value.get("Length")
        length = self._stream_length(start, end, resolve(given) if isinstance(given, Ref) else given)
        found = (number, generation, Stream(value, start, length), start + length)
        if not isinstance(given, Ref):
            self._objects[offset] = found
        return found

    def _stream_length(self, start: int, end: int, given: Any) -> int:
        if type(given) is int and 0 <= given <= end - start:
            behind = self.data[start + given : start + given + 20].lstrip(WHITE)
            if behind.startswith(b"endstream"):
                return given
        stop = self.data.find(b"endstream", start, end)
        if stop < 0:
            raise DamagedPdf(f"stream without end at offset {start}")
        return stop - start

    def contained(self, container: int, stream_offset: int, document: Document) -> dict[int, Any]:
        """The objects of one object stream by number (7.5.7)."""
        if stream_offset not in self._containers:
            number, generation, stream, _ = self.object_at(stream_offset, document.end, document.resolve)
            if not isinstance(stream, Stream):
                raise DamagedPdf(f"object stream {container} is no stream")
            content = self.decoded(stream, number, generation)
            self._containers[stream_offset] = dict(self._unpack(stream.dictionary, content, stream_offset, document))
        return self._containers[stream_offset]

    def unread(self, stream_offset: int, number: int) -> bytes:
        """The source of an object in an object stream that this reader could not read; empty when it could."""
        return self._unread.get((stream_offset, number), b"")

    def _unpack(
        self, dictionary: Dictionary, content: bytes, stream_offset: int, document: Document
    ) -> Iterator[tuple[int, Any]]:
        first, count = document.resolve(dictionary.get("First")), document.resolve(dictionary.get("N"))
        if not (type(first) is int and type(count) is int and 0 <= first <= len(content)):
            raise DamagedPdf("object stream without /First or /N")
        numbers = [int(word) for word in content[:first].split()[: 2 * count] if word.isdigit() and len(word) < 12]
        for number, place in zip(numbers[::2], numbers[1::2], strict=False):
            self.spending.parse()
            try:
                value, _ = parse_value(content, first + place, len(content), self.spending.limits.nesting)
            except DamagedPdf:
                behind = min((first + other for other in numbers[1::2] if other > place), default=len(content))
                self._unread[stream_offset, number] = content[first + place : behind]
                continue
            yield number, value

    def decoded(self, stream: Stream, number: int, generation: int) -> bytes:
        """A stream's content, decrypted and decoded."""
        raw = self.raw(stream)
        if self.decrypt is not None and stream.dictionary.get("Type") != "XRef":
            try:
                raw = self.decrypt(number, generation, raw)
            except ValueError:
                raise DamagedPdf(f"stream {number} cannot be decrypted") from None
        return decode(raw, stream.dictionary, self.spending)


class Document:
    """One revision. `problems` collects what a careful reader would ask about (English, for the folded part)."""

    def __init__(self, file: PdfFile, end: int) -> None:
        self.file, self.end = file, end
        self.rebuilt = False
        self.problems: list[str] = []
        self.sections: list[Section] = []
        self.xref: dict[int, Entry] = {}
        self.trailer = Dictionary()
        self.form: list[Any] | None = None  # kept by `fields`, which alone fills it
        self._cache: dict[int, Any] = {}
        self._loading: set[int] = set()
        try:
            self._follow()
            if not isinstance(self.resolve(self.trailer.get("Root")), Dictionary):
                raise DamagedPdf("no document catalog")
        except DamagedPdf as damage:
            self._rebuild(damage.detail)

    def _follow(self) -> None:
        """Newest section first, each older one only adding what is not there yet."""
        offset: Any = self.last_startxref()
        seen: set[int] = set()
        while type(offset) is int:
            if offset in seen or len(seen) > self.file.spending.limits.sections:
                raise DamagedPdf("cross-reference sections form a loop")
            seen.add(offset)
            section = self._section(offset)
            self.sections.append(section)
            if section.conflicts:
                self.problems.append(f"hybrid cross-references disagree about {section.conflicts} objects")
            for number, entry in section.entries.items():
                self.xref.setdefault(number, entry)
            offset = section.trailer.get("Prev")
            if isinstance(offset, float):
                offset = int(offset)
        self.trailer = self.sections[0].trailer
        if len(self.xref) > self.file.spending.limits.objects:
            raise ResourceLimit("objects in the file")

    def _section(self, offset: int) -> Section:
        if not 0 < offset < self.end:
            raise DamagedPdf("cross-reference offset outside the file")
        return self.file.section(offset, self.end)

    def last_startxref(self) -> int:
        start = self.file.data.rfind(b"startxref", max(0, self.end - 4096), self.end)
        match = _STARTXREF.match(self.file.data, start, self.end) if start >= 0 else None
        if match is None:
            raise DamagedPdf("startxref not found")
        return int(match[1])

    @cached_property
    def ends_properly(self) -> bool:
        """The view's bytes end with `startxref N %%EOF` and at most one end of line or blanks (7.5.5)."""
        start = self.file.data.rfind(b"startxref", max(0, self.end - 4096), self.end)
        match = _STARTXREF.match(self.file.data, start, self.end) if start >= 0 else None
        eof = _EOF_BEHIND.match(self.file.data, match.end(), self.end) if match else None
        return eof is not None and not self.file.data[eof.end() : self.end].strip(WHITE)

    def _rebuild(self, why: str) -> None:
        """Read the bytes as a viewer does that has given up on the cross-references: the last copy of an object
        wins."""
        self.rebuilt = True
        self.problems.append(f"cross-references unusable ({why})")
        self._cache.clear()
        self.sections, self.xref, self.trailer = [], {}, Dictionary()
        for offset, number, generation in self.file.headers:
            if offset >= self.end:
                break
            try:
                found, _, value, _ = self.file.object_at(offset, self.end, lambda _: None)
            except DamagedPdf:
                continue
            if found == number:
                self.xref[number] = Entry(offset or -1, generation)
                self._adopt(number, value)
        self._adopt_trailers()

    def _adopt(self, number: int, value: Any) -> None:
        if not isinstance(value, Stream):
            if isinstance(value, Dictionary) and value.get("Type") == "Catalog":
                self.trailer.setdefault("Root", Ref(number, 0))
            return
        kind = value.dictionary.get("Type")
        if kind == "XRef" and "Root" in value.dictionary:
            self.trailer.update(
                {key: value.dictionary[key] for key in ("Root", "Info", "ID", "Encrypt") if key in value.dictionary}
            )
        elif kind == "ObjStm" and self.file.decrypt is None:
            try:
                inside = self.file.contained(number, self.xref[number].offset, self)
            except DamagedPdf:
                return
            for index, contained in enumerate(inside):
                self.xref[contained] = Entry(0, 0, number, index)

    def _adopt_trailers(self) -> None:
        position = 0
        while (position := self.file.data.find(b"trailer", position, self.end)) >= 0:
            position += 7
            try:
                value, _ = parse_value(self.file.data, position, self.end)
            except DamagedPdf:
                continue
            if isinstance(value, Dictionary):
                self.trailer.update({key: value[key] for key in ("Root", "Info", "ID", "Encrypt") if key in value})

    def get(self, number: int) -> Any:
        """The object of that number in this revision; None when it is free, missing or refers to itself."""
        if number in self._cache:
            return self._cache[number]
        entry = self.xref.get(number)
        if entry is None or entry.free or number in self._loading:
            return None
        self._loading.add(number)
        try:
            value = self._load(number, entry)
        finally:
            self._loading.discard(number)
        self._cache[number] = value
        return value

    def _load(self, number: int, entry: Entry) -> Any:
        if entry.container:
            holder = self.xref.get(entry.container)
            if holder is None or holder.free or holder.container:
                return None
            try:
                return self.file.contained(entry.container, holder.offset, self).get(number)
            except DamagedPdf as damage:
                self.problems.append(f"object {number} cannot be had ({damage.detail})")
                return None
        try:
            found, _, value, _ = self.file.object_at(max(0, entry.offset), self.end, self.resolve)
        except DamagedPdf:
            found, value = -1, None
        if found == number:
            return value
        self.problems.append(f"object {number} is not where the cross-references say")
        return None

    def unread(self, number: int) -> bytes:
        """The source of an object inside an object stream that could not be read, else nothing."""
        entry = self.xref.get(number)
        holder = self.xref.get(entry.container) if entry is not None and entry.container else None
        return b"" if holder is None else self.file.unread(holder.offset, number)

    def offset_of(self, number: int) -> int | None:
        """File offset of an object that is not inside an object stream."""
        entry = self.xref.get(number)
        return None if entry is None or entry.free or entry.container else entry.offset

    def resolve(self, value: Any) -> Any:
        """Follow references (at most 32) to a value."""
        for _ in range(32):
            if not isinstance(value, Ref):
                return value
            value = self.get(value.number)
        return None

    def dictionary(self, value: Any) -> Dictionary:
        """The dictionary behind a value (a stream's own too); an empty one when it is something else."""
        value = self.resolve(value)
        if isinstance(value, Stream):
            return value.dictionary
        return value if isinstance(value, Dictionary) else Dictionary()

    def array(self, value: Any) -> list[Any]:
        value = self.resolve(value)
        return value if isinstance(value, list) else []

    @property
    def catalog(self) -> Dictionary:
        return self.dictionary(self.trailer.get("Root"))
