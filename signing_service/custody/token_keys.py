"""The opened service tokens: each key found by its certificate or its CKA_ID, tokens opened when first needed."""

from __future__ import annotations

import threading
from pathlib import Path

from hardware.driver import open_token
from hardware.pin_source import read_pin_file
from hardware.ports import Token, TokenKey
from signing_service.custody.policy import CustodyPolicy, SealEntry, ServiceEntry, TokenPlace


class TokenKeys:
    """Owns the open tokens. PINs are read from their files at each log-in and not kept. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokens: dict[TokenPlace, Token] = {}
        self._keys: dict[tuple[TokenPlace, bytes], TokenKey] = {}
        self._lock = threading.Lock()

    def of_seal(self, policy: CustodyPolicy, entry: SealEntry) -> TokenKey:
        """The key whose public half is in the seal's certificate. Raises TokenError."""
        return self._key(policy.tokens[entry.token], certificate=entry.certificate)

    def of_service(self, policy: CustodyPolicy, entry: ServiceEntry) -> TokenKey:
        """By certificate where there is one, else by CKA_ID. Raises TokenError."""
        return self._key(policy.tokens[entry.token], certificate=entry.certificate, key_id=entry.key_id)

    def close(self) -> None:
        with self._lock:
            for token in self._tokens.values():
                token.close()
            self._tokens.clear()
            self._keys.clear()

    def _key(self, place: TokenPlace, *, certificate: bytes, key_id: bytes = b"") -> TokenKey:
        name = (place, certificate or key_id)
        with self._lock:
            if name not in self._keys:
                token = self._token(place)
                self._keys[name] = token.key(certificate=certificate) if certificate else token.key(id=key_id)
            return self._keys[name]

    def _token(self, place: TokenPlace) -> Token:
        if place not in self._tokens:
            pin_file = self._folder / place.pin_file
            self._tokens[place] = open_token(place.module, serial=place.serial, pin=lambda: read_pin_file(pin_file))
        return self._tokens[place]
