"""What this room needs of a key: something that signs, and the certificate that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hardware.ports import Mechanism


class Signs(Protocol):
    """A private key that stays where it is: a token's key, or custody asked over its socket."""

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        """Signature over the whole of `data`; ECDSA as minimal DER."""
        ...


class SigningKey(Signs, Protocol):
    """A key with its certificate (DER) and the certificates above it, nearest first, root left out or last."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def chain(self) -> Sequence[bytes]: ...


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A SigningKey put together from a token's key and its certificates."""

    key: Signs
    certificate: bytes
    chain: tuple[bytes, ...] = ()

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self.key.sign(data, mechanism)
