"""OCSP requests (RFC 6960 4.1) as they come from strangers: read strictly, within limits."""

from __future__ import annotations

from dataclasses import dataclass

from signing_service.pki import der
from signing_service.pki.errors import MalformedDer

LARGEST_REQUEST = 16 * 1024
MOST_CERTIFICATES = 32
NONCE = "1.3.6.1.5.5.7.48.1.2"
HASHES = {"1.3.14.3.2.26": "sha1", "2.16.840.1.101.3.4.2.1": "sha256"}


@dataclass(frozen=True, slots=True)
class CertificateId:
    """Which certificate is asked about; `encoded` is answered as it came."""

    encoded: bytes
    hash_name: str
    name_hash: bytes
    key_hash: bytes
    serial: int


@dataclass(frozen=True, slots=True)
class OcspRequest:
    """`nonce` is the content of the nonce extension, itself an OCTET STRING (RFC 9654), or None."""

    certificates: tuple[CertificateId, ...]
    nonce: bytes | None


def read_ocsp_request(data: bytes) -> OcspRequest:
    """Read a request. Raises MalformedDer for anything that is not one; a signature on it is not looked at."""
    if len(data) > LARGEST_REQUEST:
        raise MalformedDer("the request is too large")
    outer = der.read(data, der.SEQUENCE).children()
    if not 1 <= len(outer) <= 2 or (len(outer) == 2 and outer[1].tag != 0xA0):
        raise MalformedDer("it is not an OCSPRequest")
    fields = outer[0].expect(der.SEQUENCE).children()
    while fields and fields[0].tag in (0xA0, 0xA1):
        _check_version(fields.pop(0))
    if not fields:
        raise MalformedDer("the request list is missing")
    asked = fields[0].expect(der.SEQUENCE).children()
    if not 1 <= len(asked) <= MOST_CERTIFICATES:
        raise MalformedDer("the request list is empty or too long")
    return OcspRequest(tuple(map(_certificate_id, asked)), _nonce(fields[1:]))


def _check_version(field: der.Element) -> None:
    if field.tag == 0xA0 and der.read(field.content).as_integer() != 0:
        raise MalformedDer("only version 1 is known")


def _certificate_id(request: der.Element) -> CertificateId:
    fields = request.expect(der.SEQUENCE).children()
    if not fields:
        raise MalformedDer("a request is empty")
    parts = fields[0].expect(der.SEQUENCE).children()
    if len(parts) != 4:
        raise MalformedDer("a CertID has not four parts")
    algorithm = parts[0].expect(der.SEQUENCE).children()
    if not algorithm:
        raise MalformedDer("a hash algorithm is empty")
    return CertificateId(
        fields[0].encoded,
        HASHES.get(algorithm[0].as_oid(), ""),
        parts[1].expect(der.OCTET_STRING).content,
        parts[2].expect(der.OCTET_STRING).content,
        parts[3].as_integer(),
    )


def _nonce(rest: list[der.Element]) -> bytes | None:
    if not rest:
        return None
    if len(rest) > 1 or rest[0].tag != 0xA2:
        raise MalformedDer("unknown fields follow the request list")
    for extension in der.read(rest[0].content, der.SEQUENCE).children():
        parts = extension.expect(der.SEQUENCE).children()
        if len(parts) < 2:
            raise MalformedDer("an extension is not whole")
        if parts[0].as_oid() == NONCE:
            return _nonce_value(parts[-1].expect(der.OCTET_STRING).content)
    return None


def _nonce_value(value: bytes) -> bytes:
    inner = der.read(value, der.OCTET_STRING).content
    if not 1 <= len(inner) <= 128:
        raise MalformedDer("a nonce has 1 to 128 octets (RFC 9654)")
    return value
