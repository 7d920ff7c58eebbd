"""Where the system tells of plugging and pulling: USB on Linux, PC/SC readers, and the slots of a PKCS#11 module.

Each source blocks in the system until something happens; it is run in a thread of its own and stopped from another.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from hardware.errors import OperationUnsupported, TokenError
from hardware.module_host import ModuleHost

_UEVENT_PROTOCOL = 15
_KERNEL_GROUP = 1
# How long a source may sleep before it looks whether it was stopped, and rests before it asks a lost service again.
_LOOK_UP_SECONDS, _REST_SECONDS = 1.0, 5.0
_A_DAY = 86400.0
_PLUGGED_READERS = "\\\\?PnP?\\Notification"


class EventSource(Protocol):
    """`name` is what is told of; `watch` calls `tell` at every event until `stop`, or until there are none here."""

    name: str

    def watch(self, tell: Callable[[], None]) -> None: ...
    def stop(self) -> None: ...


class UsbEvents:
    """The kernel's uevents over netlink (Linux; no permission needed). OSError where there is no netlink."""

    name = "usb"

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError("no netlink on this system")
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _UEVENT_PROTOCOL)
        self._socket.bind((0, _KERNEL_GROUP))
        self._socket.settimeout(_LOOK_UP_SECONDS)
        self._stopped = threading.Event()

    def watch(self, tell: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            try:
                message = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if b"SUBSYSTEM=usb" in message:
                tell()

    def stop(self) -> None:
        self._stopped.set()
        self._socket.close()


class ReaderEvents:
    """SCardGetStatusChange: a reader came or went, a card was put in or taken out. Outlives a restart of the service.

    macOS does not tell of new readers; there they are asked for once a second.
    """

    name = "reader"

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def watch(self, tell: Callable[[], None]) -> None:
        try:
            from smartcard import scard
        except ImportError:
            return
        while not self._stopped.is_set():
            result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
            if result == scard.SCARD_S_SUCCESS:
                self._watch_service(scard, context, tell)
                scard.SCardReleaseContext(context)
                tell()
            self._stopped.wait(_REST_SECONDS)

    def _watch_service(self, scard: Any, context: Any, tell: Callable[[], None]) -> None:
        """Until the service is gone. What is there at first is told too: nothing can slip by before the first look."""
        known: dict[str, int] = {}
        while not self._stopped.is_set():
            fresh = _reader_states(scard, context, known)
            if fresh is None:
                return
            if fresh != known:
                tell()
            elif sys.platform == "darwin":
                self._stopped.wait(_LOOK_UP_SECONDS)
            known = fresh

    def stop(self) -> None:
        self._stopped.set()


def _reader_states(scard: Any, context: Any, known: dict[str, int]) -> dict[str, int] | None:
    """Waits until a reader's state differs from `known`, or a while; None once the service is gone."""
    _, names = scard.SCardListReaders(context, [])
    asked = [(name, known.get(name, scard.SCARD_STATE_UNAWARE)) for name in names or []]
    # Without this entry a new reader would go unnoticed; its upper half is the number of readers known.
    plugged = (_PLUGGED_READERS, len(asked) << 16)
    result, states = scard.SCardGetStatusChange(context, int(_LOOK_UP_SECONDS * 1000), [*asked, plugged])
    if result == scard.SCARD_E_TIMEOUT:
        return {name: known.get(name, 0) for name, _ in asked}
    if result != scard.SCARD_S_SUCCESS:
        return None
    return {name: state & ~scard.SCARD_STATE_CHANGED for name, state, _ in states[: len(asked)]}


class SlotEvents:
    """C_WaitForSlotEvent of one module, in a host of its own. Few modules have it; OpenSC's does."""

    name = "slot"

    def __init__(self, module: str) -> None:
        self._host = ModuleHost(module, seconds=_A_DAY)
        self._stopped = threading.Event()

    def watch(self, tell: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            try:
                self._host.wait_for_slot_event()
            except OperationUnsupported:
                break
            except TokenError:
                self._stopped.wait(_REST_SECONDS)
            else:
                tell()
        self._host.close()

    def stop(self) -> None:
        self._stopped.set()
        self._host.abort()
