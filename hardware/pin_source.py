"""Where a PIN comes from: an owner-only file, a file descriptor, never argv or the environment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .errors import PinFileMissing, PinFileUnsafe, PinInvalid

LONGEST_PIN = 255


def clean_pin(text: str) -> str:
    """The PIN without its line end. PinInvalid if it is empty, too long or has control characters inside."""
    pin = text.rstrip("\r\n")
    if not pin or len(pin.encode()) > LONGEST_PIN or any(ord(character) < 32 for character in pin):
        raise PinInvalid
    return pin


def read_pin_file(path: Path) -> str:
    """The PIN in `path`. PinFileUnsafe unless the file is regular, ours and closed to group and others (0600)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise PinFileMissing(path=str(path), detail=error.strerror or "") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or not _owner_only(facts):
            raise PinFileUnsafe(path=str(path), detail=f"mode {stat.S_IMODE(facts.st_mode):04o}, owner {facts.st_uid}")
        return clean_pin(file.read(LONGEST_PIN + 2).decode("utf-8", "strict"))


def _owner_only(facts: os.stat_result) -> bool:
    if not hasattr(os, "getuid"):
        return True
    return facts.st_uid == os.getuid() and not facts.st_mode & 0o077


def write_pin_file(path: Path, pin: str) -> None:
    """Creates `path` with mode 0600 and the PIN in it; FileExistsError if it is there already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(clean_pin(pin) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_pin_descriptor(descriptor: int) -> str:
    """One line from an open file descriptor, which is left open."""
    collected = bytearray()
    while len(collected) <= LONGEST_PIN and not collected.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            break
        collected += byte
    return clean_pin(collected.decode("utf-8", "strict"))
