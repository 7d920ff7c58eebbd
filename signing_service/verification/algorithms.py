"""Signature algorithms: how to check a value, what each is called, and until when each is believed (ETSI TS 119
312)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.exceptions import UnsupportedAlgorithm as Unsupported
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa, utils

from signing_service.verification.errors import UnsupportedAlgorithm

_HASHES: dict[str, hashes.HashAlgorithm] = {  # SHA-1 and MD5 are judged by date, below
    "md5": hashes.MD5(),  # noqa: S303
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_224": hashes.SHA3_224(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
}
DIGESTS = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.7": "sha3_224",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
    "2.16.840.1.101.3.4.2.12": "shake256",
    "2.16.840.1.101.3.4.2.18": "shake256",
}
_RSA, _ECDSA, _DSA = "rsa", "ecdsa", "dsa"
_SIGNATURES: dict[str, tuple[str, str | None]] = {
    "1.2.840.113549.1.1.1": (_RSA, None),
    "1.2.840.113549.1.1.4": (_RSA, "md5"),
    "1.2.840.113549.1.1.5": (_RSA, "sha1"),
    "1.2.840.113549.1.1.14": (_RSA, "sha224"),
    "1.2.840.113549.1.1.11": (_RSA, "sha256"),
    "1.2.840.113549.1.1.12": (_RSA, "sha384"),
    "1.2.840.113549.1.1.13": (_RSA, "sha512"),
    "1.3.14.3.2.29": (_RSA, "sha1"),
    "2.16.840.1.101.3.4.3.13": (_RSA, "sha3_224"),
    "2.16.840.1.101.3.4.3.14": (_RSA, "sha3_256"),
    "2.16.840.1.101.3.4.3.15": (_RSA, "sha3_384"),
    "2.16.840.1.101.3.4.3.16": (_RSA, "sha3_512"),
    "1.2.840.113549.1.1.10": ("pss", None),
    "1.2.840.10045.2.1": (_ECDSA, None),
    "1.2.840.10045.4.1": (_ECDSA, "sha1"),
    "1.2.840.10045.4.3.1": (_ECDSA, "sha224"),
    "1.2.840.10045.4.3.2": (_ECDSA, "sha256"),
    "1.2.840.10045.4.3.3": (_ECDSA, "sha384"),
    "1.2.840.10045.4.3.4": (_ECDSA, "sha512"),
    "2.16.840.1.101.3.4.3.9": (_ECDSA, "sha3_224"),
    "2.16.840.1.101.3.4.3.10": (_ECDSA, "sha3_256"),
    "2.16.840.1.101.3.4.3.11": (_ECDSA, "sha3_384"),
    "2.16.840.1.101.3.4.3.12": (_ECDSA, "sha3_512"),
    "1.2.840.10040.4.1": (_DSA, None),
    "1.2.840.10040.4.3": (_DSA, "sha1"),
    "2.16.840.1.101.3.4.3.1": (_DSA, "sha224"),
    "2.16.840.1.101.3.4.3.2": (_DSA, "sha256"),
    "1.3.101.112": ("ed25519", None),
    "1.3.101.113": ("ed448", None),
}
# What a reader would call algorithms that cannot be computed here.
_KNOWN_NAMES = {
    "1.2.156.10197.1.301": "SM2",
    "1.2.156.10197.1.301.1": "SM2",
    "1.2.156.10197.1.401": "SM3",
    "1.2.156.10197.1.501": "SM2-SM3",
    "1.2.156.10197.1.502": "SM2-SHA1",
    "1.2.156.10197.1.503": "SM2-SHA256",
    "1.2.156.10197.1.504": "RSA-SM3",
    "1.2.156.10197.6.1.4.2.2": "SM2 (GB/T 35275)",
    "1.2.643.7.1.1.3.2": "GOST R 34.10-2012",
    "1.2.643.7.1.1.3.3": "GOST R 34.10-2012",
    "1.2.643.7.1.1.2.2": "GOST R 34.11-2012",
    "1.2.804.2.1.1.1.1.3.1.1": "DSTU 4145",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}
_UNTIL_DIGEST = {"md5": datetime(2004, 8, 1, tzinfo=UTC), "sha1": datetime(2012, 8, 1, tzinfo=UTC)}
_UNTIL_RSA = (
    (1024, datetime(2000, 1, 1, tzinfo=UTC)),
    (1536, datetime(2010, 1, 1, tzinfo=UTC)),
    (2048, datetime(2023, 1, 1, tzinfo=UTC)),
)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a value was made: family, digest (None: the container says), and PSS parameters as stated."""

    family: str
    digest: str | None
    mask_digest: str | None = None
    salt: int = 20


def name_of(oid: str) -> str:
    """What a reader would call it, else the dotted number."""
    return _KNOWN_NAMES.get(oid, oid)


def digest_name(oid: str) -> str:
    """Raises UnsupportedAlgorithm with the name."""
    if oid not in DIGESTS:
        raise UnsupportedAlgorithm(name_of(oid))
    return DIGESTS[oid]


def new_hash(name: str) -> Any:
    """A hashlib object; SHAKE256 is wrapped so that it gives 64 bytes (RFC 8419)."""
    return _Shake256() if name == "shake256" else hashlib.new(name)


class _Shake256:
    def __init__(self) -> None:
        self._state = hashlib.shake_256()

    def update(self, data: Any) -> None:
        self._state.update(data)

    def copy(self) -> _Shake256:
        twin = _Shake256()
        twin._state = self._state.copy()
        return twin

    def digest(self) -> bytes:
        return self._state.digest(64)


def signature_algorithm(oid: str, parameters: Any = None) -> Algorithm:
    """From an AlgorithmIdentifier; `parameters` is asn1crypto's RSASSAPSSParams for PSS. Raises
    UnsupportedAlgorithm."""
    if oid not in _SIGNATURES:
        raise UnsupportedAlgorithm(name_of(oid))
    family, digest = _SIGNATURES[oid]
    if family != "pss":
        return Algorithm(family, digest)
    return Algorithm(
        "pss",
        digest_name(parameters["hash_algorithm"]["algorithm"].dotted),
        digest_name(parameters["mask_gen_algorithm"]["parameters"]["algorithm"].dotted),
        parameters["salt_length"].native,
    )


def value_is_right(
    key: Any, algorithm: Algorithm, digest: str, signature: bytes, data: bytes, *, prehashed: bool = False
) -> bool:
    """Does `signature` over `data` (its digest when `prehashed`) belong to `key`? Raises UnsupportedAlgorithm when that
    cannot be computed."""
    used = algorithm.digest or digest
    try:
        if prehashed:
            return _prehashed_is_right(key, algorithm, used, signature, data)
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, data)
        elif used not in _HASHES:
            raise UnsupportedAlgorithm(used)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, _rsa_padding(algorithm), _HASHES[used])
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_HASHES[used]))
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, data, _HASHES[used])
        else:
            raise UnsupportedAlgorithm(type(key).__name__)
    except InvalidSignature:
        return False
    except (Unsupported, ValueError) as error:
        raise UnsupportedAlgorithm(f"{algorithm.family}/{used}") from error
    return True


def _prehashed_is_right(key: Any, algorithm: Algorithm, used: str, signature: bytes, digest: bytes) -> bool:
    if used not in _HASHES:
        raise UnsupportedAlgorithm(used)
    hashed = utils.Prehashed(_HASHES[used])
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, digest, _rsa_padding(algorithm), hashed)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, digest, ec.ECDSA(hashed))
    else:
        raise UnsupportedAlgorithm(f"{algorithm.family} without attributes")
    return True


def fits(key: Any, algorithm: Algorithm) -> bool:
    """Is the stated algorithm of the key's own family?"""
    families = {
        _RSA: rsa.RSAPublicKey,
        "pss": rsa.RSAPublicKey,
        _ECDSA: ec.EllipticCurvePublicKey,
        _DSA: dsa.DSAPublicKey,
    }
    families |= {"ed25519": ed25519.Ed25519PublicKey, "ed448": ed448.Ed448PublicKey}
    return isinstance(key, families[algorithm.family])


def _rsa_padding(algorithm: Algorithm) -> padding.AsymmetricPadding:
    if algorithm.family != "pss":
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(_HASHES[algorithm.mask_digest or "sha1"]), algorithm.salt)


def public_key(certificate: x509.Certificate) -> Any:
    """The key of a certificate. Raises UnsupportedAlgorithm with a recognisable name (SM2)."""
    try:
        return certificate.public_key()
    except (Unsupported, ValueError, TypeError) as error:
        raise UnsupportedAlgorithm(_key_name(certificate, str(error))) from error


def _key_name(certificate: x509.Certificate, message: str) -> str:
    for oid, name in _KNOWN_NAMES.items():
        if oid in message:
            return name
    return name_of(certificate.public_key_algorithm_oid.dotted_string)


def believed_until(digest: str, key: Any) -> tuple[str, datetime] | None:
    """(name, last instant) of the weaker of digest and key when it has one, else None."""
    found = [(digest.upper(), _UNTIL_DIGEST[digest])] if digest in _UNTIL_DIGEST else []
    if isinstance(key, rsa.RSAPublicKey):
        found += [(f"RSA-{key.key_size}", until) for size, until in _UNTIL_RSA if key.key_size < size][:1]
    if isinstance(key, dsa.DSAPublicKey):
        found.append((f"DSA-{key.key_size}", datetime(2014, 1, 1, tzinfo=UTC)))
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < 224:
        found.append((f"ECDSA {key.curve.name}", datetime(2013, 1, 1, tzinfo=UTC)))
    return min(found, key=lambda item: item[1]) if found else None
