"""One loaded PKCS#11 library, initialised with OS locking.

ctypes releases the GIL around every call, so C_Initialize must promise threads: CKF_OS_LOCKING_OK, always. A
module that answers CKR_CANT_LOCK is initialised single-threaded and every call to it is serialised here.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from .attributes import PackedTemplate, Template
from .codes import (
    OS_LOCKING_OK,
    SESSION_RW,
    SESSION_SERIAL,
    SLOT_TOKEN_PRESENT,
    USER_CONTEXT_SPECIFIC,
    Attr,
    Rv,
    rv_name,
)
from .structures import (
    FUNCTIONS,
    ULONG,
    Attribute,
    FunctionList,
    InitializeArguments,
    LibraryInfo,
    MechanismStruct,
    SlotInfo,
    TokenInfoStruct,
)

LARGEST_ATTRIBUTE = 1 << 20
USUAL_SIGNATURE, LARGEST_SIGNATURE = 1 << 10, 1 << 14
_UNAVAILABLE = ULONG(-1).value


class CryptokiError(Exception):
    """A call came back with something else than CKR_OK. `rv` is the number, `call` the name of the function."""

    def __init__(self, rv: int, call: str) -> None:
        super().__init__(f"{call}: {rv_name(rv)}")
        self.rv, self.call = rv, call


class LibraryUnusable(Exception):
    """The file cannot be loaded as a PKCS#11 library; the message is the system's own."""


def _nothing() -> None:
    """For a module that has no OpenSSL in it."""


@dataclass(frozen=True, slots=True)
class RawMechanism:
    """A mechanism by number, standard or vendor-defined, with its parameter as laid out in memory."""

    number: int
    parameter: bytes = b""


class Cryptoki:
    """The calls of one PKCS#11 library. Thread-safe once `initialise` has returned."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._library = ctypes.CDLL(path)
            get_list = self._library.C_GetFunctionList
        except (OSError, AttributeError) as error:
            raise LibraryUnusable(str(error)) from error
        pointer = ctypes.POINTER(FunctionList)()
        get_list.restype = ULONG
        rv = get_list(ctypes.byref(pointer))
        if rv != Rv.OK or not pointer:
            raise LibraryUnusable(f"C_GetFunctionList: {rv_name(rv)}")
        prototype = ctypes.CFUNCTYPE(ULONG)
        self._functions: dict[str, Callable[..., int]] = {
            name: prototype(address) for name in FUNCTIONS if (address := getattr(pointer.contents, name))
        }
        self._serial: AbstractContextManager[object] = nullcontext()
        # A module that shares OpenSSL with this process (SoftHSM) leaves its failures in the thread's error queue,
        # where Python's ssl would take them for its own and end a good connection.
        self._forget_failures: Callable[[], object] = getattr(self._library, "ERR_clear_error", _nothing)

    def _call(self, name: str, *arguments: object) -> None:
        rv = self._rv(name, *arguments)
        if rv != Rv.OK:
            raise CryptokiError(rv, name)

    def _rv(self, name: str, *arguments: object) -> int:
        function = self._functions.get(name)
        if function is None:
            return int(Rv.FUNCTION_NOT_SUPPORTED)
        with self._serial:
            rv = function(*arguments)
        self._forget_failures()
        return rv

    # --- library -----------------------------------------------------------------------------------------------

    def initialise(self) -> None:
        """C_Initialize with CKF_OS_LOCKING_OK; falls back to serialised calls where the module cannot lock."""
        arguments = InitializeArguments(flags=OS_LOCKING_OK)
        rv = self._rv("C_Initialize", ctypes.byref(arguments))
        if rv == Rv.CANT_LOCK:
            self._serial = threading.RLock()
            rv = self._rv("C_Initialize", None)
        if rv != Rv.OK:
            raise CryptokiError(rv, "C_Initialize")

    def finalise(self) -> None:
        self._call("C_Finalize", None)

    def description(self) -> str:
        info = LibraryInfo()
        self._call("C_GetInfo", ctypes.byref(info))
        return f"{info.description.decode('utf-8', 'replace').strip()} {info.library_version.major}." + str(
            info.library_version.minor
        )

    # --- slots and tokens --------------------------------------------------------------------------------------

    def slots(self, *, token_present: bool = True) -> list[int]:
        present = ctypes.c_ubyte(int(token_present))
        count = ULONG()
        self._call("C_GetSlotList", present, None, ctypes.byref(count))
        while True:
            # One more than asked for: a reader may appear between the two calls.
            count.value += 1
            slots = (ULONG * count.value)()
            rv = self._rv("C_GetSlotList", present, slots, ctypes.byref(count))
            if rv != Rv.BUFFER_TOO_SMALL:
                break
        if rv != Rv.OK:
            raise CryptokiError(rv, "C_GetSlotList")
        return list(slots[: count.value])

    def slot_info(self, slot: int) -> SlotInfo:
        info = SlotInfo()
        self._call("C_GetSlotInfo", ULONG(slot), ctypes.byref(info))
        return info

    def token_present(self, slot: int) -> bool:
        return bool(self.slot_info(slot).flags & SLOT_TOKEN_PRESENT)

    def wait_for_slot_event(self) -> int:
        """The slot in which a token came or went; blocks until one did."""
        slot = ULONG()
        self._call("C_WaitForSlotEvent", ULONG(0), ctypes.byref(slot), None)
        return slot.value

    def token_info(self, slot: int) -> TokenInfoStruct:
        info = TokenInfoStruct()
        self._call("C_GetTokenInfo", ULONG(slot), ctypes.byref(info))
        return info

    def mechanisms(self, slot: int) -> list[int]:
        count = ULONG()
        self._call("C_GetMechanismList", ULONG(slot), None, ctypes.byref(count))
        numbers = (ULONG * max(1, count.value))()
        self._call("C_GetMechanismList", ULONG(slot), numbers, ctypes.byref(count))
        return list(numbers[: count.value])

    # --- sessions and PINs -------------------------------------------------------------------------------------

    def open_session(self, slot: int, *, write: bool = False) -> int:
        session = ULONG()
        flags = SESSION_SERIAL | (SESSION_RW if write else 0)
        self._call("C_OpenSession", ULONG(slot), ULONG(flags), None, None, ctypes.byref(session))
        return int(session.value)

    def close_session(self, session: int) -> None:
        self._call("C_CloseSession", ULONG(session))

    def login(self, session: int, user: int, pin: str) -> None:
        with _SecretBytes(pin) as secret:
            self._call("C_Login", ULONG(session), ULONG(user), secret.pointer, ULONG(secret.length))

    def logout(self, session: int) -> None:
        self._call("C_Logout", ULONG(session))

    def init_token(self, slot: int, so_pin: str, label: str) -> None:
        padded = ctypes.create_string_buffer(label.encode()[:32].ljust(32), 32)
        with _SecretBytes(so_pin) as secret:
            self._call("C_InitToken", ULONG(slot), secret.pointer, ULONG(secret.length), padded)

    def init_pin(self, session: int, pin: str) -> None:
        with _SecretBytes(pin) as secret:
            self._call("C_InitPIN", ULONG(session), secret.pointer, ULONG(secret.length))

    def set_pin(self, session: int, old: str, new: str) -> None:
        with _SecretBytes(old) as before, _SecretBytes(new) as after:
            self._call(
                "C_SetPIN", ULONG(session), before.pointer, ULONG(before.length), after.pointer, ULONG(after.length)
            )

    # --- objects -----------------------------------------------------------------------------------------------

    def find(self, session: int, template: Template) -> list[int]:
        """Handles of all objects that match; the search is always run to its end."""
        packed = PackedTemplate(template)
        self._call("C_FindObjectsInit", ULONG(session), packed.array, ULONG(packed.count))
        found: list[int] = []
        batch, count = (ULONG * 64)(), ULONG()
        try:
            while True:
                self._call("C_FindObjects", ULONG(session), batch, ULONG(64), ctypes.byref(count))
                if not 0 < count.value <= len(batch):
                    return found
                found.extend(batch[: count.value])
        finally:
            self._rv("C_FindObjectsFinal", ULONG(session))

    def attributes(self, session: int, handle: int, names: Iterable[Attr]) -> dict[Attr, bytes]:
        """The attributes that the object has and shows, one call each: bulk answers differ too much by module."""
        values: dict[Attr, bytes] = {}
        for name in names:
            value = self._attribute(session, handle, name)
            if value is not None:
                values[name] = value
        return values

    def _attribute(self, session: int, handle: int, name: Attr) -> bytes | None:
        wanted = Attribute(type=int(name))
        rv = self._rv("C_GetAttributeValue", ULONG(session), ULONG(handle), ctypes.byref(wanted), ULONG(1))
        if rv in (Rv.ATTRIBUTE_TYPE_INVALID, Rv.ATTRIBUTE_SENSITIVE, Rv.FUNCTION_FAILED):
            return None
        if rv != Rv.OK:
            raise CryptokiError(rv, "C_GetAttributeValue")
        if wanted.length == _UNAVAILABLE or wanted.length > LARGEST_ATTRIBUTE:
            return None
        buffer = ctypes.create_string_buffer(max(1, wanted.length))
        wanted.value = ctypes.cast(buffer, ctypes.c_void_p)
        self._call("C_GetAttributeValue", ULONG(session), ULONG(handle), ctypes.byref(wanted), ULONG(1))
        return buffer.raw[: min(wanted.length, len(buffer))]

    def create_object(self, session: int, template: Template) -> int:
        packed, handle = PackedTemplate(template), ULONG()
        self._call("C_CreateObject", ULONG(session), packed.array, ULONG(packed.count), ctypes.byref(handle))
        return int(handle.value)

    def destroy_object(self, session: int, handle: int) -> None:
        self._call("C_DestroyObject", ULONG(session), ULONG(handle))

    def generate_key_pair(
        self, session: int, mechanism: RawMechanism, public: Template, private: Template
    ) -> tuple[int, int]:
        """Handles of (public key, private key)."""
        struct = _MechanismBuffer(mechanism)
        public_packed, private_packed = PackedTemplate(public), PackedTemplate(private)
        public_handle, private_handle = ULONG(), ULONG()
        self._call(
            "C_GenerateKeyPair",
            ULONG(session),
            ctypes.byref(struct.struct),
            public_packed.array,
            ULONG(public_packed.count),
            private_packed.array,
            ULONG(private_packed.count),
            ctypes.byref(public_handle),
            ctypes.byref(private_handle),
        )
        return int(public_handle.value), int(private_handle.value)

    # --- use of keys -------------------------------------------------------------------------------------------

    def sign(
        self, session: int, mechanism: RawMechanism, key: int, data: bytes, *, authenticate: str | None = None
    ) -> bytes:
        """C_SignInit, C_Sign; with `authenticate` the PIN is given between the two (CKA_ALWAYS_AUTHENTICATE)."""
        return self._one_shot("C_SignInit", "C_Sign", session, mechanism, key, data, authenticate)

    def decrypt(
        self, session: int, mechanism: RawMechanism, key: int, data: bytes, *, authenticate: str | None = None
    ) -> bytes:
        return self._one_shot("C_DecryptInit", "C_Decrypt", session, mechanism, key, data, authenticate)

    def _one_shot(
        self,
        init: str,
        run: str,
        session: int,
        mechanism: RawMechanism,
        key: int,
        data: bytes,
        authenticate: str | None,
    ) -> bytes:
        packed = _MechanismBuffer(mechanism)
        self._call(init, ULONG(session), ctypes.byref(packed.struct), ULONG(key))
        if authenticate is not None:
            self.login(session, USER_CONTEXT_SPECIFIC, authenticate)
        rv, answer = self._answer(run, session, data, USUAL_SIGNATURE)
        if rv == Rv.BUFFER_TOO_SMALL:  # the operation goes on (PKCS#11 2.40, 5.2)
            rv, answer = self._answer(run, session, data, LARGEST_SIGNATURE)
        if rv != Rv.OK:
            raise CryptokiError(rv, run)
        return answer

    def _answer(self, run: str, session: int, data: bytes, room: int) -> tuple[int, bytes]:
        buffer, length = ctypes.create_string_buffer(room), ULONG(room)
        rv = self._rv(run, ULONG(session), data, ULONG(len(data)), buffer, ctypes.byref(length))
        if rv == Rv.OK and length.value > room:
            rv = int(Rv.BUFFER_TOO_SMALL)
        return rv, buffer.raw[: length.value] if rv == Rv.OK else b""


class _MechanismBuffer:
    """A RawMechanism laid out for one call; owns the memory that the structure points into."""

    def __init__(self, mechanism: RawMechanism) -> None:
        self._parameter = ctypes.create_string_buffer(mechanism.parameter) if mechanism.parameter else None
        self.struct = MechanismStruct(
            mechanism=mechanism.number,
            parameter=ctypes.cast(self._parameter, ctypes.c_void_p) if self._parameter else None,
            length=len(mechanism.parameter),
        )


class _SecretBytes:
    """A PIN in a buffer of our own, wiped when the call is over."""

    def __init__(self, secret: str) -> None:
        encoded = secret.encode()
        self.length = len(encoded)
        self.pointer = ctypes.create_string_buffer(encoded)

    def __enter__(self) -> _SecretBytes:
        return self

    def __exit__(self, *exc: object) -> None:
        ctypes.memset(self.pointer, 0, self.length)
