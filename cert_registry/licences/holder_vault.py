"""Holders' codes at rest: AES-256-GCM, and a keyed hash for look-up. The keys come from the composition.

An attacker with the database alone learns no code and cannot try codes against the hashes.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cert_registry.licences.errors import HolderCodeUnreadable

_FORMAT = b"\x01"
_NUMBER_BYTES, _NONCE_BYTES = 4, 12
PREFIX_BYTES = len(_FORMAT) + _NUMBER_BYTES
KEY_BYTES = 32


class Lookup(NamedTuple):
    """What finds a code: 64 hex digits, of no use without the key, and that key's number."""

    key: int
    digest: str


class HolderVault(Protocol):
    """`bound_to` ties a sealed code to its licence, so that rows cannot be swapped unnoticed."""

    def seal(self, code: str, bound_to: str) -> bytes:
        """Under the present key, whose number is in the first PREFIX_BYTES bytes."""
        ...

    def open(self, sealed: bytes, bound_to: str) -> str:
        """Raises HolderCodeUnreadable."""
        ...

    def lookup(self, code: str, code_type: str) -> Lookup:
        """For a row that is written: under the present look-up key; the same for the same code and kind."""
        ...

    def lookups(self, code: str, code_type: str) -> tuple[str, ...]:
        """For a search: the digests under every look-up key that rows may still be under, the present one first."""
        ...

    def lookup_key(self) -> int:
        """The number of the present look-up key."""
        ...

    def prefix(self) -> bytes:
        """How everything begins that is sealed under the present key."""
        ...


class AesHolderVault:
    """The vault over 32-byte keys by number: `present` seals, every one opens, `lookup` hashes, and what `earlier` ones
    hashed is still found. The working keys are derived (HKDF-SHA-256)."""

    def __init__(
        self, keys: Mapping[int, bytes], *, present: int = 1, lookup: int = 1, earlier: Sequence[int] = ()
    ) -> None:
        if any(len(key) != KEY_BYTES for key in keys.values()):
            raise ValueError(f"the vault's keys must have {KEY_BYTES} bytes")
        self._ciphers = {
            number: AESGCM(_derived(key, b"zhengyin holder codes: encryption")) for number, key in keys.items()
        }
        self._hash_keys = {
            number: _derived(keys[number], b"zhengyin holder codes: look-up") for number in (lookup, *earlier)
        }
        self._lookup = lookup
        self._present = present

    def seal(self, code: str, bound_to: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self.prefix() + nonce + self._ciphers[self._present].encrypt(nonce, code.encode(), bound_to.encode())

    def open(self, sealed: bytes, bound_to: str) -> str:
        form, number = sealed[:1], int.from_bytes(sealed[1:PREFIX_BYTES])
        nonce, rest = sealed[PREFIX_BYTES : PREFIX_BYTES + _NONCE_BYTES], sealed[PREFIX_BYTES + _NONCE_BYTES :]
        if form != _FORMAT or number not in self._ciphers:
            raise HolderCodeUnreadable
        try:
            return self._ciphers[number].decrypt(nonce, rest, bound_to.encode()).decode()
        except (InvalidTag, ValueError):
            raise HolderCodeUnreadable from None

    def lookup(self, code: str, code_type: str) -> Lookup:
        return Lookup(self._lookup, _digest(self._hash_keys[self._lookup], code, code_type))

    def lookups(self, code: str, code_type: str) -> tuple[str, ...]:
        return tuple(_digest(key, code, code_type) for key in self._hash_keys.values())

    def lookup_key(self) -> int:
        return self._lookup

    def prefix(self) -> bytes:
        return _FORMAT + self._present.to_bytes(_NUMBER_BYTES)


def _digest(key: bytes, code: str, code_type: str) -> str:
    return hmac.new(key, f"{code_type}:{code}".encode(), sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
