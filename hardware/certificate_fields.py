"""The fields of an ordinary X.509 v3 certificate that choosing and using a key needs (RFC 5280, 4.1).

Reading a certificate with `cryptography` loads its whole X.509 part, which takes longer than a signature. Here only
what CAs usually write is read, strictly; for anything else the answer is None, and the caller asks the library.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

_SEQUENCE, _INTEGER, _BITS, _OCTETS, _OID = 0x30, 0x02, 0x03, 0x04, 0x06
_VERSION_3, _EXTENSIONS = bytes.fromhex("a003020102"), 0xA3
_CONSTRUCTED = 0x20
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_RSA, _ED25519 = bytes.fromhex("300d06092a864886f70d0101010500"), bytes.fromhex("300506032b6570")
_EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")
KEY_USAGE, EXTENDED_KEY_USAGE = bytes.fromhex("551d0f"), bytes.fromhex("551d25")
_DIGITAL_SIGNATURE_OR_CONTENT_COMMITMENT = 0xC0


class Piece(NamedTuple):
    """One DER element: its tag, its content, and its encoding as a whole."""

    tag: int
    body: bytes
    encoded: bytes


class CertificateFields(NamedTuple):
    """`public_key_info` is the SubjectPublicKeyInfo; `issuer` and `serial` are encodings; `extensions` have the inner
    values (DER) by the content of their OID."""

    serial: bytes
    issuer: bytes
    not_before: datetime
    not_after: datetime
    public_key_info: bytes
    extensions: dict[bytes, bytes]

    @property
    def may_sign(self) -> bool:
        """Key usage has digitalSignature or nonRepudiation; absent usage allows everything (RFC 5280, 4.2.1.3)."""
        usage = self.extensions.get(KEY_USAGE)
        return usage is None or bool(usage[3] & _DIGITAL_SIGNATURE_OR_CONTENT_COMMITMENT)

    @property
    def purposes(self) -> frozenset[bytes] | None:
        """The OIDs' contents of the extended key usage; None where it is absent."""
        usage = self.extensions.get(EXTENDED_KEY_USAGE)
        return None if usage is None else frozenset(each.body for each in _pieces(_one(usage, _SEQUENCE).body))


def ordinary_fields(der: bytes) -> CertificateFields | None:
    """The fields; None for a certificate that is not written as usual, or not at all."""
    try:
        return _read(der)
    except (ValueError, IndexError):
        return None


def _read(der: bytes) -> CertificateFields:
    _check_nested(_one(der, _SEQUENCE))
    to_be_signed, _, _ = _pieces(_one(der, _SEQUENCE).body)
    version, serial, _, issuer, validity, _, key, *rest = _pieces(_one(to_be_signed.encoded, _SEQUENCE).body)
    if version.encoded != _VERSION_3 or serial.tag != _INTEGER or issuer.tag != _SEQUENCE or key.tag != _SEQUENCE:
        raise ValueError("not an ordinary certificate")
    if not _is_usual(_pieces(_one(key.encoded, _SEQUENCE).body)[0]):
        raise ValueError("kind of key")
    if not 0 < int.from_bytes(serial.body, "big", signed=True) < 1 << 160:
        raise ValueError("serial number")
    begin, end = _pieces(_one(validity.encoded, _SEQUENCE).body)
    extensions = _extensions(rest[0]) if rest else {}
    if len(rest) > 1:
        raise ValueError("unique identifiers")
    fields = CertificateFields(serial.encoded, issuer.encoded, _time(begin), _time(end), key.encoded, extensions)
    _check_usages(fields)
    return fields


def _extensions(piece: Piece) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    if piece.tag != _EXTENSIONS:
        raise ValueError("extensions expected")
    for each in _pieces(_one(piece.body, _SEQUENCE).body):
        name, *critical, value = _pieces(_one(each.encoded, _SEQUENCE).body)
        if name.tag != _OID or value.tag != _OCTETS or name.body in found or len(critical) > 1:
            raise ValueError("extension")
        if critical and critical[0].encoded != b"\x01\x01\xff":
            raise ValueError("critical is true or left out")
        found[name.body] = value.body
    return found


def _check_usages(fields: CertificateFields) -> None:
    """A key usage of one or two octets, and purposes that are OIDs, at least one."""
    usage = fields.extensions.get(KEY_USAGE)
    if usage is not None:
        bits = _one(usage, _BITS).body
        if len(bits) not in (2, 3) or bits[0] > 7:
            raise ValueError("key usage")
    extended = fields.extensions.get(EXTENDED_KEY_USAGE)
    if extended is not None:
        purposes = _pieces(_one(extended, _SEQUENCE).body)
        if not purposes or any(each.tag != _OID for each in purposes):
            raise ValueError("extended key usage")


def _time(piece: Piece) -> datetime:
    """UTCTime or GeneralizedTime in the one form that RFC 5280 allows (4.1.2.5)."""
    text = piece.body.decode("ascii")
    if piece.tag == _UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif piece.tag != _GENERALIZED_TIME or len(text) != 15:
        raise ValueError("time")
    if not text.endswith("Z") or not text[:14].isdigit():
        raise ValueError("time")
    year, *others = int(text[:4]), *(int(text[place : place + 2]) for place in range(4, 14, 2))
    return datetime(year, *others, tzinfo=UTC)  # type: ignore[arg-type, misc]  # month, day, hour, minute, second


def _pieces(data: bytes) -> list[Piece]:
    pieces, position = [], 0
    while position < len(data):
        piece = _piece(data, position)
        position += len(piece.encoded)
        pieces.append(piece)
    return pieces


def _is_usual(algorithm: Piece) -> bool:
    """RSA with its NULL, a named curve, or Ed25519."""
    parts = _pieces(_one(algorithm.encoded, _SEQUENCE).body)
    if parts[0].body == _EC_PUBLIC_KEY:
        return len(parts) == 2 and parts[1].tag == _OID
    return algorithm.encoded in (_RSA, _ED25519)


def _check_nested(piece: Piece) -> None:
    """Every element inside is whole: ValueError."""
    if piece.tag & _CONSTRUCTED:
        for each in _pieces(piece.body):
            _check_nested(each)


def _one(data: bytes, tag: int) -> Piece:
    piece = _piece(data, 0)
    if piece.tag != tag or len(piece.encoded) != len(data):
        raise ValueError("one element expected")
    return piece


def _piece(data: bytes, start: int) -> Piece:
    """The element at `start`, with a single-octet tag and a minimal length."""
    tag, size, content = data[start], data[start + 1], start + 2
    if size & 0x80:
        octets = size & 0x7F
        size = int.from_bytes(data[content : content + octets], "big")
        content += octets
        if not 1 <= octets <= 3 or size < 0x80 or size >> (8 * octets - 8) == 0:
            raise ValueError("length")
    if tag & 0x1F == 0x1F or content + size > len(data):
        raise ValueError("element")
    return Piece(tag, data[content : content + size], data[start : content + size])
