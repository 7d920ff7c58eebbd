"""OCSP responses (RFC 6960 4.2) as DER. Pure but for the key that signs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from cryptography import x509

from signing_service.pki import der
from signing_service.pki.crl import Reason
from signing_service.pki.ocsp_request import NONCE
from signing_service.pki.ports import SigningKey
from signing_service.pki.signature_algorithms import algorithm_for

_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")


class Failure(IntEnum):
    """OCSPResponseStatus other than successful."""

    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    UNAUTHORIZED = 6


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """good without `revoked_at`; otherwise revoked, or on hold with reason CERTIFICATE_HOLD."""

    revoked_at: datetime | None = None
    reason: Reason = Reason.UNSPECIFIED
    invalid_from: datetime | None = None


def failure(status: Failure) -> bytes:
    """An unsigned error response."""
    return der.sequence(der.tlv(der.ENUMERATED, bytes((status,))))


def single_response(
    certificate_id: bytes, status: CertificateStatus | None, this_update: datetime, next_update: datetime
) -> bytes:
    """One SingleResponse; a status of None is `unknown`."""
    return der.sequence(
        certificate_id,
        _status(status),
        der.generalized_time(this_update.astimezone(UTC)),
        der.context(0, der.generalized_time(next_update.astimezone(UTC))),
        _invalidity(status),
    )


class ResponseSigner:
    """Signs successful responses with one delegated responder, whose certificate goes with them. Immutable."""

    def __init__(self, key: SigningKey) -> None:
        certificate = x509.load_der_x509_certificate(key.certificate)
        self._key = key
        self._algorithm = algorithm_for(certificate.public_key())
        self._responder = der.context(2, der.octet_string(_key_hash(certificate)))
        self._certificates = der.context(0, der.sequence(key.certificate))

    def response(self, singles: Iterable[bytes], nonce: bytes | None, produced_at: datetime) -> bytes:
        """An OCSPResponse (DER) over SingleResponses; `nonce` is the request's extension value, or None."""
        extension = b"" if nonce is None else der.sequence(der.oid(NONCE), der.octet_string(nonce))
        content = der.sequence(
            self._responder,
            der.generalized_time(produced_at.astimezone(UTC)),
            der.sequence(*singles),
            der.context(1, der.sequence(extension)) if extension else b"",
        )
        signature = der.bit_string(self._key.sign(content, self._algorithm.mechanism))
        basic = der.sequence(content, self._algorithm.identifier, signature, self._certificates)
        return der.sequence(
            der.tlv(der.ENUMERATED, b"\x00"), der.context(0, der.sequence(_BASIC, der.octet_string(basic)))
        )


def key_bits(certificate: x509.Certificate) -> bytes:
    """The subject public key's BIT STRING without its first octet: what issuerKeyHash is taken over."""
    spki = der.read(certificate.tbs_certificate_bytes, der.SEQUENCE).children()[6]
    return spki.children()[1].content[1:]


def _key_hash(certificate: x509.Certificate) -> bytes:
    return hashlib.sha1(key_bits(certificate), usedforsecurity=False).digest()


def _status(status: CertificateStatus | None) -> bytes:
    if status is None:
        return der.context(2, b"", constructed=False)
    if status.revoked_at is None:
        return der.context(0, b"", constructed=False)
    reason = der.context(0, der.tlv(der.ENUMERATED, bytes((status.reason,)))) if status.reason else b""
    return der.context(1, der.generalized_time(status.revoked_at.astimezone(UTC)) + reason)


def _invalidity(status: CertificateStatus | None) -> bytes:
    if status is None or status.invalid_from is None:
        return b""
    instant = der.octet_string(der.generalized_time(status.invalid_from.astimezone(UTC)))
    return der.context(1, der.sequence(der.sequence(der.oid("2.5.29.24"), instant)))
