"""The ring of data keys of a home (HOME/data-keys.json), and the vault over it, which follows a rotation by itself."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from cert_registry.licences.data_keys import KeyRing, WrappedKey
from cert_registry.licences.errors import DataKeysUnreadable
from cert_registry.licences.holder_vault import AesHolderVault, Lookup
from signing_service.custody.ports import CustodyPort
from signing_service.kernel.blobs import write_atomically
from signing_service.settings import Settings


def ring_file(settings: Settings) -> Path:
    return settings.home / "data-keys.json"


def load_ring(settings: Settings) -> KeyRing:
    """Raises DataKeysUnreadable."""
    try:
        return KeyRing.from_json(ring_file(settings).read_bytes())
    except OSError as failure:
        raise DataKeysUnreadable(str(failure)) from failure


def save_ring(settings: Settings, ring: KeyRing) -> None:
    write_atomically(ring_file(settings), ring.as_json().encode())


def change_ring(settings: Settings, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
    """Read, change and write under a lock, so that two commands at once lose nothing."""
    with (settings.home / ".data-keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ring = change(load_ring(settings))
        save_ring(settings, ring)
    return ring


class HomeVault:
    """A `HolderVault` over the home's ring. The file is looked at before every use and read again when it was
    replaced; its keys are unwrapped by custody then. `_lock` guards `_read`."""

    def __init__(self, settings: Settings, custody: CustodyPort) -> None:
        """Raises DataKeysUnreadable, CustodyError."""
        self._path, self._settings, self._custody = ring_file(settings), settings, custody
        self._lock = Lock()
        self._read: tuple[tuple[int, int], AesHolderVault] | None = None
        self._vault()

    def seal(self, code: str, bound_to: str) -> bytes:
        return self._vault().seal(code, bound_to)

    def open(self, sealed: bytes, bound_to: str) -> str:
        return self._vault().open(sealed, bound_to)

    def lookup(self, code: str, code_type: str) -> Lookup:
        return self._vault().lookup(code, code_type)

    def lookups(self, code: str, code_type: str) -> tuple[str, ...]:
        return self._vault().lookups(code, code_type)

    def lookup_key(self) -> int:
        return self._vault().lookup_key()

    def prefix(self) -> bytes:
        return self._vault().prefix()

    def _vault(self) -> AesHolderVault:
        facts = self._path.stat()
        stamp = (facts.st_mtime_ns, facts.st_ino)
        with self._lock:
            if self._read is None or self._read[0] != stamp:
                ring = load_ring(self._settings)
                keys = {key.number: unwrap(self._custody, key) for key in ring.keys}
                vault = AesHolderVault(keys, present=ring.present, lookup=ring.lookup, earlier=ring.earlier)
                self._read = stamp, vault
            return self._read[1]


def unwrap(custody: CustodyPort, key: WrappedKey) -> bytes:
    """A data key (32 bytes), by the token's key that wrapped it."""
    return custody.unwrap_data_key(key.wrapped, public_key=key.wrapped_by)
