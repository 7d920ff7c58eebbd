"""A lock on an open file that other processes respect: flock on POSIX, msvcrt on Windows."""

from __future__ import annotations

import sys
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    # Bytes far past the end: locking them does not hinder reading and writing the content.
    _OFFSET = 1 << 30

    def lock_file(file: BinaryIO) -> bool:
        """True if the lock was had at once."""
        file.seek(_OFFSET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock_file(file: BinaryIO) -> None:
        file.seek(_OFFSET)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def lock_file(file: BinaryIO) -> bool:
        """True if the lock was had at once."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock_file(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
