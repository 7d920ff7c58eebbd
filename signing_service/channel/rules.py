"""States and moves of signature jobs, as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from signing_service.channel.errors import JobMoved
from signing_service.errors import Text


class JobState(StrEnum):
    PREPARED = "prepared"
    SHOWN = "shown"
    LEASED = "leased"
    SIGNED = "signed"
    COMPLETED = "completed"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


S = JobState
JOB_WORDS: Mapping[JobState, Text] = {
    S.PREPARED: Text("待签", "to be signed"),
    S.SHOWN: Text("已显示", "shown"),
    S.LEASED: Text("签名中", "being signed"),
    S.SIGNED: Text("已签,正在写入", "signed, being written"),
    S.COMPLETED: Text("已完成", "completed"),
    S.REFUSED: Text("未签", "not signed"),
    S.EXPIRED: Text("已超时", "expired"),
    S.CANCELLED: Text("已取消", "cancelled"),
}
OPEN = frozenset({S.PREPARED, S.SHOWN, S.LEASED})
ENDED = frozenset({S.COMPLETED, S.REFUSED, S.EXPIRED, S.CANCELLED})

MOVES: Mapping[str, tuple[frozenset[JobState], JobState]] = {
    "show": (frozenset({S.PREPARED, S.SHOWN, S.LEASED}), S.SHOWN),
    "lease": (frozenset({S.SHOWN, S.LEASED}), S.LEASED),
    "sign": (frozenset({S.LEASED}), S.SIGNED),
    "complete": (frozenset({S.SIGNED}), S.COMPLETED),
    "refuse": (frozenset({S.PREPARED, S.SHOWN, S.LEASED, S.SIGNED}), S.REFUSED),
    "expire": (OPEN, S.EXPIRED),
    "cancel": (frozenset({S.PREPARED, S.SHOWN, S.LEASED}), S.CANCELLED),
}


def moved(state: JobState, move: str) -> JobState:
    """The state after the move. Raises JobMoved."""
    sources, target = MOVES[move]
    if state not in sources:
        words = JOB_WORDS[state]
        raise JobMoved(f"当前状态:{words.zh}。", f"It is now {words.en}.")
    return target
