"""The ring of data keys for holders' codes, as it is kept: every key wrapped by a token's key (RSA-OAEP, SHA-256).

Nothing in it is secret to whoever lacks that token. Keys are only added: what an old backup holds stays readable.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cert_registry.licences.errors import DataKeysUnreadable

VERSION = 1


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """`wrapped_by` is the wrapping key's DER SubjectPublicKeyInfo."""

    number: int
    wrapped: bytes
    wrapped_by: bytes
    made_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`present` seals, `lookup` hashes, and what the `earlier` ones hashed is still searched for; all are numbers of
    `keys`."""

    keys: tuple[WrappedKey, ...]
    present: int
    lookup: int
    earlier: tuple[int, ...] = ()

    @classmethod
    def first(cls, key: bytes, wrapping: bytes, at: datetime) -> KeyRing:
        """A ring of one new key (32 bytes)."""
        return cls((WrappedKey(1, wrap(key, wrapping), wrapping, at),), 1, 1)

    def with_new(self, key: bytes, wrapping: bytes, at: datetime) -> KeyRing:
        """One key more, which seals from now on."""
        number = max(each.number for each in self.keys) + 1
        added = WrappedKey(number, wrap(key, wrapping), wrapping, at)
        return replace(self, keys=(*self.keys, added), present=number)

    def with_new_lookup(self, key: bytes, wrapping: bytes, at: datetime) -> KeyRing:
        """One key more, which hashes from now on; what the present one hashed is found as before."""
        grown = self.with_new(key, wrapping, at)
        return replace(grown, present=self.present, lookup=grown.present, earlier=(self.lookup, *self.earlier))

    def rewrapped(self, unwrap: Callable[[WrappedKey], bytes], wrapping: bytes) -> KeyRing:
        """The same keys, each wrapped by the key `wrapping`; those that are already stay as they are."""
        return replace(self, keys=tuple(_rewrapped(key, unwrap, wrapping) for key in self.keys))

    def as_json(self) -> str:
        keys = [
            {"number": key.number, "wrapped": _text(key.wrapped), "wrapped_by": _text(key.wrapped_by),
             "made_at": key.made_at.isoformat()}
            for key in self.keys
        ]  # fmt: skip
        content: dict[str, Any] = {"version": VERSION, "present": self.present, "lookup": self.lookup}
        content |= {"earlier_lookups": list(self.earlier), "keys": keys}
        return json.dumps(content, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> KeyRing:
        """Raises DataKeysUnreadable."""
        try:
            content = json.loads(text)
            if content["version"] != VERSION:
                raise ValueError("another version")
            earlier = tuple(map(int, content.get("earlier_lookups", ())))
            keys = tuple(_key(key) for key in content["keys"])
            ring = cls(keys, int(content["present"]), int(content["lookup"]), earlier)
            if not {ring.present, ring.lookup, *earlier} <= {key.number for key in ring.keys}:
                raise ValueError("the present key is not among the keys")
        except (ValueError, KeyError, TypeError) as failure:
            raise DataKeysUnreadable(f"{type(failure).__name__}: {failure}") from failure
        return ring


def wrap(key: bytes, wrapping: bytes) -> bytes:
    """RSA-OAEP with SHA-256 under a DER public key."""
    public = load_der_public_key(wrapping)
    if not isinstance(public, RSAPublicKey):
        raise DataKeysUnreadable("the wrapping key is not RSA")
    return public.encrypt(key, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))


def _rewrapped(key: WrappedKey, unwrap: Callable[[WrappedKey], bytes], wrapping: bytes) -> WrappedKey:
    if key.wrapped_by == wrapping:
        return key
    return replace(key, wrapped=wrap(unwrap(key), wrapping), wrapped_by=wrapping)


def _key(content: dict[str, Any]) -> WrappedKey:
    wrapped, by = (base64.b64decode(content[name], validate=True) for name in ("wrapped", "wrapped_by"))
    return WrappedKey(int(content["number"]), wrapped, by, datetime.fromisoformat(content["made_at"]))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
