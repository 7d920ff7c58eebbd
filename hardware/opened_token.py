"""The port's `Token` and `TokenKey` over a shared connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from .errors import AmbiguousKey, CertificateMissing, KeyNotFound, PinRequired, TokenWriteProtected
from .object_reading import certificate_key
from .pairing import certificates_of
from .ports import Mechanism, TokenInfo, TokenKey, VendorMechanism
from .public_keys import load_public_key
from .records import KeyRecord
from .token_connection import TokenConnection
from .uri import TokenUri

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


class OpenedKey:
    """A private key on an opened token (`ports.VendorTokenKey`)."""

    def __init__(self, connection: TokenConnection, record: KeyRecord, info: TokenInfo) -> None:
        self._connection, self.record, self._info = connection, record, info

    @property
    def id(self) -> bytes:
        return self.record.id

    @property
    def label(self) -> str:
        return self.record.label

    @property
    def uri(self) -> str:
        return str(TokenUri.of(self._info, label=self.record.label, id=self.record.id))

    @property
    def public_key(self) -> PublicKeyTypes:
        """KeyTypeUnsupported for SM2 and others that `cryptography` does not know."""
        return load_public_key(self.record.public)

    @property
    def public_key_info(self) -> bytes:
        return self.record.public

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        return self._sign(data, mechanism)

    def sign_raw(self, data: bytes, mechanism: VendorMechanism) -> bytes:
        return self._sign(data, mechanism)

    def _sign(self, data: bytes, mechanism: Mechanism | VendorMechanism) -> bytes:
        connection, record = self._connection, self.record
        pin = connection.pin() if record.pin_per_signature else None
        return connection.run(lambda port: port.sign(connection.serial, record, mechanism, data, pin))

    def unwrap(self, wrapped: bytes) -> bytes:
        connection, record = self._connection, self.record
        pin = connection.pin() if record.pin_per_signature else None
        return connection.run(lambda port: port.unwrap(connection.serial, record, wrapped, pin))


class OpenedToken:
    """An opened token (`ports.Token`). Thread-safe. Closing the last handle of a token logs this process out."""

    def __init__(
        self, connection: TokenConnection, *, write: bool, released: Callable[[TokenConnection], None]
    ) -> None:
        self._connection, self._write, self._released = connection, write, released
        self._first_info = connection.info()
        self._close_lock = threading.Lock()
        self._closed = False

    @property
    def info(self) -> TokenInfo:
        """Fresh: PIN flags change."""
        return self._connection.info()

    def certificates(self) -> Sequence[bytes]:
        return [record.der for record in self._connection.certificates()]

    def keys(self) -> Sequence[OpenedKey]:
        return [self._key(record) for record in self._connection.keys(fresh=True)]

    def key(self, *, label: str | None = None, id: bytes | None = None, certificate: bytes | None = None) -> OpenedKey:
        """Exactly one key. PinRequired where none is seen because nobody is logged in."""
        public = certificate_key(certificate) if certificate is not None else None
        wanted = label or (id.hex() if id else "") or "for this certificate"
        for fresh in (False, True):
            found = [record for record in self._connection.keys(fresh=fresh) if _matches(record, label, id, public)]
            if len(found) == 1:
                return self._key(found[0])
        if found:
            names = ", ".join(f"{record.label} (id {record.id.hex()})" for record in found)
            raise AmbiguousKey(token=self._first_info.serial, keys=names)
        if not self._connection.port.logged_in(self._connection.serial):
            raise PinRequired(token=self._connection.serial)
        raise KeyNotFound(token=self._connection.serial, key=wanted)

    def _key(self, record: KeyRecord) -> OpenedKey:
        return OpenedKey(self._connection, record, self._first_info)

    def certificate_for(self, key: TokenKey) -> bytes:
        record = self.key(id=key.id, label=key.label).record
        paired = certificates_of(record, self._connection.certificates())
        if not paired:
            raise CertificateMissing(token=self._connection.serial, key=key.label or key.id.hex())
        return paired[0].der

    def generate(
        self, kind: str, *, label: str, id: bytes, decrypt: bool = False, so_pin: str | None = None
    ) -> OpenedKey:
        """`decrypt` makes an RSA key that can also unwrap data keys. KeyExists if the id is taken.

        `so_pin`: for cards (PIV) that let only the officer write; it ends this process's login as user.
        """
        serial = self._writable()
        record = self._connection.write(lambda port: port.generate(serial, kind, label, id, decrypt, so_pin), so_pin)
        return self._key(record)

    def store_certificate(self, der: bytes, *, label: str, id: bytes, so_pin: str | None = None) -> None:
        serial = self._writable()
        self._connection.write(lambda port: port.store_certificate(serial, der, label, id, so_pin), so_pin)

    def delete(self, *, id: bytes, so_pin: str | None = None) -> int:
        """Destroys all keys and certificates with this CKA_ID; how many objects went."""
        serial = self._writable()
        return self._connection.write(lambda port: port.delete(serial, id, so_pin), so_pin)

    def delete_all(self) -> int:
        """Destroys every key and certificate; how many objects went."""
        serial = self._writable()
        return self._connection.write(lambda port: port.delete(serial, None), None)

    def _writable(self) -> str:
        if not self._write:
            raise TokenWriteProtected(token=self._connection.serial)
        return self._connection.serial

    @property
    def open_sessions(self) -> int:
        """Sessions that this process has open on the token, for monitoring."""
        return self._connection.port.open_sessions(self._connection.serial)

    def close(self) -> None:
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
        self._released(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _matches(record: KeyRecord, label: str | None, id: bytes | None, public: bytes | None) -> bool:
    return (
        (label is None or record.label == label)
        and (id is None or record.id == id)
        and (public is None or (public != b"" and record.public == public))
    )
