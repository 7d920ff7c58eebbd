"""How each signature mechanism can be carried out on a token: raw first (hash in software), combined next. Pure.

Mechanism lists are not trusted (tokens list what they lack and lack what they list); what worked is remembered
per key. PSS parameters are always given: the default of PKCS#11 is SHA-1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from .cryptoki.binding import RawMechanism
from .cryptoki.codes import MGF_SHA256, MGF_SHA384, MGF_SHA512, Ckm
from .cryptoki.structures import OaepParameters, PssParameters
from .ecdsa_der import minimal_der
from .ports import Mechanism, VendorMechanism

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

Prepare = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to make a signature: the mechanism, and what to feed it."""

    mechanism: RawMechanism
    prepare: Prepare


# DigestInfo prefixes of RFC 8017, 9.2, note 1.
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_HASH_AND_MGF = {
    "sha256": (Ckm.SHA256, MGF_SHA256, 32),
    "sha384": (Ckm.SHA384, MGF_SHA384, 48),
    "sha512": (Ckm.SHA512, MGF_SHA512, 64),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_FAMILIES: dict[Mechanism, tuple[str, str, Ckm]] = {
    Mechanism.RSA_PKCS1_SHA256: ("pkcs1", "sha256", Ckm.SHA256_RSA_PKCS),
    Mechanism.RSA_PKCS1_SHA384: ("pkcs1", "sha384", Ckm.SHA384_RSA_PKCS),
    Mechanism.RSA_PKCS1_SHA512: ("pkcs1", "sha512", Ckm.SHA512_RSA_PKCS),
    Mechanism.RSA_PSS_SHA256: ("pss", "sha256", Ckm.SHA256_RSA_PKCS_PSS),
    Mechanism.RSA_PSS_SHA384: ("pss", "sha384", Ckm.SHA384_RSA_PKCS_PSS),
    Mechanism.RSA_PSS_SHA512: ("pss", "sha512", Ckm.SHA512_RSA_PKCS_PSS),
    Mechanism.ECDSA_SHA256: ("ecdsa", "sha256", Ckm.ECDSA_SHA256),
    Mechanism.ECDSA_SHA384: ("ecdsa", "sha384", Ckm.ECDSA_SHA384),
}


def attempts(mechanism: Mechanism | VendorMechanism) -> tuple[Attempt, ...]:
    """The ways to carry out `mechanism`, best first."""
    if isinstance(mechanism, VendorMechanism):
        return (Attempt(RawMechanism(mechanism.number, mechanism.parameter), _whole),)
    if mechanism is Mechanism.ED25519:
        return (Attempt(RawMechanism(Ckm.EDDSA), _whole),)
    family, digest, combined = _FAMILIES[mechanism]
    if family == "pkcs1":
        return (Attempt(RawMechanism(Ckm.RSA_PKCS), _digest_info(digest)), Attempt(RawMechanism(combined), _whole))
    if family == "pss":
        parameter = bytes(PssParameters(*_HASH_AND_MGF[digest]))
        return (
            Attempt(RawMechanism(Ckm.RSA_PKCS_PSS, parameter), _digest(digest)),
            Attempt(RawMechanism(combined, parameter), _whole),
        )
    return (Attempt(RawMechanism(Ckm.ECDSA), _digest(digest)), Attempt(RawMechanism(combined), _whole))


def _whole(data: bytes) -> bytes:
    return data


def _digest(name: str) -> Prepare:
    return lambda data: hashlib.new(name, data).digest()


def _digest_info(name: str) -> Prepare:
    return lambda data: _DIGEST_INFO[name] + hashlib.new(name, data).digest()


def fits(mechanism: Mechanism, key: PublicKeyTypes) -> bool:
    """Whether a key of this type can make this kind of signature at all."""
    if mechanism is Mechanism.ED25519:
        return isinstance(key, ed25519.Ed25519PublicKey)
    if _FAMILIES[mechanism][0] == "ecdsa":
        return isinstance(key, ec.EllipticCurvePublicKey)
    return isinstance(key, rsa.RSAPublicKey)


def finished(mechanism: Mechanism, key: PublicKeyTypes, answer: bytes) -> bytes:
    """The signature as the port gives it. ValueError where the token's answer cannot be one."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return minimal_der(answer, (key.curve.key_size + 7) // 8)
    wanted = 64 if isinstance(key, ed25519.Ed25519PublicKey) else _rsa_size(key)
    if len(answer) != wanted:
        raise ValueError(f"signature has {len(answer)} bytes, not {wanted}")
    return answer


def _rsa_size(key: PublicKeyTypes) -> int:
    return (key.key_size + 7) // 8 if isinstance(key, rsa.RSAPublicKey) else 0


def verifies(mechanism: Mechanism, key: PublicKeyTypes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` is right: asked for a key's first signature, so that a wrong plan is never kept."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
            return True
        family, digest, _ = _FAMILIES[mechanism]
        algorithm = _HASHES[digest]
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            pad = (
                padding.PKCS1v15() if family == "pkcs1" else padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
            )
            key.verify(signature, data, pad, algorithm)
    except InvalidSignature:
        return False
    return True


def oaep() -> RawMechanism:
    """RSA-OAEP with SHA-256 for hash and MGF1, empty label (RFC 8017, 7.1)."""
    return RawMechanism(Ckm.RSA_PKCS_OAEP, bytes(OaepParameters(Ckm.SHA256, MGF_SHA256, 1, None, 0)))
