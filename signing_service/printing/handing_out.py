"""One copy handed out as a file: reserve -> render -> confirm, and void with the reason when rendering fails.

What is handed out counts as printed: nobody can see what an unmanaged PC does with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from signing_service.errors import ExplainedError
from signing_service.printing.ledger import PrintLedger, ReservedCopy


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """A sealed file, the name under which the ledger counts its copies, and its type for the paper code."""

    subject: str
    type: str
    content: bytes


MakeCopy = Callable[[SealedDocument, ReservedCopy], bytes]
"""The copy's PDF with its label and paper code; may ask custody for the code's signature."""


@dataclass(frozen=True, slots=True)
class HandedOut:
    copy: ReservedCopy
    content: bytes


def hand_out(
    ledger: PrintLedger, sealed: SealedDocument, make: MakeCopy, by: str, *, purpose: str = "", channel: str = "home"
) -> HandedOut:
    """The finished copy. Raises QuotaUnset, QuotaUsedUp, and what `make` raises after voiding the copy."""
    copy = ledger.reserve(sealed.subject, by, purpose=purpose, channel=channel)
    content = rendered(ledger, sealed, make, copy, by)
    ledger.rendered(copy.serial, by, hashlib.sha256(content).hexdigest())
    ledger.confirm(copy.serial, by)
    return HandedOut(copy, content)


def rendered(ledger: PrintLedger, sealed: SealedDocument, make: MakeCopy, copy: ReservedCopy, by: str) -> bytes:
    """The reserved copy's file; a failure voids the copy under its own name, so that nothing is lost silently."""
    try:
        return make(sealed, copy)
    except ExplainedError as failure:
        ledger.void(copy.serial, by, f"生成失败:{failure.code}")
        raise
