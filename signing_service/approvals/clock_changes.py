"""What moves a case's deadline: special procedures (特别程序) pause the clock, extensions (延期) add working days."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework
from signing_service.approvals.deadlines import EXTENSION, PAUSE
from signing_service.approvals.errors import ClockNotSo, MoveNotAllowed, ReasonMissing, RequestIncomplete
from signing_service.approvals.register import ApprovalCase, ClockChange
from signing_service.approvals.rules import CASE_WORDS, ENDED, Actor, CaseState
from signing_service.errors import Text

PAUSING, EXTENDING = Text("暂停计时", "stopped"), Text("延长期限", "extended")
MOST_EXTENSION_DAYS = 60


def pause(work: Casework, case_id: str, actor: Actor, *, reason: str, legal_basis: str) -> None:
    """Hearing, testing, expert review and the like. Raises ReasonMissing, ClockNotSo, MoveNotAllowed."""
    if not reason.strip() or not legal_basis.strip():
        raise ReasonMissing(PAUSING)
    with work.change(case_id) as (session, case):
        _require_running(case, PAUSING)
        if open_pause(session, case_id) is not None:
            raise ClockNotSo(paused=True)
        session.add(_change(work, case, actor, PAUSE, reason, legal_basis))
        work.log(session, case, "clock_paused", actor, reason=reason, legal_basis=legal_basis)


def resume(work: Casework, case_id: str, actor: Actor) -> None:
    """The special procedure is over. Raises ClockNotSo."""
    with work.change(case_id) as (session, case):
        standing = open_pause(session, case_id)
        if standing is None:
            raise ClockNotSo(paused=False)
        standing.ended_on = work.today
        work.log(session, case, "clock_resumed", actor, since=standing.begun_on.isoformat())


def extend(work: Casework, case_id: str, actor: Actor, *, days: int, reason: str, legal_basis: str) -> None:
    """More working days, approved by whoever the law names. Raises ReasonMissing, RequestIncomplete, MoveNotAllowed."""
    if not reason.strip() or not legal_basis.strip():
        raise ReasonMissing(EXTENDING)
    if not 1 <= days <= MOST_EXTENSION_DAYS:
        raise RequestIncomplete(
            Text(f"延期须为 1 至 {MOST_EXTENSION_DAYS} 个工作日", "the number of days is not allowed")
        )
    with work.change(case_id) as (session, case):
        _require_running(case, EXTENDING)
        change = _change(work, case, actor, EXTENSION, reason, legal_basis)
        change.days = days
        session.add(change)
        work.log(session, case, "deadline_extended", actor, days=days, reason=reason, legal_basis=legal_basis)


def open_pause(session: Session, case_id: str) -> ClockChange | None:
    """The pause that still lasts."""
    query = select(ClockChange).where(
        ClockChange.case_id == case_id, ClockChange.kind == PAUSE, ClockChange.ended_on.is_(None)
    )
    return session.scalar(query)


def _change(work: Casework, case: ApprovalCase, actor: Actor, kind: str, reason: str, basis: str) -> ClockChange:
    return ClockChange(
        case_id=case.id, kind=kind, reason=reason, legal_basis=basis, begun_on=work.today,
        recorded_at=work.clock.now(), recorded_by=actor.id,
    )  # fmt: skip


def _require_running(case: ApprovalCase, act: Text) -> None:
    state = CaseState(case.state)
    if case.accepted_at is None or state in ENDED:
        raise MoveNotAllowed(act, CASE_WORDS[state])
