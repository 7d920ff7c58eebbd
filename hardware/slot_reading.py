"""Slots and the tokens in them, read off a module."""

from __future__ import annotations

import time
from contextlib import suppress

from .cryptoki.attributes import text_of
from .cryptoki.binding import Cryptoki, CryptokiError
from .ports import TokenInfo
from .records import SlotReport
from .token_facts import token_info

_LOOK_AGAIN_SECONDS = 0.05


def slot_reports(cryptoki: Cryptoki, module: str) -> list[SlotReport]:
    """Every slot, with what stands in the way of its token where something does."""
    return [_report(cryptoki, module, slot) for slot in cryptoki.slots(token_present=False)]


def _report(cryptoki: Cryptoki, module: str, slot: int) -> SlotReport:
    description = text_of(cryptoki.slot_info(slot).description)
    try:
        if not cryptoki.token_present(slot):
            return SlotReport(slot, description)
        info = token_info(cryptoki.token_info(slot), module)
    except CryptokiError as error:
        return SlotReport(slot, description, problem=str(error))
    return SlotReport(slot, description, info.serial, info.label, info.initialised)


def slots_with_tokens(cryptoki: Cryptoki, module: str) -> list[tuple[int, TokenInfo]]:
    """The tokens that are in a slot now; a slot that does not answer is left out."""
    found = []
    for slot in cryptoki.slots():
        with suppress(CryptokiError):
            found.append((slot, token_info(cryptoki.token_info(slot), module)))
    return found


def still_there(cryptoki: Cryptoki, module: str, slot: int, serial: str, *, seconds: float = 0.0) -> bool:
    """Whether the token is in its slot, looked at again and again for `seconds`.

    A card that was pulled fails before its reader is missed. The slot is asked first: OpenSC remembers what it
    knows of a token longer than the token is there.
    """
    end = time.monotonic() + seconds
    while _is_in(cryptoki, module, slot, serial):
        if time.monotonic() >= end:
            return True
        time.sleep(_LOOK_AGAIN_SECONDS)
    return False


def _is_in(cryptoki: Cryptoki, module: str, slot: int, serial: str) -> bool:
    try:
        present = cryptoki.token_present(slot)
        return present and token_info(cryptoki.token_info(slot), module).serial == serial
    except CryptokiError:
        return False
