"""Card readers over PC/SC, CCID keys among them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reader:
    """`card` says whether a card answers in it; a USB key's card is always in."""

    name: str
    card: bool


@dataclass(frozen=True, slots=True)
class ReaderScan:
    """`available` is False where no PC/SC service runs; `reason` then says why."""

    readers: tuple[Reader, ...]
    available: bool = True
    reason: str = ""


def scan_readers() -> ReaderScan:
    """The readers that the PC/SC service has; no card is connected to."""
    try:
        from smartcard import scard
    except ImportError as error:
        return ReaderScan((), available=False, reason=str(error))
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result != scard.SCARD_S_SUCCESS:
        return ReaderScan((), available=False, reason=scard.SCardGetErrorMessage(result))
    try:
        result, names = scard.SCardListReaders(context, [])
        if result != scard.SCARD_S_SUCCESS or not names:
            return ReaderScan(())
        asked = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        _, states = scard.SCardGetStatusChange(context, 0, asked)
        return ReaderScan(tuple(Reader(name, bool(state & scard.SCARD_STATE_PRESENT)) for name, state, _ in states))
    finally:
        scard.SCardReleaseContext(context)


def same_reader(slot: str, reader: str) -> bool:
    """Whether a slot stands for a reader: descriptions are cut at 64 bytes, and some modules drop the numbers at the
    end of a reader's name."""
    bare = re.sub(r"( \d\d){1,2}$", "", reader)
    return bool(slot) and (slot == reader[:64].strip() or slot.startswith(bare[:50]))
