"""Something was plugged in or pulled out: an event where the system gives one, a slow poll where it does not.

Linux tells of USB devices on a netlink socket (no permission needed); PC/SC blocks until a reader or card changes.
"""

from __future__ import annotations

import queue
import socket
import sys
import threading
from collections.abc import Iterator

SLOW_POLL_SECONDS = 30.0
_UEVENT_PROTOCOL = 15
_UDEV_GROUP = 1
_PAUSE_MS = 1000


class Changes:
    """Iterate to wait for changes: yields "usb", "reader", or "poll" when SLOW_POLL_SECONDS passed without either."""

    def __init__(self, *, poll_seconds: float = SLOW_POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self.sources: list[str] = []
        self._socket = _uevent_socket()
        if self._socket is not None:
            self._start("usb", self._watch_usb)
        self._start("reader", self._watch_readers)

    def _start(self, name: str, work: object) -> None:
        self.sources.append(name)
        threading.Thread(target=work, daemon=True).start()  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[str]:
        while not self._stopped.is_set():
            try:
                event = self._events.get(timeout=self._poll_seconds)
            except queue.Empty:
                event = "poll"
            if event:
                yield event

    def _watch_usb(self) -> None:
        events = self._socket
        while events is not None and not self._stopped.is_set():
            try:
                message = events.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if b"SUBSYSTEM=usb" in message:
                self._events.put("usb")

    def _watch_readers(self) -> None:
        try:
            from smartcard import scard
        except ImportError:
            return
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        if result != scard.SCARD_S_SUCCESS:
            return
        known: dict[str, int] = {}
        while not self._stopped.is_set():
            _, names = scard.SCardListReaders(context, [])
            asked = [(name, known.get(name, scard.SCARD_STATE_UNAWARE)) for name in names or []]
            result, states = scard.SCardGetStatusChange(
                context, _PAUSE_MS, [*asked, ("\\\\?PnP?\\Notification", len(asked) << 16)]
            )
            if result == scard.SCARD_E_TIMEOUT:
                continue
            if result != scard.SCARD_S_SUCCESS:
                return
            fresh = {name: state & ~scard.SCARD_STATE_CHANGED for name, state, _ in states[: len(asked)]}
            if known != fresh and known.keys() | fresh.keys():
                self._events.put("reader")
            known = fresh
        scard.SCardReleaseContext(context)

    def stop(self) -> None:
        """Ends the iteration at once."""
        self._stopped.set()
        self._events.put("")
        if self._socket is not None:
            self._socket.close()


def _uevent_socket() -> socket.socket | None:
    """Kernel uevents; None where there is no netlink."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _UEVENT_PROTOCOL)
        made.bind((0, _UDEV_GROUP))
        made.settimeout(1.0)
    except OSError:
        return None
    return made
