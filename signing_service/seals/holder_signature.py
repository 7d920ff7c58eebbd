"""The signed form of an authorisation, and the judgement whether its holders really signed it.

One signature by the seal's holder; an emergency order bears two, by two of the persons appointed for it. Holders are
given as the DER certificates that the judge has pinned: no chain is built, so a CA under somebody else's control
cannot make a holder.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hardware.ports import Mechanism
from signing_service.seals.authorisation import Authorisation, Kind, canonical_json, read_canonical_json
from signing_service.seals.authorisation_errors import (
    AuthorisationAltered,
    AuthorisationMissing,
    AuthorisationUnreadable,
    HolderCertificateNotValid,
    HolderUnknown,
    SecondSignerMissing,
)

RSA_HASHES = {
    Mechanism.RSA_PKCS1_SHA256: hashes.SHA256(),
    Mechanism.RSA_PKCS1_SHA384: hashes.SHA384(),
    Mechanism.RSA_PKCS1_SHA512: hashes.SHA512(),
}
PSS_HASHES = {
    Mechanism.RSA_PSS_SHA256: hashes.SHA256(),
    Mechanism.RSA_PSS_SHA384: hashes.SHA384(),
    Mechanism.RSA_PSS_SHA512: hashes.SHA512(),
}
ECDSA_HASHES = {Mechanism.ECDSA_SHA256: hashes.SHA256(), Mechanism.ECDSA_SHA384: hashes.SHA384()}


class Signer(Protocol):
    """All that is asked of the holder's key; a `hardware.ports.TokenKey` is one."""

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes: ...


@dataclass(frozen=True, slots=True)
class HolderSignature:
    """A signature over the statement, by the key of `certificate` (DER)."""

    certificate: bytes
    mechanism: Mechanism
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedAuthorisation:
    """The statement and its signatures, as it is stored and sent."""

    statement: bytes
    signatures: tuple[HolderSignature, ...]

    @property
    def authorisation_id(self) -> str:
        """The statement's own id. Raises AuthorisationUnreadable."""
        return Authorisation.from_statement(self.statement).id

    def encode(self) -> bytes:
        """Canonical JSON with base64 members."""
        signatures = [
            {"certificate": _base64(s.certificate), "mechanism": s.mechanism.value, "signature": _base64(s.signature)}
            for s in self.signatures
        ]
        return canonical_json({"statement": _base64(self.statement), "signatures": signatures})

    @classmethod
    def decode(cls, encoded: bytes) -> SignedAuthorisation:
        """Raises AuthorisationMissing for nothing, AuthorisationUnreadable for what is not one."""
        if not encoded:
            raise AuthorisationMissing
        content = read_canonical_json(encoded)
        try:
            signatures = tuple(
                HolderSignature(_bytes(s["certificate"]), Mechanism(s["mechanism"]), _bytes(s["signature"]))
                for s in content["signatures"]
            )
            return cls(_bytes(content["statement"]), signatures)
        except (KeyError, TypeError, ValueError) as failure:
            raise AuthorisationUnreadable(f"{type(failure).__name__}: {failure}") from failure


def sign_authorisation(authorisation: Authorisation, *signers: tuple[Signer, bytes, Mechanism]) -> bytes:
    """The encoded authorisation, signed by each (key, DER certificate, mechanism)."""
    statement = authorisation.statement()
    signatures = (
        HolderSignature(certificate, mechanism, key.sign(statement, mechanism))
        for key, certificate, mechanism in signers
    )
    return SignedAuthorisation(statement, tuple(signatures)).encode()


def verified(
    signed: SignedAuthorisation, *, holders: Sequence[bytes], appointed: Sequence[bytes], now: datetime
) -> Authorisation:
    """The content, once its signatures hold. `holders` and `appointed` are pinned DER certificates.

    Raises AuthorisationUnreadable, HolderUnknown, HolderCertificateNotValid, AuthorisationAltered,
    SecondSignerMissing; whether it covers a document is for `authorisation.covers`.
    """
    authorisation = Authorisation.from_statement(signed.statement)
    emergency = authorisation.kind is Kind.EMERGENCY
    for signature in signed.signatures:
        if signature.certificate not in (appointed if emergency else holders):
            raise HolderUnknown(hashlib.sha256(signature.certificate).hexdigest())
        _check_signature(signed.statement, signature, now)
    if not signed.signatures:
        raise AuthorisationAltered
    if emergency and len({_person(s.certificate) for s in signed.signatures}) < 2:
        raise SecondSignerMissing
    return authorisation


def _check_signature(statement: bytes, signature: HolderSignature, now: datetime) -> None:
    certificate = x509.load_der_x509_certificate(signature.certificate)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise HolderCertificateNotValid(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    try:
        verify_signature(certificate, signature.signature, statement, signature.mechanism)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as failure:
        raise AuthorisationAltered from failure


def verify_signature(certificate: x509.Certificate, signature: bytes, data: bytes, mechanism: Mechanism) -> None:
    """Raises InvalidSignature; ValueError where the mechanism does not fit the certificate's key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and mechanism in RSA_HASHES:
        key.verify(signature, data, padding.PKCS1v15(), RSA_HASHES[mechanism])
    elif isinstance(key, rsa.RSAPublicKey) and mechanism in PSS_HASHES:
        algorithm = PSS_HASHES[mechanism]
        key.verify(signature, data, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey) and mechanism in ECDSA_HASHES:
        key.verify(signature, data, ec.ECDSA(ECDSA_HASHES[mechanism]))
    elif isinstance(key, ed25519.Ed25519PublicKey) and mechanism is Mechanism.ED25519:
        key.verify(signature, data)
    else:
        raise ValueError(f"{mechanism} does not fit the key")


def _person(certificate: bytes) -> bytes:
    """Two certificates of one subject are one person."""
    return x509.load_der_x509_certificate(certificate).subject.public_bytes()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
