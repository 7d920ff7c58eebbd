"""What custody does for others; the in-process `Custody` and the `CustodyClient` are the same to a caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hardware.ports import Mechanism
from signing_service.custody.ledger import Freeze, RecordedUse
from signing_service.custody.policy import Pinned


@dataclass(frozen=True, slots=True)
class HeldKey:
    """One key of a service, public material only. `public_key` is a DER SubjectPublicKeyInfo; `certificates` are its
    certificate and the chain, DER, nothing for a key without one; `until` is None for the present key, else the
    instant at which it stopped signing, or will."""

    public_key: bytes
    certificates: tuple[bytes, ...]
    until: datetime | None = None

    @property
    def certificate(self) -> bytes:
        """DER, or empty."""
        return self.certificates[0] if self.certificates else b""


class CustodyPort(Protocol):
    """All bytes are raw (DER, encoded authorisation). Raises CustodyError, AuthorisationRefused, TokenError."""

    def seal(
        self,
        seal_id: str,
        signed_attributes: bytes,
        authorisation: bytes,
        mechanism: Mechanism,
        *,
        document_type: str = "",
    ) -> bytes:
        """The seal key's signature over the DER SET OF signed attributes, if the authorisation covers them."""
        ...

    def seal_all(
        self,
        seal_id: str,
        signed_attributes: Sequence[bytes],
        authorisation: bytes,
        mechanism: Mechanism,
        *,
        document_type: str = "",
    ) -> Sequence[bytes]:
        """`seal` for several documents at once, all or none; what was signed before gets the same signature again."""
        ...

    def signature_of(self, seal_id: str, signed_attributes: bytes, authorisation: bytes) -> bytes:
        """The signature of a use that was completed but whose answer was lost; never a new one."""
        ...

    def sign_service(
        self, kind: str, content: bytes, mechanism: Mechanism | None = None, *, public_key: bytes = b""
    ) -> bytes:
        """A service key's signature over a structure of its own kind; ECDSA as DER.

        `public_key` (DER) names one of `service_keys`, so that a structure that names its key is signed by that key
        whatever is switched meanwhile; empty: the present one."""
        ...

    def unwrap_data_key(self, wrapped: bytes, *, public_key: bytes = b"") -> bytes:
        """RSA-OAEP (SHA-256) decryption of a wrapped data key, by the present key or the one that is named."""
        ...

    def service_keys(self, kind: str) -> Sequence[HeldKey]:
        """The present key, then those that it replaced, newest first."""
        ...

    def seal_certificates(self, seal_id: str) -> Sequence[bytes]:
        """The seal's certificate and its chain, DER."""
        ...

    def service_certificates(self, kind: str) -> Sequence[bytes]:
        """The service's certificate and chain, DER; nothing for a key without one."""
        ...

    def service_public_key(self, kind: str) -> bytes:
        """DER SubjectPublicKeyInfo."""
        ...

    def withdraw(self, authorisation_id: str, reason: str) -> None: ...

    def freeze(self, scope: str, *, actor: str, reason: str) -> None:
        """Stop sealing at once: `all`, `bureau:ID`, `seal:ID` or `register:ID`. Lifting it is not offered here."""
        ...

    def frozen(self) -> Sequence[Freeze]: ...

    def uses(self, seal_id: str, *, kind: str = "") -> Sequence[RecordedUse]:
        """Every use of a seal (or those of one kind) from custody's own ledger, oldest first."""
        ...

    def was_signed(self, seal_id: str, digest: str) -> bool:
        """Whether the seal's key has signed the document with this hex digest."""
        ...

    def pinned(self, seal_id: str) -> Pinned:
        """The certificates that may authorise the seal."""
        ...
