"""One wrong PIN is enough: what a token refused is not sent to it again, by any process of this account.

A refused PIN leaves a marker in a folder, keyed by the token's serial: a keyed, slow hash of the PIN, never the PIN.
While one process logs in, a lock on the token's file makes the others wait, so that a batch spread over processes
that all hold the same wrong PIN costs one try.

    folder/key             32 random bytes, 0600, made on first use
    folder/SERIAL.lock     locked during a login; its content is the list of markers, one a line, and the word
                           "locked" where the token said so without a flag that shows it (a TPM)
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from .errors import (
    Busy,
    NamedTokenError,
    PinFinalTry,
    PinIncorrect,
    PinLocked,
    PinRefusedBefore,
    SoPinFinalTry,
    SoPinIncorrect,
    SoPinLocked,
    SoPinRefusedBefore,
    TokenNotInitialised,
    TpmLocked,
)
from .file_lock import lock_file, unlock_file
from .ports import PinState, TokenInfo

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.02
MOST_MARKERS = 32
OFFICER = "/so"
LOCKED = "locked"


def default_folder() -> Path:
    """Per account: every process of the account that uses a token shares it."""
    if sys.platform == "linux":  # as platformdirs has it, which takes longer to load than a login takes
        state = os.environ.get("XDG_STATE_HOME", "").strip() or "~/.local/state"
        return Path(state).expanduser() / "zhengyin" / "pin-guard"
    from platformdirs import user_state_path

    return user_state_path("zhengyin", appauthor=False) / "pin-guard"


@dataclass(frozen=True, slots=True)
class PinGuard:
    """The markers in `folder`."""

    folder: Path

    @contextmanager
    def turn(self, serial: str) -> Iterator[Turn]:
        """This process's turn to log in to the token; the others wait. Busy after PATIENCE_SECONDS."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._file(serial), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            self._wait_for_lock(file, serial)
            try:
                yield Turn(self, file, serial)
            finally:
                unlock_file(file)

    @contextmanager
    def officer_turn(
        self, serial: str, so_pin: str, *, state: PinState = PinState.NORMAL, final_try: bool = False
    ) -> Iterator[None]:
        """A turn to use the SO PIN (PUK), whose state is `state`, under markers of its own.

        SoPinLocked, SoPinRefusedBefore or SoPinFinalTry before anything is sent; SoPinIncorrect or SoPinLocked after.
        """
        if state is PinState.LOCKED:
            raise SoPinLocked(token=serial)
        with self.turn(serial + OFFICER) as turn:
            if turn.is_marked(so_pin):
                raise SoPinRefusedBefore(token=serial)
            if state is PinState.LAST and not final_try:
                raise SoPinFinalTry(token=serial)
            try:
                yield
            except (PinIncorrect, PinLocked) as error:
                turn.refused(so_pin)
                kind = SoPinIncorrect if isinstance(error, PinIncorrect) else SoPinLocked
                raise kind(token=serial, detail=error.why.en.strip("()") if error.why else "") from error
            turn.clear()

    def shown(self, info: TokenInfo) -> TokenInfo:
        """`info` with the lock that its flags do not show: a TPM has none, and its lock is remembered here."""
        if info.user_pin is PinState.LOCKED:
            return info
        try:
            with open(self._file(info.serial), encoding="ascii") as file:
                marks = file.read().split()
        except FileNotFoundError:
            return info
        return replace(info, user_pin=PinState.LOCKED) if LOCKED in marks else info

    def forget(self, serial: str) -> None:
        """Drops the markers: the PIN was changed or set, so what was wrong may be right now."""
        for name in (serial, serial + OFFICER):
            with self.turn(name) as turn:
                turn.clear()

    def _file(self, serial: str) -> str:
        """A string, for the reason that `module_paths.find_module` gives."""
        return os.path.join(self.folder, f"{hashlib.sha256(serial.encode()).hexdigest()[:32]}.lock")

    def _wait_for_lock(self, file: BinaryIO, serial: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not lock_file(file):
            if time.monotonic() > deadline:
                raise Busy(token=serial, detail="another process is logging in")
            time.sleep(_PAUSE_SECONDS)

    def mark_of(self, serial: str, pin: str) -> str:
        """Keyed and slow, so that the folder alone does not give a PIN away cheaply."""
        salt = hashlib.sha256(self._key() + serial.encode()).digest()
        return hashlib.scrypt(pin.encode(), salt=salt, n=1 << 13, r=8, p=1, dklen=16).hex()

    def _key(self) -> bytes:
        path = self.folder / "key"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes()
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(32))
        return path.read_bytes()


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn to log in, while the token's file is locked."""

    guard: PinGuard
    file: BinaryIO
    serial: str

    def check(self, info: TokenInfo, pin: str, *, final_try: bool = False) -> None:
        """Raises before anything is sent: PinLocked, PinRefusedBefore, PinFinalTry without consent."""
        if not info.initialised:
            raise TokenNotInitialised(token=info.label or info.serial)
        if info.user_pin is PinState.LOCKED:
            raise PinLocked(token=info.serial)
        if LOCKED in self._marks():
            raise TpmLocked(token=info.serial)
        if self.is_marked(pin):
            raise PinRefusedBefore(token=info.serial)
        if info.user_pin is PinState.LAST and not final_try:
            raise PinFinalTry(token=info.serial)

    def is_marked(self, pin: str) -> bool:
        """Whether the token refused this very PIN before."""
        known = self._marks()
        return bool(known) and self.guard.mark_of(self.serial, pin) in known

    def refused(self, pin: str, error: NamedTokenError | None = None) -> None:
        """The token said no to this PIN. Of a TPM's `error` that it is locked the lock is kept too, not the PIN:
        a locked TPM refuses the right one as well."""
        mark = LOCKED if isinstance(error, TpmLocked) else self.guard.mark_of(self.serial, pin)
        self._write([*self._marks(), mark][-MOST_MARKERS:])

    def clear(self) -> None:
        """The token took a PIN, or has a new one."""
        if self._marks():
            self._write([])

    def _marks(self) -> list[str]:
        self.file.seek(0)
        return self.file.read().decode("ascii", "replace").split()

    def _write(self, marks: list[str]) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.file.write("".join(f"{mark}\n" for mark in marks).encode("ascii"))
        os.fsync(self.file.fileno())
