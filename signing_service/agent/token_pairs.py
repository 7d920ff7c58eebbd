"""Which key of a USB key signs documents, and which logs in: by the certificate's key usage, never by label.

Dual-certificate keys carry a signing and an encryption pair; ours also one for log-in. RFC 5280, 4.2.1.3: a signing
certificate commits to contents (nonRepudiation); one for authentication has digitalSignature alone, for TLS clients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hardware.errors import TokenError
from hardware.ports import Mechanism, Token, TokenKey
from signing_service.agent.errors import NoSigningPair, SeveralSigningPairs


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A key on the token with its certificate (DER)."""

    key: TokenKey
    certificate: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.certificate).hexdigest()

    @property
    def name(self) -> str:
        """The common name of the certificate's subject."""
        names = x509.load_der_x509_certificate(self.certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else ""

    def sign(self, data: bytes) -> bytes:
        """With the mechanism that fits the key; ECDSA in DER."""
        return self.key.sign(data, mechanism_for(self.certificate))


def signing_pair(token: Token, *, fingerprint: str | None = None) -> TokenPair:
    """The pair that signs documents. Raises NoSigningPair, SeveralSigningPairs."""
    return _only(token, signs_documents, fingerprint)


def authentication_pair(token: Token, *, fingerprint: str | None = None) -> TokenPair:
    """The pair that logs in; never one that signs documents. Raises NoSigningPair, SeveralSigningPairs."""
    return _only(token, logs_in, fingerprint)


def signs_documents(certificate: x509.Certificate) -> bool:
    usage, purposes = _usage(certificate)
    if usage is not None:
        return usage.content_commitment or (usage.digital_signature and not _is_for_clients(purposes))
    return not _is_for_clients(purposes)


def logs_in(certificate: x509.Certificate) -> bool:
    usage, purposes = _usage(certificate)
    return _is_for_clients(purposes) and usage is not None and usage.digital_signature and not usage.content_commitment


def mechanism_for(certificate: bytes) -> Mechanism:
    """SHA-256 with the key's own kind. Raises NoSigningPair for kinds that we do not sign with."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return Mechanism.RSA_PKCS1_SHA256
    if isinstance(key, ec.EllipticCurvePublicKey):
        return Mechanism.ECDSA_SHA256
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Mechanism.ED25519
    raise NoSigningPair


def _only(token: Token, fits: Callable[[x509.Certificate], bool], fingerprint: str | None) -> TokenPair:
    pairs = [pair for pair in _pairs(token) if fits(x509.load_der_x509_certificate(pair.certificate))]
    if fingerprint is not None:
        pairs = [pair for pair in pairs if pair.fingerprint == fingerprint.lower()]
    if not pairs:
        raise NoSigningPair
    if len(pairs) > 1:
        found = "、".join(f"{pair.name} {pair.fingerprint}" for pair in pairs)
        raise SeveralSigningPairs(f"有:{found}。", f"There are: {found}.")
    return pairs[0]


def _pairs(token: Token) -> list[TokenPair]:
    found = []
    for key in token.keys():  # noqa: SIM118  # a token is no mapping
        try:
            certificate = token.certificate_for(key)
            x509.load_der_x509_certificate(certificate).public_key()
        except (TokenError, ValueError):
            continue  # a key without certificate, or of a kind that we cannot use, is no candidate
        found.append(TokenPair(key, certificate))
    return found


def _usage(certificate: x509.Certificate) -> tuple[x509.KeyUsage | None, frozenset[x509.ObjectIdentifier]]:
    extensions = certificate.extensions
    usages = [extension.value for extension in extensions if isinstance(extension.value, x509.KeyUsage)]
    extended = [extension.value for extension in extensions if isinstance(extension.value, x509.ExtendedKeyUsage)]
    return (usages[0] if usages else None), frozenset(extended[0] if extended else ())


def _is_for_clients(purposes: frozenset[x509.ObjectIdentifier]) -> bool:
    return ExtendedKeyUsageOID.CLIENT_AUTH in purposes
