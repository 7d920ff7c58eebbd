"""Opening tokens: by module and serial, or by URI. Several opens of one token share one login.

A process has one `Driver`; the functions below use it. Opening again while the token is open costs no login.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .errors import AmbiguousToken, TokenError, TokenNotFound
from .module_paths import runs_in_process
from .module_port import SECONDS, ModulePort
from .modules import Modules, canonical
from .opened_token import OpenedToken
from .pin_guard import PinGuard, default_folder
from .pin_source import read_pin_file
from .ports import TokenInfo
from .token_connection import PinSource, TokenConnection
from .uri import TokenUri


class Driver:
    """All opened tokens of this process.

    `_lock` is held while a token is opened or let go, and guards the count of handles. `_table` guards
    `_connections` alone and is never held during a call: a recovering connection reads it under its own lock.
    """

    def __init__(self, guard: PinGuard | None = None, *, call_seconds: float = SECONDS) -> None:
        self.modules = Modules(call_seconds=call_seconds)
        self._guard = guard
        self._lock = threading.RLock()
        self._table = threading.Lock()
        self._connections: dict[tuple[str, str], TokenConnection] = {}
        self._handles: dict[tuple[str, str], int] = {}

    def open(
        self,
        module: str,
        *,
        serial: str,
        pin: str | PinSource | None = None,
        write: bool = False,
        keep_pin: bool = False,
        final_try: bool = False,
        seen: bool = False,
    ) -> OpenedToken:
        """See `open_token`. `seen`: the module's tokens were listed this moment, so it need not look for them anew."""
        key = (canonical(module), serial)
        source = _source(pin, keep_pin=keep_pin)
        with self._lock:
            connection = self._connections.get(key) or self._connect(*key, seen=seen)
            self._handles[key] = self._handles.get(key, 0) + 1
        try:
            if pin is not None:
                connection.run(lambda port: port.token(serial))
                connection.login(pin, source=source, final_try=final_try)
            return OpenedToken(connection, write=write, released=self._release)
        except BaseException:
            self._release(connection)
            raise

    def _connect(self, module: str, serial: str, *, seen: bool) -> TokenConnection:
        seen = seen or self.modules.loaded(module) is None
        port = self.modules.port(module)
        connection = TokenConnection(port, serial, self._guard or PinGuard(default_folder()), self._refresh)
        if not seen and runs_in_process(module) and not port.any_login():
            # SoftHSM reads tokens and PINs once, at its start: what other processes changed since is not seen.
            port.reinitialise()
        try:
            port.token(serial)
        except TokenNotFound:
            connection.port = self._refresh(connection)
            connection.port.token(serial)
        with self._table:
            self._connections[module, serial] = connection
        return connection

    def _release(self, connection: TokenConnection) -> None:
        with self._lock:
            key = next((key for key, each in self._connections.items() if each is connection), None)
            if key is None:
                return
            self._handles[key] -= 1
            if self._handles[key]:
                return
            self._drop(key)
            with suppress(TokenError):  # nothing to log out of where the token or its host is gone
                connection.logout()
            if connection.port is not self.modules.loaded(key[0]):
                connection.port.close()

    def _drop(self, key: tuple[str, str]) -> None:
        del self._handles[key]
        with self._table:
            del self._connections[key]

    def _refresh(self, connection: TokenConnection) -> ModulePort:
        """A port that sees the tokens as they are now.

        The module is started anew; where that would end a login that cannot be made again, the token is served
        from a host process instead.
        """
        port = connection.port
        with self._table:
            others = [each for each in self._connections.values() if each is not connection and each.port is port]
        if any(each.needs_pin_if_lost for each in others):
            return self.modules.fresh(port.path)
        port.reinitialise()
        return port

    def tokens(self, module: str) -> list[TokenInfo]:
        """See `list_tokens`."""
        with self._lock:
            just_loaded = self.modules.loaded(module) is None
            port = self.modules.port(module)
            if not port.any_login():
                if not just_loaded:
                    port.reinitialise()
                found = port.tokens()
            else:
                fresh = self.modules.fresh(port.path)
                found = fresh.tokens()
                fresh.close()
        guard = self._guard or PinGuard(default_folder())
        return [guard.shown(info) for info in found if info.serial or info.initialised]

    def forget(self, module: str) -> None:
        """Closes everything of a module and starts it anew, so that it reads its configuration again."""
        with self._lock:
            port = self.modules.loaded(module)
            if port is None:
                return
            for key in [key for key in self._connections if key[0] == port.path]:
                self._drop(key)
            port.reinitialise()


def _source(pin: str | PinSource | None, *, keep_pin: bool) -> PinSource | None:
    if callable(pin):
        return pin
    return (lambda: pin) if keep_pin and pin is not None else None


_drivers: dict[int, Driver] = {}
_drivers_lock = threading.Lock()


def process_driver() -> Driver:
    """The driver of this process, made at first use; a forked child gets its own (and ForkedProcess from modules)."""
    with _drivers_lock:
        return _drivers.setdefault(os.getpid(), Driver())


def open_token(
    module: str,
    *,
    serial: str,
    pin: str | PinSource | None = None,
    write: bool = False,
    keep_pin: bool = False,
    final_try: bool = False,
) -> OpenedToken:
    """The token with this serial, logged in if a PIN is given.

    `module` is a path or file name. `pin` may be a function that gives the PIN when it is needed (for services: one
    that reads an owner-only file); then, and with `keep_pin`, the token logs itself in again after it was pulled.
    Otherwise no reference to the PIN is kept and the next call raises PinRequired. `final_try` consents to using
    the last try. Raises TokenNotFound, PinIncorrect, PinLocked, PinFinalTry, PinRefusedBefore, ModuleMissing, ….
    """
    return process_driver().open(module, serial=serial, pin=pin, write=write, keep_pin=keep_pin, final_try=final_try)


def list_tokens(module: str) -> list[TokenInfo]:
    """The tokens that the module sees now, those included that were made or plugged in since it was loaded."""
    return process_driver().tokens(module)


def find_token(uri: TokenUri, infos: Sequence[TokenInfo]) -> TokenInfo:
    """Exactly one; TokenNotFound, or AmbiguousToken with all serials. Never "the first"."""
    found = [info for info in infos if info.initialised and uri.matches(info)]
    if not found:
        raise TokenNotFound(token=str(uri))
    if len(found) > 1:
        raise AmbiguousToken(serials=", ".join(info.serial for info in found))
    return found[0]


def open_uri(
    uri: str | TokenUri, *, module: str | None = None, pin: str | PinSource | None = None, write: bool = False
) -> OpenedToken:
    """The one token that a URI names. The module is its `module-path` or `module`, the PIN its `pin-source` file."""
    parsed = uri if isinstance(uri, TokenUri) else TokenUri.parse(uri)
    path = parsed.module_path or parsed.module_name or module
    if path is None:
        raise TokenNotFound(token=str(parsed), detail="no module-path in the URI")
    info = find_token(parsed, list_tokens(path))
    source = parsed.pin_source
    if pin is None and source is not None:
        pin = lambda: read_pin_file(Path(source.removeprefix("file:")))  # noqa: E731
    return process_driver().open(path, serial=info.serial, pin=pin, write=write, seen=True)
