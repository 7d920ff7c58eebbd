"""Something was plugged in or pulled out: an event where the system gives one, a slow poll where it does not."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress

from .event_sources import EventSource, ReaderEvents, SlotEvents, UsbEvents

SLOW_POLL_SECONDS = 30.0


class Changes:
    """Iterate to wait for changes: yields all kinds ("usb", "reader", "slot") that were told since the last time, or
    "poll" alone when `poll_seconds` passed without any.

    `modules` are asked for slot events too: that is what tells of a key that is neither on a USB bus that we can
    watch (Windows, macOS) nor a PC/SC reader.
    """

    def __init__(self, *, modules: Iterable[str] = (), poll_seconds: float = SLOW_POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._sources: list[EventSource] = [ReaderEvents(), *map(SlotEvents, modules)]
        with suppress(OSError):
            self._sources.append(UsbEvents())
        for source in self._sources:
            threading.Thread(target=self._run, args=(source,), daemon=True).start()

    def _run(self, source: EventSource) -> None:
        source.watch(lambda: self._events.put(source.name))

    def __iter__(self) -> Iterator[frozenset[str]]:
        while not self._stopped.is_set():
            told = self._told()
            if not self._stopped.is_set():
                yield told

    def _told(self) -> frozenset[str]:
        """One plug is told several times, by bus, reader and slot: whoever was busy meanwhile looks once."""
        try:
            told = {self._events.get(timeout=self._poll_seconds)}
        except queue.Empty:
            return frozenset({"poll"})
        with suppress(queue.Empty):
            while True:
                told.add(self._events.get_nowait())
        return frozenset(told)

    def stop(self) -> None:
        """Ends the iteration at once."""
        self._stopped.set()
        self._events.put("")
        for source in self._sources:
            source.stop()
