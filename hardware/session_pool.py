"""Sessions of one token in one process: a login holder that stays open, and sessions lent to one thread at a time.

PKCS#11 logs in a process, not a session: the holder alone logs in, the others are opened without a PIN and share
it. A session that saw an error is closed, never lent again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from .cryptoki.binding import Cryptoki, CryptokiError
from .cryptoki.codes import USER_NORMAL, Rv
from .errors import Busy
from .records import KeyRecord

MOST_IDLE = 8
PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class Lease:
    """A session lent to one thread; `keys` caches object handles found in it."""

    session: int
    write: bool
    keys: dict[KeyRecord, int] = field(default_factory=dict)


class SessionPool:
    """All sessions of the token in `slot`. Owns its condition; every field below it is guarded by it."""

    def __init__(self, cryptoki: Cryptoki, slot: int, serial: str) -> None:
        self.cryptoki, self.slot, self.serial = cryptoki, slot, serial
        self._condition = threading.Condition()
        self._holder: int | None = None
        self._idle: list[Lease] = []
        self._lent = 0
        self._closed = False

    @property
    def logged_in(self) -> bool:
        return self._holder is not None

    @property
    def open_sessions(self) -> int:
        """Sessions open at this moment, the holder included."""
        with self._condition:
            return len(self._idle) + self._lent + (self._holder is not None)

    def login(self, pin: str) -> None:
        """Logs the process in. A refused PIN leaves no session behind. CryptokiError says why."""
        with self._condition:
            if self._holder is not None:
                return
            holder = self._open(write=False)
            try:
                self.cryptoki.login(holder, USER_NORMAL, pin)
            except CryptokiError as error:
                if error.rv != Rv.USER_ALREADY_LOGGED_IN:
                    self._close(holder)
                    raise
            self._holder = holder

    def close(self) -> None:
        """Logs out and closes everything; errors of a token that is gone are of no interest."""
        with self._condition:
            self._closed = True
            holder, self._holder = self._holder, None
            if holder is not None:
                with suppress(CryptokiError):
                    self.cryptoki.logout(holder)
                self._close(holder)
        self.drop_idle()

    def drop_idle(self) -> None:
        """Closes the sessions that nobody uses: their cached object handles may be stale."""
        with self._condition:
            while self._idle:
                self._close(self._idle.pop().session)

    @contextmanager
    def lend(self, *, write: bool = False) -> Iterator[Lease]:
        """A session for this thread. Busy if none becomes free within PATIENCE_SECONDS."""
        lease = self._take(write)
        try:
            yield lease
        except BaseException:
            self._give_back(lease, keep=False)
            raise
        self._give_back(lease, keep=not write)

    def _take(self, write: bool) -> Lease:
        with self._condition:
            for index, lease in enumerate(self._idle):
                if lease.write == write:
                    self._lent += 1
                    return self._idle.pop(index)
            session = self._open_or_wait(write)
            self._lent += 1
            return session

    def _open_or_wait(self, write: bool) -> Lease:
        """Where the token's own cap is reached, waits for a session that another thread gives back."""
        while True:
            try:
                return Lease(self._open(write=write), write)
            except CryptokiError as error:
                if error.rv != Rv.SESSION_COUNT:
                    raise
                refused = error
            if self._idle:
                self._close(self._idle.pop().session)
            elif not self._lent or not self._condition.wait(PATIENCE_SECONDS):
                raise Busy(token=self.serial, detail=str(refused)) from refused
            if not write and self._idle:
                return self._idle.pop()

    def _give_back(self, lease: Lease, *, keep: bool) -> None:
        with self._condition:
            self._lent -= 1
            if keep and not self._closed and len(self._idle) < MOST_IDLE:
                self._idle.append(lease)
            else:
                self._close(lease.session)
            self._condition.notify()

    def _open(self, *, write: bool) -> int:
        return self.cryptoki.open_session(self.slot, write=write)

    def _close(self, session: int) -> None:
        with suppress(CryptokiError):
            self.cryptoki.close_session(session)
