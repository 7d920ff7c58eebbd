"""A PKCS#11 module loaded into this process: every operation on its tokens, by serial.

The same class serves in-process (SoftHSM) and inside a module host (`host_child`). Methods take and give only
plain values and raise only `TokenError`, so that they can cross a pipe.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from .cryptoki.attributes import Template
from .cryptoki.binding import Cryptoki, CryptokiError, LibraryUnusable
from .cryptoki.codes import USER_SO, Attr, ObjectClass, Rv, TokenFlag
from .error_map import VAGUE, Doing, means_gone, named
from .errors import (
    ForkedProcess,
    KeyExists,
    KeyNotFound,
    ModuleMissing,
    ModuleUnusable,
    PinRequired,
    TokenNotFound,
    TokenRemoved,
)
from .gate import Gate
from .key_making import make_pair
from .key_templates import certificate, key_pair
from .key_use import KeyUse
from .mechanism_trial import claimed_mechanisms, working_mechanisms
from .object_reading import key_record, read_certificates, read_keys, read_pair, read_public_keys
from .ports import Mechanism, TokenInfo, VendorMechanism
from .public_keys import public_key_info
from .records import CertificateRecord, KeyRecord, SlotReport
from .session_pool import Lease, SessionPool
from .slot_reading import slot_reports, slots_with_tokens, still_there
from .token_facts import token_info

T = TypeVar("T")
INITIALISE_TRIES = 3
# How long a reader may take to be missed after its card failed.
GOING_SECONDS = 0.5


class LoadedModule:
    """One module of this process. Thread-safe. `reinitialisations` counts how often it was started anew."""

    def __init__(self, path: str) -> None:
        if not os.path.exists(path):
            raise ModuleMissing(module=path)
        self.path = path
        try:
            self._cryptoki = Cryptoki(path)
        except LibraryUnusable as error:
            raise ModuleUnusable(module=path, detail=str(error)) from error
        self._gate = Gate()
        self._pools_lock = threading.Lock()
        self._pools: dict[str, SessionPool] = {}
        self._uses: dict[str, KeyUse] = {}
        self._process = os.getpid()
        self.reinitialisations = 0
        self._initialise()

    def _initialise(self) -> None:
        """Several processes that start SoftHSM at once trip over each other's files: tried again."""
        for tries_left in reversed(range(INITIALISE_TRIES)):
            try:
                self._cryptoki.initialise()
            except CryptokiError as error:
                if error.rv not in (Rv.GENERAL_ERROR, Rv.FUNCTION_FAILED, Rv.DEVICE_ERROR) or not tries_left:
                    raise named(error, Doing.ADMINISTERING, module=self.path) from error
            else:
                return

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise ForkedProcess(module=self.path)

    def reinitialise(self) -> None:
        """C_Finalize, C_Initialize: sees new tokens, forgets every session and login of this process."""
        self._check_process()
        with self._gate.closed(), self._pools_lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()
            self._uses.clear()
            with suppress(CryptokiError):
                self._cryptoki.finalise()
            self._initialise()
            self.reinitialisations += 1

    def close(self) -> None:
        """Ends every login here. The library stays loaded: unloading a PKCS#11 module crashes too many of them."""
        with self._pools_lock:
            serials = list(self._pools)
        for serial in serials:
            self.logout(serial)

    def description(self) -> str:
        return self._cryptoki.description()

    def tokens(self) -> list[TokenInfo]:
        """The tokens that are in a slot now, uninitialised ones too."""
        return [info for _, info in self._slots_with_tokens()]

    def slots(self) -> list[SlotReport]:
        """Every slot, with what stands in the way of its token where something does."""
        self._check_process()
        with self._gate.passing(), self._naming(Doing.SEARCHING):
            return slot_reports(self._cryptoki, self.path)

    def wait_for_slot_event(self) -> int:
        """The slot in which a token came or went. Blocks: for a host that does nothing else. OperationUnsupported."""
        with self._naming(Doing.SEARCHING):
            return self._cryptoki.wait_for_slot_event()

    def _slots_with_tokens(self) -> list[tuple[int, TokenInfo]]:
        self._check_process()
        with self._gate.passing(), self._naming(Doing.SEARCHING):
            return slots_with_tokens(self._cryptoki, self.path)

    def token(self, serial: str) -> TokenInfo:
        """Fresh facts of one token (its PIN flags change). TokenNotFound."""
        for _, info in self._slots_with_tokens():
            if info.serial == serial:
                return info
        raise TokenNotFound(token=serial)

    def pin_is_set(self, serial: str) -> bool:
        """CKF_USER_PIN_INITIALIZED."""
        slot = self._pool(serial).slot
        with self._gate.passing(), self._naming(Doing.SEARCHING, serial):
            return bool(self._cryptoki.token_info(slot).flags & TokenFlag.USER_PIN_INITIALIZED)

    def mechanisms(self, serial: str) -> list[int]:
        """The mechanism numbers that the token claims."""
        slot = self._pool(serial).slot
        with self._gate.passing(), self._naming(Doing.SEARCHING, serial):
            return self._cryptoki.mechanisms(slot)

    def claimed_mechanisms(self, serial: str) -> list[str]:
        """The signature mechanisms that the token claims, by our names."""
        return claimed_mechanisms(self.mechanisms(serial))

    def try_mechanisms(self, serial: str) -> list[str] | None:
        """The signature mechanisms that work, tried with session keys; None where none can be made without a PIN."""
        return self._in_session(
            serial, Doing.WRITING, lambda lease: working_mechanisms(self._cryptoki, lease.session), write=True
        )

    # --- logging in --------------------------------------------------------------------------------------------

    def login(self, serial: str, pin: str) -> None:
        """Logs this process in as the user; does nothing if it is. PIN policy is the caller's (`pin_guard`)."""
        pool = self._pool(serial)
        with self._gate.passing(), self._naming(Doing.LOGGING_IN, serial, pool):
            pool.login(pin)

    def logout(self, serial: str) -> None:
        """Closes every session of the token here."""
        with self._pools_lock:
            pool = self._pools.pop(serial, None)
            self._uses.pop(serial, None)
        if pool is not None:
            with self._gate.passing():
                pool.close()

    def logged_in(self, serial: str) -> bool:
        with self._pools_lock:
            pool = self._pools.get(serial)
        return pool is not None and pool.logged_in

    def any_login(self) -> bool:
        """Whether re-initialising would log some token out."""
        with self._pools_lock:
            return any(pool.logged_in for pool in self._pools.values())

    def open_sessions(self, serial: str) -> int:
        with self._pools_lock:
            pool = self._pools.get(serial)
        return pool.open_sessions if pool else 0

    # --- keys and certificates ---------------------------------------------------------------------------------

    def certificates(self, serial: str) -> list[CertificateRecord]:
        return self._in_session(serial, Doing.SEARCHING, lambda lease: read_certificates(self._cryptoki, lease.session))

    def keys(self, serial: str) -> list[KeyRecord]:
        """Private keys that can be seen: without a login that is usually none."""
        return [record for record, _ in self._in_session(serial, Doing.SEARCHING, self._read_keys)]

    def public_keys(self, serial: str) -> list[KeyRecord]:
        """Public key objects, which need no login, as records."""

        def read(lease: Lease) -> list[KeyRecord]:
            found = read_public_keys(self._cryptoki, lease.session)
            return [key_record(each, public_key_info(each)) for each in found]

        return self._in_session(serial, Doing.SEARCHING, read)

    def _read_keys(self, lease: Lease) -> list[tuple[KeyRecord, int]]:
        records = read_keys(self._cryptoki, lease.session)
        lease.keys.update(records)
        return records

    def sign(
        self, serial: str, key: KeyRecord, mechanism: Mechanism | VendorMechanism, data: bytes, pin: str | None = None
    ) -> bytes:
        """Signature over the whole `data`; `pin` only for keys that want it at each signature."""
        use = self._use(serial)
        pool = self._pool(serial)
        return self._in_session(
            serial,
            Doing.USING_KEY,
            lambda lease: use.sign(lease.session, self._handle(pool, lease, key), key, mechanism, data, pin),
            mechanism=mechanism.name if isinstance(mechanism, VendorMechanism) else str(mechanism),
            key=key.label or key.id.hex(),
        )

    def unwrap(self, serial: str, key: KeyRecord, wrapped: bytes, pin: str | None = None) -> bytes:
        """RSA-OAEP (SHA-256) decryption."""
        use = self._use(serial)
        pool = self._pool(serial)
        return self._in_session(
            serial,
            Doing.USING_KEY,
            lambda lease: use.unwrap(lease.session, self._handle(pool, lease, key), wrapped, pin),
            mechanism="RSA-OAEP",
            key=key.label or key.id.hex(),
        )

    def _handle(self, pool: SessionPool, lease: Lease, key: KeyRecord) -> int:
        if key not in lease.keys:
            # One object of that id is the key: a first signature is verified. Else all are read and compared.
            wanted: Template = {Attr.CLASS: int(ObjectClass.PRIVATE_KEY), Attr.ID: key.id}
            handles = self._cryptoki.find(lease.session, wanted) if key.id and key.public else []
            if len(handles) == 1:
                lease.keys[key] = handles[0]
            else:
                self._read_keys(lease)
        if key in lease.keys:
            return lease.keys[key]
        if not self._still_there(pool):
            raise TokenRemoved(token=pool.serial)
        if not pool.logged_in:
            raise PinRequired(token=pool.serial)
        raise KeyNotFound(token=pool.serial, key=key.label or key.id.hex())

    def generate(
        self, serial: str, kind: str, label: str, id: bytes, decrypt: bool = False, so_pin: str | None = None
    ) -> KeyRecord:
        """A new key pair. KeyExists if the id is taken. PIV cards want the officer's PIN (management key) for it."""
        template = key_pair(kind, label=label, id=id, decrypt=decrypt)
        taken: Template = {Attr.CLASS: int(ObjectClass.PRIVATE_KEY), Attr.ID: id}

        def work(session: int) -> KeyRecord:
            if so_pin is None and self._cryptoki.find(session, taken):
                raise KeyExists(token=serial, key=id.hex())
            handles = make_pair(self._cryptoki, session, template)
            return read_pair(self._cryptoki, session, *handles)

        return self._write(serial, work, so_pin, mechanism=kind)

    def store_certificate(self, serial: str, der: bytes, label: str, id: bytes, so_pin: str | None = None) -> None:
        template = certificate(der, label=label, id=id)
        self._write(serial, lambda session: self._cryptoki.create_object(session, template), so_pin)

    def delete(self, serial: str, id: bytes | None, so_pin: str | None = None) -> int:
        """Destroys every key and certificate with this CKA_ID (None: every object); how many objects went."""
        wanted: Template = {} if id is None else {Attr.ID: id}

        def work(session: int) -> int:
            handles = self._cryptoki.find(session, wanted)
            for handle in handles:
                self._cryptoki.destroy_object(session, handle)
            return len(handles)

        count = self._write(serial, work, so_pin)
        self._pool(serial).drop_idle()
        return count

    def _write(self, serial: str, work: Callable[[int], T], so_pin: str | None, *, mechanism: str = "") -> T:
        if so_pin is not None:
            return self._alone(serial, work, so_pin)
        return self._in_session(
            serial, Doing.WRITING, lambda lease: work(lease.session), write=True, mechanism=mechanism
        )

    # --- care --------------------------------------------------------------------------------------------------

    def init_token(self, serial: str | None, so_pin: str, label: str) -> TokenInfo:
        """Erases the token `serial`, or takes the first empty one (None), and labels it. No user PIN yet."""
        slot = next((s for s, i in self._slots_with_tokens() if self._wanted(i, serial)), None)
        if slot is None:
            raise TokenNotFound(token=serial or "?")
        if serial:
            self.logout(serial)
        with self._gate.passing(), self._naming(Doing.LOGGING_IN, serial or label):
            self._cryptoki.init_token(slot, so_pin, label)
            return token_info(self._cryptoki.token_info(slot), self.path)

    @staticmethod
    def _wanted(info: TokenInfo, serial: str | None) -> bool:
        return info.serial == serial if serial is not None else not info.initialised

    def init_pin(self, serial: str, so_pin: str, new_pin: str) -> None:
        """Sets the user PIN as security officer; unblocks it where it was locked."""
        self._alone(serial, lambda session: self._cryptoki.init_pin(session, new_pin), so_pin)

    def set_pin(self, serial: str, old: str, new: str, officer: bool = False) -> None:
        """Changes the user's PIN, or the security officer's."""
        self._alone(serial, lambda session: self._cryptoki.set_pin(session, old, new), old if officer else None)

    def _alone(self, serial: str, work: Callable[[int], T], so_pin: str | None) -> T:
        """Runs `work` in the only session of the token here: an officer cannot log in beside read-only sessions."""
        self.logout(serial)
        pool = self._pool(serial)
        with self._gate.passing(), self._naming(Doing.LOGGING_IN, serial, pool):
            session = self._cryptoki.open_session(pool.slot, write=True)
            try:
                if so_pin is not None:
                    self._cryptoki.login(session, USER_SO, so_pin)
                return work(session)
            finally:
                with suppress(CryptokiError):
                    self._cryptoki.logout(session)
                with suppress(CryptokiError):
                    self._cryptoki.close_session(session)

    # --- inside ------------------------------------------------------------------------------------------------

    def _pool(self, serial: str) -> SessionPool:
        with self._pools_lock:
            pool = self._pools.get(serial)
        if pool is not None:
            return pool
        slots = [slot for slot, info in self._slots_with_tokens() if info.serial == serial]
        if not slots:
            raise TokenNotFound(token=serial)
        with self._pools_lock:
            return self._pools.setdefault(serial, SessionPool(self._cryptoki, slots[0], serial))

    def _use(self, serial: str) -> KeyUse:
        with self._pools_lock:
            return self._uses.setdefault(serial, KeyUse(self._cryptoki, self.path, serial))

    def _in_session(
        self,
        serial: str,
        doing: Doing,
        work: Callable[[Lease], T],
        *,
        write: bool = False,
        mechanism: str = "",
        key: str = "",
    ) -> T:
        self._check_process()
        pool = self._pool(serial)
        naming = self._naming(doing, serial, pool, mechanism=mechanism, key=key)
        with self._gate.passing(), naming, pool.lend(write=write) as lease:
            result = work(lease)
            if doing is Doing.SEARCHING and result == [] and not self._still_there(pool):
                # SoftHSM answers a search on a token that is gone with "nothing found".
                raise TokenRemoved(token=serial)
            return result

    @contextmanager
    def _naming(
        self, doing: Doing, serial: str = "", pool: SessionPool | None = None, *, mechanism: str = "", key: str = ""
    ) -> Iterator[None]:
        """Turns a CryptokiError into a named error; after "gone" the pool is dropped, so that nothing stale is used."""
        try:
            yield
        except CryptokiError as error:
            there = pool is None or self._still_there(pool, patient=error.rv in VAGUE)
            if pool is not None and means_gone(error, still_there=there):
                self._drop(serial, pool)
            raise named(
                error, doing, token=serial, module=self.path, mechanism=mechanism, key=key, still_there=there
            ) from None
        except TokenRemoved:
            if pool is not None:
                self._drop(serial, pool)
            raise

    def _still_there(self, pool: SessionPool, *, patient: bool = False) -> bool:
        seconds = GOING_SECONDS if patient else 0.0
        return still_there(self._cryptoki, self.path, pool.slot, pool.serial, seconds=seconds)

    def _drop(self, serial: str, pool: SessionPool) -> None:
        with self._pools_lock:
            if self._pools.get(serial) is pool:
                del self._pools[serial]
                self._uses.pop(serial, None)
        pool.close()
