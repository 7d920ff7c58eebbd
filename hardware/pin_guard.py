"""One wrong PIN is enough: what a token refused is not sent to it again, by any process of this account.

A refused PIN leaves a marker in a folder, keyed by the token's serial: a keyed, slow hash of the PIN, never the PIN.
While one process logs in, a lock on the token's file makes the others wait, so that a batch spread over processes
that all hold the same wrong PIN costs one try.

    folder/key             32 random bytes, 0600, made on first use
    folder/SERIAL.lock     locked during a login; its content is the list of markers, one a line
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_state_path

from .errors import Busy, PinFinalTry, PinIncorrect, PinLocked, PinRefusedBefore, TokenNotInitialised
from .file_lock import lock_file, unlock_file
from .ports import PinState, TokenInfo

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.02
MOST_MARKERS = 32
OFFICER = "/so"


def default_folder() -> Path:
    """Per account: every process of the account that uses a token shares it."""
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
    def officer_turn(self, serial: str, so_pin: str) -> Iterator[None]:
        """A turn to use the SO PIN, under markers of its own: a refused one is not sent again."""
        with self.turn(serial + OFFICER) as turn:
            turn.check_mark(so_pin)
            try:
                yield
            except (PinIncorrect, PinLocked):
                turn.refused(so_pin)
                raise
            turn.clear()

    def forget(self, serial: str) -> None:
        """Drops the markers: the PIN was changed or set, so what was wrong may be right now."""
        for name in (serial, serial + OFFICER):
            with self.turn(name) as turn:
                turn.clear()

    def _file(self, serial: str) -> Path:
        return self.folder / f"{hashlib.sha256(serial.encode()).hexdigest()[:32]}.lock"

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
            file.write(secrets.token_bytes(32))
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
        self.check_mark(pin)
        if info.user_pin is PinState.LAST and not final_try:
            raise PinFinalTry(token=info.serial)

    def check_mark(self, pin: str) -> None:
        """Raises PinRefusedBefore for the very PIN that was refused."""
        known = self._marks()
        if known and self.guard.mark_of(self.serial, pin) in known:
            raise PinRefusedBefore(token=self.serial.partition("/")[0])

    def refused(self, pin: str) -> None:
        """The token said no to this PIN."""
        self._write([*self._marks(), self.guard.mark_of(self.serial, pin)][-MOST_MARKERS:])

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
