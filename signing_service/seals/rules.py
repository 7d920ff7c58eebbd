"""The seal's states and moves, as data, and who may make which move (国办发〔2025〕33号 art. 12-18). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from signing_service.people.rules import Role
from signing_service.pki.rules import SYSTEM, Actor
from signing_service.seals.errors import SealError, Text


class Kind(StrEnum):
    STATUTORY = "statutory"
    SPECIAL = "special"
    PERSONAL = "personal"
    SIMULATION = "simulation"
    STRADDLE = "straddle"


KIND_NAMES: Mapping[Kind, Text] = {
    Kind.STATUTORY: Text("法定名称章", "statutory-name seal"),
    Kind.SPECIAL: Text("业务专用章", "special-purpose seal"),
    Kind.PERSONAL: Text("个人名章", "personal-name seal"),
    Kind.SIMULATION: Text("模拟审批章", "simulation seal"),
    Kind.STRADDLE: Text("骑缝章", "straddle seal"),
}
KIND_NUMBERS: Mapping[Kind, int] = {
    Kind.STATUTORY: 1, Kind.SPECIAL: 2, Kind.PERSONAL: 3, Kind.SIMULATION: 90, Kind.STRADDLE: 91,
}  # fmt: skip
"""SES_ESPropertyInfo.type; the standard leaves the numbers to the maker."""
SIMULATION_MARK = "模拟"


class State(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    MADE = "made"
    FILED = "filed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    VOID = "void"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


STATE_NAMES: Mapping[State, Text] = {
    State.REQUESTED: Text("已申请", "requested"), State.APPROVED: Text("已批准", "approved"),
    State.REFUSED: Text("不予批准", "refused"), State.MADE: Text("已制作", "made"),
    State.FILED: Text("已备案", "filed"),
    State.ACTIVE: Text("有效", "active"), State.SUSPENDED: Text("停用", "suspended"),
    State.REPLACED: Text("已换发", "replaced"), State.CANCELLED: Text("已注销", "cancelled"),
    State.VOID: Text("自始无效", "void from the start"), State.EXPIRED: Text("已过期", "expired"),
    State.UNKNOWN: Text("不存在", "unknown"),
}  # fmt: skip
ENDED = frozenset({State.REFUSED, State.REPLACED, State.CANCELLED, State.VOID})


@dataclass(frozen=True, slots=True)
class Move:
    """One change of state. `second_person`: not the one who applied (a ceremony, logged as such,
    may); `needs_reason`, `needs_basis`: for the record;
    `from_the_start`: takes effect as if the seal had never been."""

    name: str
    before: frozenset[State]
    after: State
    roles: frozenset[str]
    second_person: bool = False
    needs_reason: bool = False
    needs_basis: bool = False
    from_the_start: bool = False
    holder_may: bool = False


ADMINISTRATOR, HOLDER = str(Role.SEAL_ADMINISTRATOR), str(Role.SEAL_HOLDER)
_STANDING = frozenset({State.MADE, State.FILED, State.ACTIVE, State.SUSPENDED})
_USABLE = frozenset({State.ACTIVE, State.SUSPENDED})
_BY = frozenset({ADMINISTRATOR, SYSTEM})
MOVES: Mapping[str, Move] = {
    move.name: move
    for move in (
        Move("approve", frozenset({State.REQUESTED}), State.APPROVED, _BY, second_person=True),
        Move("refuse", frozenset({State.REQUESTED}), State.REFUSED, _BY, second_person=True, needs_reason=True),
        Move("make", frozenset({State.APPROVED}), State.MADE, _BY),
        Move("file", frozenset({State.MADE}), State.FILED, _BY, needs_basis=True),
        Move("activate", frozenset({State.FILED}), State.ACTIVE, _BY),
        Move("suspend", frozenset({State.ACTIVE}), State.SUSPENDED, _BY, needs_reason=True, holder_may=True),
        Move("resume", frozenset({State.SUSPENDED}), State.ACTIVE, _BY, needs_reason=True),
        Move("replace", _USABLE, State.REPLACED, _BY, needs_reason=True),
        Move("cancel", _STANDING | {State.APPROVED}, State.CANCELLED, _BY, needs_reason=True, needs_basis=True),
        Move("void", _STANDING, State.VOID, _BY, needs_reason=True, needs_basis=True, from_the_start=True),
    )
}


class SealMoveNotAllowed(SealError):
    code = "seal_move_not_allowed"

    def __init__(self, move: str, zh: str, en: str) -> None:
        super().__init__(
            Text(f"不能对该印章执行“{move}”。", f"“{move}” is not allowed on this seal."),
            why=Text(zh, en),
            advice=Text("请核对印章状态、办理人和理由。", "Check the seal's state, the person and the reason."),
        )


@dataclass(frozen=True, slots=True)
class Why:
    """The reason for a change, its legal basis, and from when it takes effect (none: at once)."""

    reason: str = ""
    legal_basis: str = ""
    effective_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A recorded change, as far as a state at a time needs it."""

    after: State
    effective_from: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """What a seal's state was at an instant, since when, and why."""

    state: State
    since: datetime | None = None
    reason: str = ""

    @property
    def usable(self) -> bool:
        return self.state is State.ACTIVE


def decide(
    move: Move,
    changes: Sequence[Change],
    actor: Actor,
    *,
    applicant: str,
    holders: Sequence[str],
    why: Why,
    now: datetime,
) -> tuple[State, datetime]:
    """The state after the move and from when. `changes` oldest first. Raises SealMoveNotAllowed.

    Nothing takes effect before what was recorded last does; only `void` reaches back to the start.
    """
    last = changes[-1]
    if last.after not in move.before:
        name = STATE_NAMES[last.after]
        raise SealMoveNotAllowed(move.name, f"印章状态为“{name.zh}”。", f"Its state is “{name.en}”.")
    if not (actor.roles & move.roles or (move.holder_may and actor.id in holders)):
        raise SealMoveNotAllowed(move.name, "办理人不是印章管理员。", "The person is no seal administrator.")
    if move.second_person and actor.id == applicant and SYSTEM not in actor.roles:
        raise SealMoveNotAllowed(move.name, "申请人不能自行审批。", "Whoever applied may not decide on it.")
    if move.needs_reason and not why.reason.strip():
        raise SealMoveNotAllowed(move.name, "必须写明理由。", "A reason must be given.")
    if move.needs_basis and not why.legal_basis.strip():
        raise SealMoveNotAllowed(move.name, "必须写明依据或备案号。", "The legal basis or filing number must be given.")
    if move.from_the_start:
        return move.after, changes[0].effective_from
    effective = why.effective_from or max(now, last.effective_from)
    if effective < last.effective_from:
        raise SealMoveNotAllowed(
            move.name, "生效时间早于上一次变更。", "It would take effect before the change recorded last."
        )
    return move.after, effective


def status_at(changes: Sequence[Change], valid_from: datetime, valid_until: datetime, at: datetime) -> Status:
    """The state at an instant, as known today: `changes` in the order of recording. Never made up: before the first
    change the seal is unknown."""
    if changes and changes[-1].after is State.VOID:
        return Status(State.VOID, changes[-1].effective_from, changes[-1].reason)
    current = None
    for change in changes:
        if change.effective_from <= at:
            current = change
    if current is None:
        return Status(State.UNKNOWN)
    if current.after in (State.ACTIVE, State.SUSPENDED) and at > valid_until:
        return Status(State.EXPIRED, valid_until)
    if current.after is State.ACTIVE and at < valid_from:
        return Status(State.FILED, current.effective_from, current.reason)
    return Status(current.after, current.effective_from, current.reason)
