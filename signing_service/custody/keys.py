"""Keys in custody, in the shapes that signing rooms ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hardware.ports import Mechanism
from signing_service.custody.ports import CustodyPort, HeldKey


@dataclass(frozen=True, slots=True)
class SealKey:
    """A seal's key under one authorisation: a SigningKey for `pades`. `sign` takes DER signed attributes."""

    custody: CustodyPort
    seal_id: str
    certificate: bytes
    chain: Sequence[bytes]
    authorisation: bytes
    document_type: str = ""

    @classmethod
    def of(cls, custody: CustodyPort, seal_id: str, authorisation: bytes, *, document_type: str = "") -> SealKey:
        """The key with its certificates as custody knows them. `authorisation` empty: direct sealing, demo alone."""
        certificate, *chain = custody.seal_certificates(seal_id)
        return cls(custody, seal_id, certificate, tuple(chain), authorisation, document_type)

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self.custody.seal(self.seal_id, data, self.authorisation, mechanism, document_type=self.document_type)

    def sign_all(self, data: Sequence[bytes], mechanism: Mechanism) -> Sequence[bytes]:
        """Several at once, all or none; what was signed before gets the same signature again."""
        return self.custody.seal_all(
            self.seal_id, data, self.authorisation, mechanism, document_type=self.document_type
        )


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service's key: a `hardware.ports.TokenKey` that signs structures of one kind alone, and a SigningKey. It stays
    the same key when the service is given another one; custody lets it sign until the overlap ends."""

    custody: CustodyPort
    kind: str
    held: HeldKey

    @classmethod
    def of(cls, custody: CustodyPort, kind: str) -> ServiceKey:
        """The present key."""
        return cls(custody, kind, custody.service_keys(kind)[0])

    @classmethod
    def certified(cls, custody: CustodyPort, kind: str, certificate: bytes) -> ServiceKey | None:
        """The key behind this certificate (DER), if custody has it."""
        held = next((key for key in custody.service_keys(kind) if key.certificate == certificate), None)
        return None if held is None else cls(custody, kind, held)

    @property
    def public_key(self) -> PublicKeyTypes:
        return load_der_public_key(self.held.public_key)

    @property
    def certificates(self) -> Sequence[bytes]:
        return self.held.certificates

    @property
    def id(self) -> bytes:
        return self.kind.encode()

    @property
    def label(self) -> str:
        return self.kind

    @property
    def uri(self) -> str:
        return f"custody:{self.kind}"

    @property
    def certificate(self) -> bytes:
        """DER; empty for a key without one."""
        return self.held.certificate

    @property
    def chain(self) -> Sequence[bytes]:
        return self.certificates[1:]

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self.custody.sign_service(self.kind, data, mechanism, public_key=self.held.public_key)

    def unwrap(self, wrapped: bytes) -> bytes:
        return self.custody.unwrap_data_key(wrapped, public_key=self.held.public_key)
