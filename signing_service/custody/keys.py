"""Keys in custody, in the shapes that signing rooms ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hardware.ports import Mechanism
from signing_service.custody.ports import CustodyPort


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


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service's key: a `hardware.ports.TokenKey` that signs structures of one kind alone, and a SigningKey."""

    custody: CustodyPort
    kind: str
    public_key: PublicKeyTypes
    certificates: Sequence[bytes]

    @classmethod
    def of(cls, custody: CustodyPort, kind: str) -> ServiceKey:
        public_key = load_der_public_key(custody.service_public_key(kind))
        return cls(custody, kind, public_key, tuple(custody.service_certificates(kind)))

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
        return self.certificates[0] if self.certificates else b""

    @property
    def chain(self) -> Sequence[bytes]:
        return self.certificates[1:]

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self.custody.sign_service(self.kind, data, mechanism)

    def unwrap(self, wrapped: bytes) -> bytes:
        return self.custody.unwrap_data_key(wrapped)
