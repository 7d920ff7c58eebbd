"""Holders' codes at rest: AES-256-GCM, and a keyed hash for look-up. The key comes from the composition.

An attacker with the database alone learns no code and cannot try codes against the hashes.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cert_registry.licences.errors import HolderCodeUnreadable

_FORMAT = b"\x01"
_NONCE_BYTES = 12
KEY_BYTES = 32


class HolderVault(Protocol):
    """`bound_to` ties a sealed code to its licence, so that rows cannot be swapped unnoticed."""

    def seal(self, code: str, bound_to: str) -> bytes: ...

    def open(self, sealed: bytes, bound_to: str) -> str:
        """Raises HolderCodeUnreadable."""
        ...

    def lookup_hash(self, code: str, code_type: str) -> str:
        """The same for the same code and kind, 64 hex digits; of no use without the key."""
        ...


class AesHolderVault:
    """The vault over one 32-byte key; the two working keys are derived from it (HKDF-SHA-256)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the vault's key must have {KEY_BYTES} bytes")
        self._cipher = AESGCM(_derived(key, b"zhengyin holder codes: encryption"))
        self._hash_key = _derived(key, b"zhengyin holder codes: look-up")

    def seal(self, code: str, bound_to: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, code.encode(), bound_to.encode())

    def open(self, sealed: bytes, bound_to: str) -> str:
        form, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if form != _FORMAT:
            raise HolderCodeUnreadable
        try:
            return self._cipher.decrypt(nonce, rest, bound_to.encode()).decode()
        except (InvalidTag, ValueError):
            raise HolderCodeUnreadable from None

    def lookup_hash(self, code: str, code_type: str) -> str:
        return hmac.new(self._hash_key, f"{code_type}:{code}".encode(), sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
