"""What a signature needs from outside: a key, a clock that others trust, and proof that nothing is revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hardware.ports import Mechanism


class CertifiedSigner(Protocol):
    """Whose signature it will be: certificates in DER; `chain` from the issuer upwards, the root may be left out."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def chain(self) -> Sequence[bytes]: ...


class SigningKey(CertifiedSigner, Protocol):
    """A key with its certificates."""

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        """The signature value over `data`, the DER SET OF signed attributes. ECDSA values are DER."""
        ...


class ManySigningKey(SigningKey, Protocol):
    """A key that signs several documents at once."""

    def sign_all(self, data: Sequence[bytes], mechanism: Mechanism) -> Sequence[bytes]:
        """`sign` for each, all or none. What was signed before, to the byte, gets the same value, never a new one."""
        ...


class Timestamper(Protocol):
    """A timestamp authority (RFC 3161)."""

    def timestamp(self, digest: bytes) -> bytes:
        """The DER TimeStampToken over a SHA-256 digest. Raises a SigningServiceError that names endpoint and status."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """Validation material, DER: certificates, OCSPResponses and CRLs."""

    certificates: Sequence[bytes] = field(default_factory=tuple)
    ocsp_responses: Sequence[bytes] = field(default_factory=tuple)
    crls: Sequence[bytes] = field(default_factory=tuple)


class RevocationSource(Protocol):
    """Where certificates, OCSP responses and CRLs come from."""

    def evidence(self, chain: Sequence[bytes]) -> Evidence:
        """Proof for the first certificate of `chain` (DER) and its issuers. Raises when it cannot be had."""
        ...
