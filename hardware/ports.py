"""The narrow port to a token: all that the rest of the project needs of PKCS#11.

A `Token` is found by serial, never by slot. A `TokenKey` signs on the token; `hardware.private_keys` turns it
into a `cryptography` private key, so that certificate, CSR, CRL, OCSP, TSP and CMS code works unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


class Mechanism(StrEnum):
    """Signature mechanisms by their PKCS#11 meaning. The driver hashes in software and picks the raw one."""

    RSA_PKCS1_SHA256 = "sha256-rsa-pkcs"
    RSA_PKCS1_SHA384 = "sha384-rsa-pkcs"
    RSA_PKCS1_SHA512 = "sha512-rsa-pkcs"
    RSA_PSS_SHA256 = "sha256-rsa-pkcs-pss"
    RSA_PSS_SHA384 = "sha384-rsa-pkcs-pss"
    RSA_PSS_SHA512 = "sha512-rsa-pkcs-pss"
    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ED25519 = "eddsa"


@dataclass(frozen=True, slots=True)
class VendorMechanism:
    """A mechanism by its PKCS#11 number, for what `Mechanism` has no name for (SM2 on vendor numbers).

    The token gets the data as it is and the signature comes back as the token gave it.
    """

    number: int
    name: str
    parameter: bytes = b""


class PinState(StrEnum):
    """How close a PIN is to being locked; PKCS#11 gives no count."""

    NORMAL = "normal"
    LOW = "low"
    LAST = "last"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What a token says of itself. `serial` names it; labels are not unique."""

    serial: str
    label: str
    model: str
    manufacturer: str
    module: str
    user_pin: PinState = PinState.NORMAL
    so_pin: PinState = PinState.NORMAL
    initialised: bool = True


@runtime_checkable
class TokenKey(Protocol):
    """A private key that never leaves its token."""

    @property
    def id(self) -> bytes: ...

    @property
    def label(self) -> str: ...

    @property
    def uri(self) -> str:
        """RFC 7512, without PIN."""
        ...

    @property
    def public_key(self) -> PublicKeyTypes: ...

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        """Signature over `data` (the whole message, hashed in software). ECDSA comes back as minimal DER."""
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """RSA-OAEP (SHA-256) decryption of a wrapped data key."""
        ...


@runtime_checkable
class VendorTokenKey(TokenKey, Protocol):
    """A key that can also be used beyond what `cryptography` knows: the way in for SM2."""

    @property
    def public_key_info(self) -> bytes:
        """DER SubjectPublicKeyInfo, also of a key type that `public_key` refuses with KeyTypeUnsupported."""
        ...

    def sign_raw(self, data: bytes, mechanism: VendorMechanism) -> bytes:
        """The token's own answer to `data` under a mechanism by number."""
        ...


class Token(Protocol):
    """An opened token, logged in where a PIN was given. Use as a context manager."""

    @property
    def info(self) -> TokenInfo: ...

    def certificates(self) -> Sequence[bytes]:
        """All X.509 certificates on the token, DER."""
        ...

    def keys(self) -> Sequence[TokenKey]: ...

    def key(self, *, label: str | None = None, id: bytes | None = None, certificate: bytes | None = None) -> TokenKey:
        """Exactly one key; KeyNotFound or AmbiguousKey otherwise. `certificate` (DER) pairs by public key."""
        ...

    def certificate_for(self, key: TokenKey) -> bytes:
        """The DER certificate whose public key is the key's; CertificateMissing otherwise."""
        ...

    def generate(self, kind: str, *, label: str, id: bytes) -> TokenKey:
        """A new key pair on the token; `kind` is rsa2048, rsa3072, rsa4096, p256, p384 or ed25519."""
        ...

    def store_certificate(self, der: bytes, *, label: str, id: bytes) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
