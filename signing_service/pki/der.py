"""DER, written and read strictly: the few shapes of X.509, CRL, OCSP and TSP (X.690 clauses 8 to 11).

Built by hand since a CRL has 200,000 entries and a timestamp is made per request; the reader takes bytes from
strangers, so it refuses everything that is not minimal, definite-length DER.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from signing_service.pki.errors import MalformedDer

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED, UTF8 = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31


def tlv(tag: int, content: bytes) -> bytes:
    """One element; `tag` is the whole identifier octet."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of encoded elements; empty parts (left-out options) do no harm."""
    return tlv(SEQUENCE, b"".join(parts))


def set_of(parts: Iterable[bytes]) -> bytes:
    """SET OF in DER order (X.690 11.6)."""
    return tlv(SET, b"".join(sorted(parts)))


def context(number: int, content: bytes, *, constructed: bool = True) -> bytes:
    """A context-specific tag [number]."""
    return tlv((0xA0 if constructed else 0x80) | number, content)


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octet_string(content: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(OCTET_STRING, content)


def bit_string(content: bytes) -> bytes:
    """A bit string of whole octets."""
    return tlv(BIT_STRING, b"\x00" + content)


def named_bit(number: int) -> bytes:
    """A named bit list with one bit set, trailing zero bits removed (X.690 11.2.2)."""
    octets = bytearray(number // 8 + 1)
    octets[-1] = 0x80 >> (number % 8)
    return tlv(BIT_STRING, bytes((7 - number % 8,)) + bytes(octets))


def boolean(value: bool) -> bytes:
    """BOOLEAN."""
    return tlv(BOOLEAN, b"\xff" if value else b"\x00")


@lru_cache(maxsize=512)
def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(OID, b"".join(_base128(arc) for arc in (first * 40 + second, *rest)))


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | (arc & 0x7F))
    return bytes(reversed(octets))


def time(instant: datetime) -> bytes:
    """UTCTime until 2049, GeneralizedTime after (RFC 5280 4.1.2.5); whole seconds, UTC given."""
    if instant.year < 2050:
        return tlv(UTC_TIME, f"{instant:%y%m%d%H%M%S}Z".encode())
    return generalized_time(instant)


def generalized_time(instant: datetime, *, fraction: bool = False) -> bytes:
    """GeneralizedTime; with `fraction`, milliseconds without trailing zeros (RFC 3161 2.4.2)."""
    text = f"{instant:%Y%m%d%H%M%S}"
    millis = f"{instant.microsecond // 1000:03}".rstrip("0") if fraction else ""
    return tlv(GENERALIZED_TIME, (text + (f".{millis}" if millis else "") + "Z").encode())


@dataclass(frozen=True, slots=True)
class Element:
    """One element as read: identifier octet, content octets, and the whole encoding."""

    tag: int
    content: bytes
    encoded: bytes

    def children(self) -> list[Element]:
        """The elements inside a constructed one."""
        if not self.tag & 0x20:
            raise MalformedDer(f"tag 0x{self.tag:02x} is not constructed")
        return list(_elements(self.content))

    def expect(self, tag: int) -> Element:
        """Itself; raises MalformedDer for another tag."""
        if self.tag != tag:
            raise MalformedDer(f"expected tag 0x{tag:02x}, found 0x{self.tag:02x}")
        return self

    def as_integer(self) -> int:
        """The value of a minimal INTEGER."""
        content = self.expect(INTEGER).content
        if not content or (len(content) > 1 and content[0] in (0, 0xFF) and content[0] >> 7 == content[1] >> 7):
            raise MalformedDer("an integer is not minimal")
        return int.from_bytes(content, "big", signed=True)

    def as_oid(self) -> str:
        """An OBJECT IDENTIFIER in dotted form."""
        content = self.expect(OID).content
        if not content or content[-1] & 0x80 or len(content) > 64:
            raise MalformedDer("an object identifier is not whole")
        arcs, value = [], 0
        for octet in content:
            value = value << 7 | octet & 0x7F
            if not octet & 0x80:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - first * 40, *arcs[1:])))

    def as_boolean(self) -> bool:
        """The value of a BOOLEAN."""
        content = self.expect(BOOLEAN).content
        if content not in (b"\x00", b"\xff"):
            raise MalformedDer("a boolean is neither 00 nor ff")
        return content == b"\xff"


def read(data: bytes, tag: int | None = None) -> Element:
    """The one element that `data` is. Raises MalformedDer for anything else, trailing bytes included."""
    found = list(_elements(data))
    if len(found) != 1:
        raise MalformedDer("expected exactly one element")
    return found[0] if tag is None else found[0].expect(tag)


def _elements(data: bytes) -> Iterable[Element]:
    start = 0
    while start < len(data):
        body, end = _bounds(data, start)
        yield Element(data[start], data[body:end], data[start:end])
        start = end


def _bounds(data: bytes, start: int) -> tuple[int, int]:
    if data[start] & 0x1F == 0x1F or start + 1 >= len(data):
        raise MalformedDer("a tag is too large or the data is cut off")
    size, body = data[start + 1], start + 2
    if size == 0x80 or size > 0x84:
        raise MalformedDer("a length is indefinite or too large")
    if size > 0x80:
        octets = data[body : body + (size & 0x7F)]
        body, size = body + len(octets), int.from_bytes(octets, "big")
        if size < 0x80 or octets[0] == 0:
            raise MalformedDer("a length is not minimal")
    if body + size > len(data):
        raise MalformedDer("the data is cut off")
    return body, body + size
