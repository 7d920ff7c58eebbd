"""One token of this process, shared by all that opened it: its login, and its way back after it was pulled.

Every handle is disposable: after a removal the token is looked for again by serial, logged in once, and the call
made once more; a call that failed has output nothing. Without a kept PIN the caller gets PinRequired instead.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from .core_dumps import forbid_core_dumps
from .errors import ModuleFault, PinIncorrect, PinLocked, PinRequired, TokenGone, TokenNotFound, TokenRemoved
from .module_port import ModulePort
from .pin_guard import PinGuard
from .pin_source import clean_pin
from .ports import TokenInfo
from .records import CertificateRecord, KeyRecord

T = TypeVar("T")
# After these the token is looked for again. A module whose own backend died answers nothing until it is started anew.
LOST = (TokenGone, PinRequired, ModuleFault)
PinSource = Callable[[], str]
_PROCESS_KEY = os.urandom(32)


class TokenConnection:
    """Shared state of one token. `_lock` guards logging in and recovery; calls to the token run outside it."""

    def __init__(
        self, port: ModulePort, serial: str, guard: PinGuard, refresh: Callable[[TokenConnection], ModulePort]
    ) -> None:
        self.port, self.serial = port, serial
        self._guard, self._refresh = guard, refresh
        self._lock = threading.RLock()
        self._pin_source: PinSource | None = None
        self._accepted: bytes | None = None
        self._keys: list[KeyRecord] | None = None

    # --- logging in --------------------------------------------------------------------------------------------

    @property
    def needs_pin_if_lost(self) -> bool:
        """Logged in, and unable to do so again by itself: nothing may re-initialise the module under it."""
        return self._accepted is not None and self._pin_source is None

    def login(self, pin: str | PinSource, *, source: PinSource | None, final_try: bool) -> None:
        """Logs in unless this process is. A PIN that differs from the accepted one is refused without a try."""
        pin = pin if callable(pin) else clean_pin(pin)
        with self._lock:
            if self._accepted is not None and self.port.logged_in(self.serial):
                if not hmac.compare_digest(self._accepted, _fingerprint(_given(pin))):
                    raise PinIncorrect(token=self.serial, detail="differs from the PIN of this process's login")
            else:
                self._send(pin, final_try=final_try)
            self._pin_source = source or self._pin_source

    def _send(self, source: str | PinSource, *, final_try: bool = False) -> None:
        """A source is asked within the turn: whoever changes the PIN replaces the file before giving the turn away. A
        token that is not there is told before anybody is asked for its PIN."""
        forbid_core_dumps()
        with self._guard.turn(self.serial) as turn:
            token = self.port.token(self.serial)
            pin = _given(source)
            turn.check(token, pin, final_try=final_try)
            try:
                self.port.login(self.serial, pin)
            except (PinIncorrect, PinLocked) as error:
                self._pin_source, self._accepted = None, None
                turn.refused(pin, error)
                raise
            turn.clear()
        self._accepted = _fingerprint(pin)

    def logout(self) -> None:
        """Ends this process's login and forgets the PIN source."""
        with self._lock:
            self._pin_source, self._accepted, self._keys = None, None, None
            self.port.logout(self.serial)

    def write(self, operation: Callable[[ModulePort], T], so_pin: str | None) -> T:
        """`run`, under the guard of the SO PIN where one is used."""
        self._keys = None
        if so_pin is None:
            return self.run(operation)
        with self._guard.officer_turn(self.serial, so_pin):
            return self.run(operation)

    def pin(self) -> str | None:
        """The PIN from the kept source, for keys that want it at each signature."""
        return self._pin_source() if self._pin_source is not None else None

    # --- calls with a way back ---------------------------------------------------------------------------------

    def run(self, operation: Callable[[ModulePort], T]) -> T:
        """`operation`, again after the token came back: first in new sessions, then with the module started anew."""
        port = self.port
        try:
            return operation(port)
        except LOST as error:
            self._require_way_back(error)
        try:
            self._recover(port, anew=False)
            return operation(self.port)
        except LOST as error:
            self._require_way_back(error)
        try:
            self._recover(self.port, anew=True)
            return operation(self.port)
        except TokenNotFound as error:
            raise TokenRemoved(token=self.serial) from error

    def _require_way_back(self, error: Exception) -> None:
        if isinstance(error, PinRequired) and self._pin_source is None:
            raise error

    def _recover(self, seen: ModulePort, *, anew: bool) -> None:
        with self._lock:
            self._keys = None
            if anew and self.port is seen:
                self.port = self._refresh(self)
            if not self.port.logged_in(self.serial):
                self._accepted = None
                if self._pin_source is not None:
                    self._send(self._pin_source)

    # --- what the token holds ----------------------------------------------------------------------------------

    def info(self) -> TokenInfo:
        return self._guard.shown(self.run(lambda port: port.token(self.serial)))

    def keys(self, *, fresh: bool = False) -> list[KeyRecord]:
        """Private keys; read once and kept until something is written here or the token goes."""
        known = self._keys
        if known is None or fresh:
            known = self._keys = self.run(self._private_keys) or None
        return known or []

    def _private_keys(self, port: ModulePort) -> list[KeyRecord]:
        """A login that was lost would show as a token without keys: it is an error, which `run` mends or tells."""
        if self._accepted is not None and not port.logged_in(self.serial):
            raise PinRequired(token=self.serial)
        return port.keys(self.serial)

    def certificates(self) -> list[CertificateRecord]:
        return self.run(lambda port: port.certificates(self.serial))


def _given(source: str | PinSource) -> str:
    return clean_pin(source() if callable(source) else source)


def _fingerprint(pin: str) -> bytes:
    """Good only in this process: compares a PIN with the accepted one without keeping it."""
    return hashlib.blake2b(pin.encode(), key=_PROCESS_KEY).digest()
