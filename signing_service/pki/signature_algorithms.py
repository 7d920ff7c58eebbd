"""Which mechanism a key signs with here, how X.509 names it, and how to check the result."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from hardware.ports import Mechanism
from signing_service.pki import der
from signing_service.pki.errors import KeyNotAllowed
from signing_service.pki.ports import Signs

SHA256 = "2.16.840.1.101.3.4.2.1"
SHA256_ALGORITHM = der.sequence(der.oid(SHA256))


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`identifier` is the DER AlgorithmIdentifier (RFC 4055 5, RFC 5758 3.2, RFC 8410 3)."""

    mechanism: Mechanism
    identifier: bytes


RSA_SHA256 = Algorithm(
    Mechanism.RSA_PKCS1_SHA256, der.sequence(der.oid("1.2.840.113549.1.1.11"), der.tlv(der.NULL, b""))
)
P256_SHA256 = Algorithm(Mechanism.ECDSA_SHA256, der.sequence(der.oid("1.2.840.10045.4.3.2")))
P384_SHA384 = Algorithm(Mechanism.ECDSA_SHA384, der.sequence(der.oid("1.2.840.10045.4.3.3")))
ED25519 = Algorithm(Mechanism.ED25519, der.sequence(der.oid("1.3.101.112")))
_BY_KIND = {"rsa": RSA_SHA256, "p256": P256_SHA256, "p384": P384_SHA384, "ed25519": ED25519}


def key_kind(public_key: PublicKeyTypes) -> str:
    """rsa2048, rsa3072, rsa4096, p256, p384, ed25519; any other key by a name that no profile lists."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"rsa{public_key.key_size}"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return {"secp256r1": "p256", "secp384r1": "p384"}.get(public_key.curve.name, public_key.curve.name)
    return "ed25519" if isinstance(public_key, ed25519.Ed25519PublicKey) else type(public_key).__name__


def algorithm_for(public_key: PublicKeyTypes) -> Algorithm:
    """The one algorithm that we sign with for this kind of key. Raises KeyNotAllowed."""
    kind = key_kind(public_key)
    found = _BY_KIND.get("rsa" if kind.startswith("rsa") else kind)
    if found is None:
        raise KeyNotAllowed(kind, ", ".join(_BY_KIND))
    return found


def sign_structure(to_be_signed: bytes, key: Signs, public_key: PublicKeyTypes) -> bytes:
    """SEQUENCE { to-be-signed, algorithm, BIT STRING }: certificate, CSR, CRL (RFC 5280 4.1.1)."""
    algorithm = algorithm_for(public_key)
    signature = key.sign(to_be_signed, algorithm.mechanism)
    return der.sequence(to_be_signed, algorithm.identifier, der.bit_string(signature))


def signature_holds(public_key: PublicKeyTypes, signature: bytes, data: bytes, algorithm: Algorithm) -> bool:
    """Whether `signature` over `data` was made by the key's private half."""
    try:
        if isinstance(public_key, rsa.RSAPublicKey) and algorithm is RSA_SHA256:
            public_key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public_key, ec.EllipticCurvePublicKey) and algorithm in (P256_SHA256, P384_SHA384):
            digest = hashes.SHA256() if algorithm is P256_SHA256 else hashes.SHA384()
            public_key.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(public_key, ed25519.Ed25519PublicKey) and algorithm is ED25519:
            public_key.verify(signature, data)
        else:
            return False
    except InvalidSignature:
        return False
    return True
