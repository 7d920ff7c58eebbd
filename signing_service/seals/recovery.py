"""What a crash left in the book of uses: found by the worker, ended, and nothing of it ever leaves.

A use is stale when no sealing can still be on its way: custody and the TSA are given up after a minute each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from signing_service.errors import ExplainedError
from signing_service.pki.rules import SYSTEM, Actor
from signing_service.seals.use_book import UseBook, UseState, UseStepNotAllowed

_LOG = logging.getLogger(__name__)
STALE = timedelta(minutes=15)
RECOVERY = Actor("seal-recovery", frozenset({SYSTEM}))
WasSigned = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many uses ended how. `left`: custody could not say; the next run asks again."""

    voided: int = 0
    withheld: int = 0
    left: int = 0


def recover_uses(book: UseBook, was_signed: WasSigned, now: datetime) -> Recovered:
    """End every stale use. `was_signed(seal id, hex digest)` asks custody whether the key signed. Idempotent."""
    ended = [_resolve(book, use.id, was_signed, use.seal_id, use.digest) for use in book.open_uses(now - STALE)]
    counts = {state: ended.count(state) for state in (UseState.VOIDED, UseState.WITHHELD, None)}
    return Recovered(counts[UseState.VOIDED], counts[UseState.WITHHELD], counts[None])


def _resolve(book: UseBook, number: int, was_signed: WasSigned, seal_id: str, digest: str) -> UseState | None:
    try:
        return book.resolve(number, signed=was_signed(seal_id, digest), actor=RECOVERY)
    except UseStepNotAllowed:
        return UseState.RELEASED  # it ended by itself meanwhile
    except ExplainedError as trouble:
        _LOG.warning("use %s of seal %s stays open: %s", number, seal_id, trouble.code)
        return None
