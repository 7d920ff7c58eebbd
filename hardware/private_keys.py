"""A token's key as a `cryptography` private key, so that its certificate, CSR, CRL and OCSP builders work unchanged.

Only signing (and OAEP decryption) works: the private numbers never leave the token, so every way to export them
raises ValueError.
"""

from __future__ import annotations

from typing import NoReturn, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from .errors import KeyTypeUnsupported
from .ports import Mechanism, TokenKey

Buffer = bytes | bytearray | memoryview
TokenPrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_PKCS1 = {
    "sha256": Mechanism.RSA_PKCS1_SHA256,
    "sha384": Mechanism.RSA_PKCS1_SHA384,
    "sha512": Mechanism.RSA_PKCS1_SHA512,
}
_PSS = {
    "sha256": Mechanism.RSA_PSS_SHA256,
    "sha384": Mechanism.RSA_PSS_SHA384,
    "sha512": Mechanism.RSA_PSS_SHA512,
}
_ECDSA = {"sha256": Mechanism.ECDSA_SHA256, "sha384": Mechanism.ECDSA_SHA384}


def as_private_key(key: TokenKey) -> TokenPrivateKey:
    """The adapter for the key's type; KeyTypeUnsupported for others (SM2)."""
    public = key.public_key
    if isinstance(public, rsa.RSAPublicKey):
        return RsaTokenKey(key, public)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return EcTokenKey(key, public)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return Ed25519TokenKey(key, public)
    raise KeyTypeUnsupported(kind=type(public).__name__)


def _refuse_export() -> NoReturn:
    raise ValueError("the private key does not leave its token")


def _mechanism(table: dict[str, Mechanism], algorithm: object) -> Mechanism:
    if isinstance(algorithm, Prehashed) or not isinstance(algorithm, hashes.HashAlgorithm):
        raise UnsupportedAlgorithm("give the whole message: it is hashed for the token here")
    found = table.get(algorithm.name)
    if found is None:
        raise UnsupportedAlgorithm(f"{algorithm.name} is not offered for this key")
    return found


class RsaTokenKey(rsa.RSAPrivateKey):
    """RSA on the token: PKCS #1 v1.5 and PSS (MGF1 with the same hash, salt as long as the hash)."""

    def __init__(self, key: TokenKey, public: rsa.RSAPublicKey) -> None:
        self._key, self._public = key, public

    def sign(
        self, data: Buffer, padding: AsymmetricPadding, algorithm: Prehashed | hashes.HashAlgorithm | object
    ) -> bytes:
        return self._key.sign(bytes(data), _rsa_mechanism(padding, algorithm))

    def decrypt(self, ciphertext: Buffer, padding: AsymmetricPadding) -> bytes:
        """OAEP with SHA-256 only."""
        if not _is_our_oaep(padding):
            raise UnsupportedAlgorithm("only OAEP with SHA-256 is decrypted on a token")
        return self._key.unwrap(bytes(ciphertext))

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def private_numbers(self) -> NoReturn:
        _refuse_export()

    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> NoReturn:
        _refuse_export()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


def _rsa_mechanism(pad: AsymmetricPadding, algorithm: object) -> Mechanism:
    if isinstance(pad, padding.PKCS1v15):
        return _mechanism(_PKCS1, algorithm)
    if not isinstance(pad, padding.PSS):
        raise UnsupportedAlgorithm(f"padding {pad.name} is not offered on a token")
    mechanism = _mechanism(_PSS, algorithm)
    size = getattr(algorithm, "digest_size", 0)
    if pad._salt_length not in (size, padding.PSS.DIGEST_LENGTH) or pad.mgf._algorithm.digest_size != size:
        raise UnsupportedAlgorithm("PSS on a token: MGF1 with the same hash, salt as long as the hash")
    return mechanism


def _is_our_oaep(pad: AsymmetricPadding) -> bool:
    return (
        isinstance(pad, padding.OAEP)
        and pad.algorithm.name == "sha256"
        and pad.mgf._algorithm.name == "sha256"
        and not pad._label
    )


class EcTokenKey(ec.EllipticCurvePrivateKey):
    """ECDSA on the token, signatures in minimal DER."""

    def __init__(self, key: TokenKey, public: ec.EllipticCurvePublicKey) -> None:
        self._key, self._public = key, public

    def sign(self, data: Buffer, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        if not isinstance(signature_algorithm, ec.ECDSA):
            raise UnsupportedAlgorithm("only ECDSA is offered on a token")
        return self._key.sign(bytes(data), _mechanism(_ECDSA, signature_algorithm.algorithm))

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        raise UnsupportedAlgorithm("keys on a token sign; they do not agree on secrets")

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def private_numbers(self) -> NoReturn:
        _refuse_export()

    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> NoReturn:
        _refuse_export()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class Ed25519TokenKey(ed25519.Ed25519PrivateKey):
    """Ed25519 on the token (pure EdDSA, RFC 8032)."""

    def __init__(self, key: TokenKey, public: ed25519.Ed25519PublicKey) -> None:
        self._key, self._public = key, public

    def sign(self, data: Buffer) -> bytes:
        return self._key.sign(bytes(data), Mechanism.ED25519)

    def public_key(self) -> ed25519.Ed25519PublicKey:
        return self._public

    def private_bytes(self, encoding: object, format: object, encryption_algorithm: object) -> NoReturn:
        _refuse_export()

    def private_bytes_raw(self) -> NoReturn:
        _refuse_export()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self
