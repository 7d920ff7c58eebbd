"""The one state machine of licences, as data, and the state of a licence at one time as known at another.

Rules only. A history is never rewritten: a wrong entry is voided by a later one, and both stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from cert_registry.errors import Text
from cert_registry.licences.errors import BasisMissing, OperationNotAllowed

Usable = Literal["yes", "no"]


@dataclass(frozen=True, slots=True)
class Status:
    """`national` is the status value of the national collection of licence data."""

    key: str
    national: str
    text: Text


STATUSES = {
    status.key: status
    for status in (
        Status("valid", "01", Text("有效", "valid")),
        Status("suspended", "02", Text("暂扣", "suspended")),
        Status("revoked", "03", Text("撤销", "revoked")),
        Status("cancelled", "04", Text("注销", "cancelled")),
        Status("lapsed", "05", Text("失效", "lapsed")),
        Status("transferred_out", "06", Text("转出", "transferred out")),
        Status("forfeited", "07", Text("吊销", "forfeited")),
        Status("withdrawn", "99", Text("撤回", "withdrawn")),
    )
}
ENDED = frozenset(STATUSES) - {"valid", "suspended"}
NONE = Text("尚未颁发", "not issued")


@dataclass(frozen=True, slots=True)
class Operation:
    """A move: from which states (`None` is before issue) to which; `makes_new` ones create a licence of their own."""

    key: str
    text: Text
    sources: frozenset[str | None]
    target: str
    needs_basis: bool = False
    makes_new: bool = False


_NEW: frozenset[str | None] = frozenset({None})
_LIVE: frozenset[str | None] = frozenset({"valid", "suspended"})
_VALID: frozenset[str | None] = frozenset({"valid"})
OPERATIONS = {
    operation.key: operation
    for operation in (
        Operation("issue", Text("新发", "issue"), _NEW, "valid", makes_new=True),
        Operation("renew", Text("延续", "renewal"), _NEW, "valid", makes_new=True),
        Operation("change", Text("变更", "change"), _NEW, "valid", makes_new=True),
        Operation("transfer_in", Text("转入", "transfer in"), _NEW, "valid", makes_new=True),
        Operation("suspend", Text("暂扣", "suspension"), _VALID, "suspended", needs_basis=True),
        Operation("return", Text("暂扣发还", "return after suspension"), frozenset({"suspended"}), "valid"),
        Operation("cancel", Text("注销", "cancellation"), _LIVE, "cancelled", needs_basis=True),
        Operation("revoke", Text("撤销", "revocation"), _LIVE, "revoked", needs_basis=True),
        Operation("withdraw", Text("撤回", "withdrawal"), _LIVE, "withdrawn", needs_basis=True),
        Operation("forfeit", Text("吊销", "forfeiture"), _LIVE, "forfeited", needs_basis=True),
        Operation("transfer_out", Text("转出", "transfer out"), _VALID, "transferred_out"),
        Operation("cancel_transfer", Text("取消转出", "transfer called off"), frozenset({"transferred_out"}), "valid"),
        Operation("replace", Text("被新版本替代", "replacement by a new version"), _LIVE, "lapsed"),
        Operation("absorb", Text("并入营业执照(多证合一)", "absorption into the business licence"), _LIVE, "lapsed"),
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded operation. `effective_from` is when it takes legal effect, `recorded_at` when we learned of it.

    `voids` is the number of an earlier entry that was recorded by mistake; such an entry changes nothing else.
    """

    number: int
    operation: str
    effective_from: datetime
    recorded_at: datetime
    voids: int | None = None
    reason: str = ""
    legal_basis: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """`status` is None before the licence took effect; `entry` is the operation that led here."""

    status: str | None
    since: datetime | None = None
    entry: Entry | None = None

    @property
    def text(self) -> Text:
        return NONE if self.status is None else STATUSES[self.status].text


def state_at(history: Iterable[Entry], at: datetime, known_at: datetime) -> State:
    """What held at `at`, judged by what was recorded until `known_at`.

    Entries are taken in the order in which they take effect. One that its state does not allow changes nothing: a
    return recorded for May means nothing once a revocation from April is known.
    """
    known = [entry for entry in history if entry.recorded_at <= known_at]
    voided = {entry.voids for entry in known if entry.voids is not None}
    state = State(None)
    for entry in sorted(known, key=lambda one: (one.effective_from, one.recorded_at, one.number)):
        if entry.number in voided or entry.voids is not None or entry.effective_from > at:
            continue
        operation = OPERATIONS[entry.operation]
        if state.status in operation.sources:
            state = State(operation.target, entry.effective_from, entry)
    return state


def check_operation(
    key: str, history: Sequence[Entry], effective_from: datetime, now: datetime, *, reason: str, legal_basis: str
) -> Operation:
    """May this be recorded now, with effect from then? Raises OperationNotAllowed, BasisMissing."""
    operation = OPERATIONS[key]
    if operation.needs_basis and not (reason.strip() and legal_basis.strip()):
        raise BasisMissing(operation.text)
    state = state_at(history, effective_from, now)
    if state.status not in operation.sources:
        raise OperationNotAllowed(operation.text, state.text)
    return operation


def is_expired(valid_until: date | None, today: date) -> bool:
    """The last day of validity still counts; `today` is the city's date."""
    return valid_until is not None and today > valid_until
