"""The CMS SignedData around a signature value (RFC 5652), assembled from parts that are fixed per certificate.

Building it once from bytes instead of twice from objects is what makes signing as quick as the token.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from signing_service.pades.signer_certificate import SignerCertificate
from signing_service.pdf.der import INTEGER, OCTETS, SEQUENCE, SET, MalformedDer, set_of, tlv, whole

_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_DATA = bytes.fromhex("06092a864886f70d010701")
_DIGESTS = {
    "sha256": bytes.fromhex("300b0609608648016503040201"),
    "sha512": bytes.fromhex("300b0609608648016503040203"),
}
_TIMESTAMP_TOKEN = bytes.fromhex("060b2a864886f70d010910020e")
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")
_VERSION_1 = tlv(INTEGER, b"\x01")
_MARGIN = 256
_TYPICAL_TOKEN = 6144


def build_cms(
    signer: SignerCertificate,
    chain: Sequence[bytes],
    signed_attributes: bytes,
    signature: bytes,
    timestamp_token: bytes | None,
) -> bytes:
    """DER ContentInfo: detached, one SignerInfo, all certificates, the timestamp as unsigned attribute (RFC 3161 A)."""
    unsigned = b""
    if timestamp_token is not None:
        unsigned = tlv(0xA1, tlv(SEQUENCE, _TIMESTAMP_TOKEN, tlv(SET, timestamp_token)))
    signer_info = tlv(
        SEQUENCE,
        _VERSION_1,
        signer.identifier,
        _DIGESTS[signer.digest],
        b"\xa0" + signed_attributes[1:],  # the SET OF under its implicit tag
        signer.algorithm,
        tlv(OCTETS, signature),
        unsigned,
    )
    head = _head(signer.der, tuple(chain), signer.digest)
    return tlv(SEQUENCE, _SIGNED_DATA, tlv(0xA0, tlv(SEQUENCE, head, tlv(SET, signer_info))))


def room_for(signer: SignerCertificate, chain: Sequence[bytes], *, with_timestamp: bool) -> int:
    """Bytes to reserve for the CMS: exact for a plain signature, a typical token's size more with a timestamp."""
    parts = len(_head(signer.der, tuple(chain), signer.digest)) + len(signer.identifier) + signer.longest_signature
    return parts + 2 * _MARGIN + (_TYPICAL_TOKEN if with_timestamp else 0)


@lru_cache(maxsize=256)
def _head(certificate: bytes, chain: tuple[bytes, ...], digest: str) -> bytes:
    """Version, digest algorithms, content type and certificates: the same for every signature of one key."""
    certificates = {certificate, *chain}
    return b"".join((_VERSION_1, tlv(SET, _DIGESTS[digest]), tlv(SEQUENCE, _DATA), set_of(0xA0, *certificates)))


def timestamp_imprint(token: bytes) -> bytes:
    """The digest that a TimeStampToken was issued over. Raises MalformedDer when it is no such token."""
    try:
        kind, wrapped = whole(token).children()
        content = next(part for part in next(wrapped.children()).children() if part.tag == SEQUENCE)
        content_type, explicit = content.children()
        if kind.encoded != _SIGNED_DATA or content_type.encoded != _TST_INFO:
            raise MalformedDer("no TimeStampToken")
        info = whole(next(explicit.children()).body)
        imprint = next(part for part in info.children() if part.tag == SEQUENCE)
        return list(imprint.children())[1].body
    except (ValueError, IndexError, StopIteration) as failure:
        raise MalformedDer("no TimeStampToken") from failure


def token_certificates(token: bytes) -> list[bytes]:
    """The certificates that a TimeStampToken carries (DER), for its validation data."""
    signed_data = next(list(whole(token).children())[1].children())
    certificates = [part for part in signed_data.children() if part.tag == 0xA0]
    return [item.encoded for part in certificates for item in part.children() if item.tag == SEQUENCE]
