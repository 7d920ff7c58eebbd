"""The few DER operations that a signature needs, on bytes (X.690). Building is exact and quick; reading is strict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

SEQUENCE, SET, OCTETS, INTEGER, OID = 0x30, 0x31, 0x04, 0x02, 0x06


class MalformedDer(ValueError):
    """Not DER: length out of bounds, indefinite or not minimal."""


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element: identifier octet, minimal length, the parts joined."""
    body = b"".join(parts)
    return bytes((tag,)) + length(len(body)) + body


def length(size: int) -> bytes:
    if size < 0x80:
        return bytes((size,))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(octets),)) + octets


def set_of(tag: int, *elements: bytes) -> bytes:
    """A SET OF under the given tag, elements in DER order (X.690 11.6)."""
    return tlv(tag, *sorted(elements))


class Element(NamedTuple):
    """One element inside `data`: `start` is its identifier octet, `body` its content."""

    tag: int
    data: bytes
    start: int
    content: int
    end: int

    @property
    def body(self) -> bytes:
        return self.data[self.content : self.end]

    @property
    def encoded(self) -> bytes:
        return self.data[self.start : self.end]

    def children(self) -> Iterator[Element]:
        position = self.content
        while position < self.end:
            child = read(self.data, position, self.end)
            yield child
            position = child.end


def read(data: bytes, start: int = 0, limit: int | None = None) -> Element:
    """The element that begins at `start`. Raises MalformedDer."""
    end_of_data = len(data) if limit is None else limit
    if start + 2 > end_of_data or data[start] & 0x1F == 0x1F:
        raise MalformedDer("element header expected")
    first, content = data[start + 1], start + 2
    size = first
    if first & 0x80:
        octets = first & 0x7F
        size = int.from_bytes(data[content : content + octets], "big")
        content += octets
        if not octets or length(size) != data[start + 1 : content]:
            raise MalformedDer("length is not minimal")
    if content + size > end_of_data:
        raise MalformedDer("element runs past its container")
    return Element(data[start], data, start, content, content + size)


def whole(data: bytes) -> Element:
    """The one element that `data` is, with nothing after it. Raises MalformedDer."""
    element = read(data)
    if element.end != len(data):
        raise MalformedDer("bytes after the element")
    return element
