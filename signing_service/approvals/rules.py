"""States and moves of cases and steps, as data, and what follows from them. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from signing_service.approvals.errors import MoveNotAllowed, NotYourStep, StepAlreadySigned, StepNotOpen
from signing_service.errors import Text


class CaseState(StrEnum):
    RECEIVED = "received"
    MATERIAL_MISSING = "material_missing"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    APPROVED = "approved"
    REJECTED = "rejected"
    SEALED = "sealed"
    DELIVERED = "delivered"
    RECALLED = "recalled"
    SUPERSEDED = "superseded"
    LAPSED = "lapsed"


S = CaseState
CASE_WORDS: Mapping[CaseState, Text] = {
    S.RECEIVED: Text("已收件", "received"),
    S.MATERIAL_MISSING: Text("待补正", "waiting for missing material"),
    S.ACCEPTED: Text("已受理", "accepted"),
    S.REFUSED: Text("不予受理", "refused"),
    S.WITHDRAWN: Text("已撤回", "withdrawn"),
    S.IN_REVIEW: Text("审批中", "in review"),
    S.RETURNED: Text("已退回", "returned"),
    S.APPROVED: Text("已批准", "approved"),
    S.REJECTED: Text("不予批准", "rejected"),
    S.SEALED: Text("已用印", "sealed"),
    S.DELIVERED: Text("已办结", "delivered"),
    S.RECALLED: Text("已收回", "recalled"),
    S.SUPERSEDED: Text("已被替代", "superseded"),
    S.LAPSED: Text("已失效", "lapsed"),
}
ENDED = frozenset({S.REFUSED, S.WITHDRAWN, S.REJECTED, S.DELIVERED, S.RECALLED, S.SUPERSEDED, S.LAPSED})


@dataclass(frozen=True, slots=True)
class Move:
    """One act: its words, the states from which it leads on, the state that it leads to, whether it needs a reason."""

    words: Text
    sources: frozenset[CaseState]
    target: CaseState
    needs_reason: bool = False


CASE_MOVES: Mapping[str, Move] = {
    "ask_material": Move(Text("要求补正", "asked for material"), frozenset({S.RECEIVED}), S.MATERIAL_MISSING),
    "supplement": Move(Text("补正", "supplemented"), frozenset({S.MATERIAL_MISSING}), S.RECEIVED),
    "accept": Move(Text("受理", "accepted"), frozenset({S.RECEIVED}), S.ACCEPTED),
    "refuse": Move(Text("不予受理", "refused"), frozenset({S.RECEIVED, S.MATERIAL_MISSING}), S.REFUSED, True),
    "withdraw": Move(
        Text("撤回申请", "withdrawn"),
        frozenset({S.RECEIVED, S.MATERIAL_MISSING, S.ACCEPTED, S.IN_REVIEW, S.RETURNED}),
        S.WITHDRAWN,
        True,
    ),
    "begin_review": Move(Text("送审", "put into review"), frozenset({S.ACCEPTED}), S.IN_REVIEW),
    "return": Move(Text("退回", "returned"), frozenset({S.IN_REVIEW}), S.RETURNED, True),
    "resubmit": Move(Text("重新送审", "put into review again"), frozenset({S.RETURNED}), S.IN_REVIEW),
    "approve": Move(Text("批准", "approved"), frozenset({S.IN_REVIEW}), S.APPROVED),
    "reject": Move(Text("不予批准", "rejected"), frozenset({S.IN_REVIEW, S.RETURNED}), S.REJECTED, True),
    "reopen": Move(Text("撤回签署", "taken back into review"), frozenset({S.APPROVED}), S.IN_REVIEW, True),
    "seal": Move(Text("用印", "sealed"), frozenset({S.APPROVED}), S.SEALED),
    "release": Move(Text("办结", "released"), frozenset({S.SEALED}), S.DELIVERED),
    "recall": Move(Text("收回", "recalled"), frozenset({S.SEALED, S.DELIVERED}), S.RECALLED, True),
    "supersede": Move(Text("替代", "superseded"), frozenset({S.DELIVERED}), S.SUPERSEDED, True),
    "lapse": Move(Text("失效", "lapsed"), frozenset({S.DELIVERED}), S.LAPSED, True),
}


def moved(state: CaseState, act: str) -> CaseState:
    """The state after the act. Raises MoveNotAllowed."""
    move = CASE_MOVES[act]
    if state not in move.sources:
        raise MoveNotAllowed(move.words, CASE_WORDS[state])
    return move.target


class StepState(StrEnum):
    WAITING = "waiting"
    OPEN = "open"
    SIGNED = "signed"
    RETURNED = "returned"


STEP_WORDS: Mapping[StepState, Text] = {
    StepState.WAITING: Text("未到", "waiting"),
    StepState.OPEN: Text("待办", "open"),
    StepState.SIGNED: Text("已签署", "signed"),
    StepState.RETURNED: Text("已退回", "returned"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the rules see it. Steps with the same `stage` are a parallel group (会签); stages follow in order."""

    id: int
    stage: int
    title: str
    department: str
    role: str
    state: StepState
    officer: str = ""
    delegate: str = ""
    delegate_from: date | None = None
    delegate_until: date | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: officer's, client's or process's id; department; roles; SHA-256 (hex) of the signing certificate."""

    id: str
    department: str = ""
    roles: frozenset[str] = frozenset()
    certificate: str = ""


def to_open(steps: Iterable[Step]) -> list[int]:
    """Ids of the waiting steps whose turn has come: the first stage that is not wholly signed, if none is at work."""
    pending = [step for step in steps if step.state is not StepState.SIGNED]
    if not pending:
        return []
    first = min(step.stage for step in pending)
    return [step.id for step in pending if step.stage == first and step.state is StepState.WAITING]


def all_signed(steps: Sequence[Step]) -> bool:
    return bool(steps) and all(step.state is StepState.SIGNED for step in steps)


def check_may_sign(step: Step, actor: Actor, today: date) -> bool:
    """Is it the step's own officer (False) or a delegate (True, shown as 代)?

    Raises StepAlreadySigned, StepNotOpen, NotYourStep.
    """
    if step.state is StepState.SIGNED:
        raise StepAlreadySigned(step.title)
    if step.state is not StepState.OPEN:
        raise StepNotOpen(step.title, STEP_WORDS[step.state])
    return acts_as_delegate(step, actor, today)


def acts_as_delegate(step: Step, actor: Actor, today: date) -> bool:
    """Raises NotYourStep unless the actor is the step's officer, one of its role, or its delegate in force."""
    if step.delegate == actor.id and actor.id and _in_force(step, today):
        return True
    named = not step.officer or step.officer == actor.id
    if not (named and step.department == actor.department and step.role in actor.roles):
        raise NotYourStep(step.title)
    return False


def may_be_withdrawn(step: Step, steps: Iterable[Step], taken_up: frozenset[int]) -> bool:
    """A signer may withdraw until somebody of a later stage has taken the document up (read or signed it)."""
    later = {other.id for other in steps if other.stage > step.stage}
    signed_later = any(other.state is StepState.SIGNED for other in steps if other.stage > step.stage)
    return step.state is StepState.SIGNED and not signed_later and not later & taken_up


def _in_force(step: Step, today: date) -> bool:
    begun = step.delegate_from is None or step.delegate_from <= today
    return begun and (step.delegate_until is None or today <= step.delegate_until)
