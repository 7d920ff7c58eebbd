"""States and moves of a print copy, as data. Pure.

A copy takes one of its document's quota from reservation on; voided and expired ones give it back and keep a trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from signing_service.errors import Text
from signing_service.printing.errors import CopyMoveNotAllowed

RESERVED_FOR = timedelta(minutes=15)


class CopyState(StrEnum):
    RESERVED = "reserved"
    RENDERED = "rendered"
    CONFIRMED = "confirmed"
    VOIDED = "voided"
    EXPIRED = "expired"


S = CopyState
WORDS: Mapping[CopyState, Text] = {
    S.RESERVED: Text("已预留", "reserved"),
    S.RENDERED: Text("已生成", "rendered"),
    S.CONFIRMED: Text("已打印", "printed"),
    S.VOIDED: Text("已作废", "void"),
    S.EXPIRED: Text("预留已过期", "expired"),
}
COUNTED = frozenset({S.RESERVED, S.RENDERED, S.CONFIRMED})
"""States that use up one of the quota."""
PENDING = frozenset({S.RESERVED, S.RENDERED})
"""States that expire by themselves."""


@dataclass(frozen=True, slots=True)
class Move:
    sources: frozenset[CopyState]
    target: CopyState


MOVES: Mapping[str, Move] = {
    "render": Move(frozenset({S.RESERVED}), S.RENDERED),
    "confirm": Move(frozenset({S.RENDERED}), S.CONFIRMED),
    "void": Move(frozenset({S.RESERVED, S.RENDERED, S.CONFIRMED}), S.VOIDED),
    "expire": Move(PENDING, S.EXPIRED),
}


def moved(serial: str, state: CopyState, act: str) -> CopyState:
    """The state after the act. Raises CopyMoveNotAllowed."""
    move = MOVES[act]
    if state not in move.sources:
        raise CopyMoveNotAllowed(serial, WORDS[state])
    return move.target


def lowest_free(taken: Iterable[int]) -> int:
    """The number of the next copy: a voided copy's number is given out again, its serial never."""
    used = set(taken)
    return next(number for number in range(1, len(used) + 2) if number not in used)
