"""The timestamp token as DER: TSTInfo (RFC 3161 2.4.2) in CMS SignedData with ESSCertIDv2 (RFC 5816).

All that does not change from one token to the next is built once, when the authority starts.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography import x509

from signing_service.pki import der
from signing_service.pki.ports import SigningKey
from signing_service.pki.signature_algorithms import ED25519, P384_SHA384, SHA256, Algorithm, algorithm_for
from signing_service.pki.timestamp_request import TimestampRequest

CONTENT_TYPE = der.oid("1.2.840.113549.1.9.16.1.4")
_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
# The content's digest is the signature's own, since OpenSSL takes no other (RFC 5753 2.1.1; Ed25519: RFC 8419 3).
_DIGESTS: dict[Algorithm, tuple[str, str]] = {
    P384_SHA384: ("sha384", "2.16.840.1.101.3.4.2.2"),
    ED25519: ("sha512", "2.16.840.1.101.3.4.2.3"),
}
_ACCURACY_ONE_SECOND = der.sequence(der.integer(1))


def _attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of((value,)))


class TokenTemplate:
    """Builds tokens for one TSA certificate. Immutable after it is made; thread-safe."""

    def __init__(self, key: SigningKey, policy_oid: str) -> None:
        certificate = x509.load_der_x509_certificate(key.certificate)
        self._key = key
        self._policy = der.oid(policy_oid)
        self._algorithm = algorithm_for(certificate.public_key())
        self._digest, oid = _DIGESTS.get(self._algorithm, ("sha256", SHA256))
        self._digest_algorithm = der.sequence(der.oid(oid))
        issuer_serial = (certificate.issuer.public_bytes(), der.integer(certificate.serial_number))
        self._signer = der.sequence(*issuer_serial)
        self._name = der.context(0, der.context(4, certificate.subject.public_bytes()))
        above = {other for other in key.chain if not _is_root(other)}
        self._certificates = der.context(0, b"".join(sorted({key.certificate} | above)))
        self._constant_attributes = (
            _attribute("1.2.840.113549.1.9.3", CONTENT_TYPE),
            _attribute("1.2.840.113549.1.9.16.2.47", _signing_certificate(key.certificate, issuer_serial)),
        )

    def token(self, request: TimestampRequest, serial: int, at: datetime) -> bytes:
        """A TimeStampToken (ContentInfo, DER) over the request's imprint."""
        info = self._info(request, serial, at)
        digest = hashlib.new(self._digest, info).digest()
        attributes = der.set_of(
            (*self._constant_attributes, _attribute("1.2.840.113549.1.9.4", der.octet_string(digest)))
        )
        signature = self._key.sign(attributes, self._algorithm.mechanism)
        signer = der.sequence(
            der.integer(1),
            self._signer,
            self._digest_algorithm,
            b"\xa0" + attributes[1:],
            self._algorithm.identifier,
            der.octet_string(signature),
        )
        content = der.sequence(
            der.integer(3),
            der.set_of((self._digest_algorithm,)),
            der.sequence(CONTENT_TYPE, der.context(0, der.octet_string(info))),
            self._certificates if request.wants_certificates else b"",
            der.set_of((signer,)),
        )
        return der.sequence(_SIGNED_DATA, der.context(0, content))

    def _info(self, request: TimestampRequest, serial: int, at: datetime) -> bytes:
        return der.sequence(
            der.integer(1),
            self._policy,
            request.imprint,
            der.integer(serial),
            der.generalized_time(at.astimezone(UTC), fraction=True),
            _ACCURACY_ONE_SECOND,
            request.nonce,
            self._name,
        )


def _is_root(certificate: bytes) -> bool:
    """A root tells a verifier nothing that it does not have, and every token would carry it."""
    read = x509.load_der_x509_certificate(certificate)
    return read.subject == read.issuer


def _signing_certificate(certificate: bytes, issuer_serial: tuple[bytes, bytes]) -> bytes:
    """SigningCertificateV2 with SHA-256 (the default, so its algorithm is left out) and issuerSerial (RFC 5035)."""
    issuer, serial = issuer_serial
    names = der.sequence(der.context(4, issuer))
    return der.sequence(
        der.sequence(der.sequence(der.octet_string(hashlib.sha256(certificate).digest()), der.sequence(names, serial)))
    )
