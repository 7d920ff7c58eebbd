"""A gate that many calls pass at once, and that one re-initialisation may close for itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType


class Gate:
    """Readers-writer lock. A waiting closer goes first, so that a stream of calls cannot keep it out."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._passing = 0
        self._closed = False
        self._way_through = _WayThrough(self)

    def passing(self) -> AbstractContextManager[None]:
        """Many threads may be inside. Not re-entrant."""
        return self._way_through

    def enter(self) -> None:
        with self._condition:
            if self._closed:
                self._condition.wait_for(lambda: not self._closed)
            self._passing += 1

    def leave(self) -> None:
        with self._condition:
            self._passing -= 1
            if self._closed:
                self._condition.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """One thread alone is inside."""
        with self._condition:
            self._condition.wait_for(lambda: not self._closed)
            self._closed = True
            self._condition.wait_for(lambda: self._passing == 0)
        try:
            yield
        finally:
            with self._condition:
                self._closed = False
                self._condition.notify_all()


class _WayThrough(AbstractContextManager[None]):
    """One object for all calls: every signature passes here, so it is not a generator."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __enter__(self) -> None:
        self._gate.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.leave()
