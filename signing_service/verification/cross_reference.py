"""Cross-reference sections (ISO 32000-2, 7.5.4 to 7.5.8): tables, streams and hybrids, one section at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from signing_service.verification.errors import DamagedPdf, ResourceLimit
from signing_service.verification.syntax import WHITE, Dictionary, Stream, parse_value

_TABLE = re.compile(rb"[\0\t\n\f\r ]*xref[\0\t\n\f\r ]*")
_SUBSECTION = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,10})[\0\t\n\f\r ]*(?=\d|t)")
_ENTRY = re.compile(rb"[\0\t\n\f\r ]*(\d{1,10})[ ]+(\d{1,5})[ ]+([nf])[\0\t\n\f\r ]*")
_QUICK_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])")
_TRAILER = re.compile(rb"[\0\t\n\f\r ]*trailer")


class Entry(NamedTuple):
    """Where an object is: in the file at an offset, or within an object stream; a freed object has neither."""

    offset: int = 0
    generation: int = 0
    container: int = 0
    place: int = 0

    @property
    def free(self) -> bool:
        return self.offset == 0 and self.container == 0


@dataclass(slots=True)
class Section:
    """One cross-reference section; `conflicts` counts objects that a hybrid's two halves place differently."""

    offset: int
    entries: dict[int, Entry]
    trailer: Dictionary
    conflicts: int = 0
    is_stream: bool = False
    problems: list[str] = field(default_factory=list)


ReadStream = Callable[[int], tuple[Dictionary, bytes]]


def read_section(data: bytes, offset: int, end: int, read_stream: ReadStream, limit: int) -> Section:
    """The section at `offset` (its hybrid half merged in). Raises DamagedPdf, ResourceLimit."""
    match = _TABLE.match(data, offset, end)
    if match is None:
        dictionary, content = read_stream(offset)
        return Section(offset, _stream_entries(dictionary, content, limit), dictionary, is_stream=True)
    section = _read_table(data, offset, match.end(), end, limit)
    hybrid = section.trailer.get("XRefStm")
    if isinstance(hybrid, int):
        dictionary, content = read_stream(hybrid)
        _merge_hybrid(section, _stream_entries(dictionary, content, limit))
    return section


def _merge_hybrid(section: Section, hidden: dict[int, Entry]) -> None:
    """In-use table entries win over the stream's, the stream's over freed table entries (7.5.8.4)."""
    for number, entry in hidden.items():
        seen = section.entries.get(number)
        if seen is None or seen.free:
            section.entries[number] = entry
        elif not entry.free and entry != seen:
            section.conflicts += 1


def _read_table(data: bytes, offset: int, position: int, end: int, limit: int) -> Section:
    entries: dict[int, Entry] = {}
    while True:
        trailer = _TRAILER.match(data, position, end)
        if trailer:
            break
        match = _SUBSECTION.match(data, position, end)
        if match is None:
            raise DamagedPdf(f"unreadable cross-reference table at offset {position}")
        first, count = int(match[1]), int(match[2])
        if count > limit or len(entries) > limit:
            raise ResourceLimit("entries of a cross-reference table")
        position = _read_entries(data, match.end(), end, first, count, entries)
    value, _ = parse_value(data, trailer.end(), end)
    if not isinstance(value, Dictionary):
        raise DamagedPdf("trailer is no dictionary")
    return Section(offset, entries, value)


def _read_entries(data: bytes, position: int, end: int, first: int, count: int, entries: dict[int, Entry]) -> int:
    while data[position : position + 1] and data[position] in WHITE:
        position += 1
    quick = _QUICK_ENTRY.findall(data, position, min(end, position + 20 * count))
    if len(quick) == count and _QUICK_ENTRY.match(data, position + 20 * max(0, count - 1), end):
        for number, (place, generation, kind) in enumerate(quick, first):
            entries.setdefault(number, Entry(int(place), int(generation)) if kind == b"n" else Entry())
        return position + 20 * count - (0 if _blank(data, position + 20 * count - 1) else 1)
    for number in range(first, first + count):
        match = _ENTRY.match(data, position, end)
        if match is None:
            raise DamagedPdf(f"short cross-reference subsection at offset {position}")
        entries.setdefault(number, Entry(int(match[1]), int(match[2])) if match[3] == b"n" else Entry())
        position = match.end()
    return position


def _blank(data: bytes, position: int) -> bool:
    return position >= len(data) or position < 0 or data[position] in WHITE


def _stream_entries(dictionary: Dictionary, content: bytes, limit: int) -> dict[int, Entry]:
    widths, size = dictionary.get("W"), dictionary.get("Size")
    if not (isinstance(widths, list) and len(widths) >= 3 and all(type(w) is int and 0 <= w <= 8 for w in widths[:3])):
        raise DamagedPdf("cross-reference stream without /W")
    index: Any = dictionary.get("Index", [0, size])
    if not (isinstance(index, list) and len(index) % 2 == 0 and all(type(n) is int and n >= 0 for n in index)):
        raise DamagedPdf("cross-reference stream with an odd /Index")
    first, second, third = widths[:3]
    row, position, entries = first + second + third, 0, dict[int, Entry]()
    if row == 0:
        raise DamagedPdf("cross-reference stream with empty rows")
    for start, count in zip(index[::2], index[1::2], strict=True):
        if count > limit:
            raise ResourceLimit("entries of a cross-reference stream")
        for number in range(start, min(start + count, start + (len(content) - position) // row)):
            kind = int.from_bytes(content[position : position + first], "big") if first else 1
            one = int.from_bytes(content[position + first : position + first + second], "big")
            two = int.from_bytes(content[position + first + second : position + row], "big")
            entries.setdefault(number, _stream_entry(kind, one, two))
            position += row
    return entries


def _stream_entry(kind: int, one: int, two: int) -> Entry:
    if kind == 1:
        return Entry(one, two)
    return Entry(0, 0, one, two) if kind == 2 else Entry()


def is_xref_stream(value: Any) -> bool:
    return isinstance(value, Stream) and value.dictionary.get("Type") == "XRef"
