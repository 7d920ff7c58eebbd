"""The signed attributes of a PAdES signature: the bytes that a key really signs.

EN 319 142-1 table 1 and EN 319 122-1: content-type, message-digest and ESS signing-certificate-v2 (SHA-256, RFC 5035),
nothing else; a signing-time attribute is forbidden. Whoever signs (custody, the reviewer's agent) reads the attributes
back with `read_signed_attributes` and refuses anything that is not exactly this.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from signing_service.errors import Text
from signing_service.pdf.der import OCTETS, OID, SEQUENCE, SET, Element, MalformedDer, set_of, tlv, whole
from signing_service.pdf.errors import PdfRefusal

_DATA = bytes.fromhex("06092a864886f70d010701")
_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_SIGNING_CERTIFICATE_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_SHA256_IDENTIFIERS = (bytes.fromhex("300d06096086480165030402010500"), bytes.fromhex("300b0609608648016503040201"))
_DIGEST_BYTES = 32
_DIGEST_NAMES = {32: "sha256", 64: "sha512"}


class SignedAttributesRefused(PdfRefusal):
    """The attributes to be signed are not exactly the three that a PAdES signature has."""

    code = "signed_attributes_refused"

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(
            Text("签名属性不符合要求,没有签名。", "The signed attributes are not acceptable; nothing was signed."),
            why=Text(zh, en),
            advice=Text("请重新准备文件后再签。", "Prepare the file again, then sign."),
        )


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """What the three attributes say. `content_type` is a dotted OID, `message_digest` the file's (`digest_name`), the
    certificate's hash SHA-256."""

    content_type: str
    message_digest: bytes
    signing_certificate_hash: bytes


def digest_name(digest: bytes) -> str:
    """Which of the two digests of a signed file this is: SHA-256, or SHA-512 for Ed25519 (RFC 8419, 3.1)."""
    name = _DIGEST_NAMES.get(len(digest))
    if name is None:
        raise ValueError("a SHA-256 digest has 32 bytes, a SHA-512 digest 64")
    return name


def build_signed_attributes(message_digest: bytes, certificate: bytes) -> bytes:
    """DER SET OF the three attributes for a document digest and a DER certificate."""
    digest_name(message_digest)
    before, after = _around_digest(certificate, len(message_digest))
    return before + message_digest + after


@lru_cache(maxsize=256)
def _around_digest(certificate: bytes, size: int) -> tuple[bytes, bytes]:
    """What stands before and after the digest: only it differs between documents, and their order by length and type.

    The attributes differ in their first octets, so their DER order does not depend on the digest.
    """
    certificate_id = tlv(SEQUENCE, tlv(OCTETS, hashlib.sha256(certificate).digest()))
    digest = bytes(size)
    attributes = set_of(
        SET,
        _attribute(_CONTENT_TYPE, _DATA),
        _attribute(_MESSAGE_DIGEST, tlv(OCTETS, digest)),
        _attribute(_SIGNING_CERTIFICATE_V2, tlv(SEQUENCE, tlv(SEQUENCE, certificate_id))),
    )
    before, _, after = attributes.partition(digest)
    return before, after


def read_signed_attributes(der: bytes) -> SignedAttributes:
    """The attributes again. Raises SignedAttributesRefused for any other, missing, doubled or malformed one."""
    try:
        found = _values(der)
        if set(found) != {_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_CERTIFICATE_V2}:
            raise SignedAttributesRefused(
                "属性多于或少于规定的三项。", "There are more or fewer than the three attributes."
            )
        if found[_CONTENT_TYPE].encoded != _DATA:
            raise SignedAttributesRefused("内容类型不是 data。", "The content type is not `data`.")
        digest = _octets(found[_MESSAGE_DIGEST], *_DIGEST_NAMES)
        return SignedAttributes("1.2.840.113549.1.7.1", digest, _certificate_hash(found[_SIGNING_CERTIFICATE_V2]))
    except MalformedDer as failure:
        raise SignedAttributesRefused("编码不是规范的 DER。", f"The encoding is not DER: {failure}.") from failure


def _attribute(kind: bytes, value: bytes) -> bytes:
    return tlv(SEQUENCE, kind, tlv(SET, value))


def _values(der: bytes) -> dict[bytes, Element]:
    """Type to value, each attribute once and with one value, in DER order."""
    outer = whole(der)
    attributes = [_expect(child, SEQUENCE) for child in _expect(outer, SET).children()]
    encodings = [attribute.encoded for attribute in attributes]
    if encodings != sorted(encodings):
        raise MalformedDer("attributes out of order")
    found: dict[bytes, Element] = {}
    for attribute in attributes:
        parts = list(attribute.children())
        if len(parts) != 2 or parts[0].tag != OID or parts[0].encoded in found:
            raise MalformedDer("one type and one set of values expected")
        values = list(_expect(parts[1], SET).children())
        if len(values) != 1:
            raise MalformedDer("exactly one value expected")
        found[parts[0].encoded] = values[0]
    return found


def _certificate_hash(value: Element) -> bytes:
    """SigningCertificateV2 with one ESSCertIDv2 over SHA-256; an issuerSerial may follow the hash."""
    lists = list(_expect(value, SEQUENCE).children())
    identifiers = list(_expect(lists[0], SEQUENCE).children()) if len(lists) == 1 else []
    parts = list(_expect(identifiers[0], SEQUENCE).children()) if len(identifiers) == 1 else []
    if parts and parts[0].encoded in _SHA256_IDENTIFIERS:
        parts = parts[1:]
    if not parts or len(parts) > 2 or (len(parts) == 2 and parts[1].tag != SEQUENCE):
        raise MalformedDer("one SHA-256 certificate identifier expected")
    return _octets(parts[0], _DIGEST_BYTES)


def _octets(element: Element, *sizes: int) -> bytes:
    octets = _expect(element, OCTETS).body
    if len(octets) not in sizes:
        raise MalformedDer("a digest of another length expected")
    return octets


def _expect(element: Element, tag: int) -> Element:
    if element.tag != tag:
        raise MalformedDer(f"tag {tag:#x} expected, {element.tag:#x} found")
    return element
