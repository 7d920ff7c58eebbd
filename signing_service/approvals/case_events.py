"""What a platform is told of its cases: one event for each act that an applicant may know, without any name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from signing_service.approvals.platform_tables import SOURCE, CaseEvent, CasePlatform
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import CASE_MOVES, CaseState
from signing_service.people.deliveries import DEAD, PENDING, send_again

TOLD = frozenset(CASE_MOVES) | {
    "open", "step_signed", "signature_withdrawn", "clock_paused", "clock_resumed", "deadline_extended",
    "conditions_complete", "registered",
}  # fmt: skip
MOST_EVENTS = 500


def note(session: Session, case: ApprovalCase, kind: str, details: Mapping[str, Any], at: datetime) -> None:
    """Write the event of an act beside the act. The case's row is locked, so that numbers follow each other."""
    if kind not in TOLD or not case.source.startswith(SOURCE):
        return
    client_id = case.source.removeprefix(SOURCE)
    platform = session.get(CasePlatform, client_id)
    last = session.scalar(select(func.max(CaseEvent.number)).where(CaseEvent.case_id == case.id)) or 0
    step = next((one for one in case.steps if one.id == details.get("step")), None)
    session.add(
        CaseEvent(
            case_id=case.id, client_id=client_id, number=last + 1, kind=kind, case_state=str(CaseState(case.state)),
            step=step.title if step else "", department_name=step.department_name if step else "", at=at,
            state=PENDING if platform is not None and platform.webhook else "", due_at=at,
        )
    )  # fmt: skip


def events_of(session: Session, case_id: str, after: int = 0) -> Sequence[CaseEvent]:
    """A case's events with a number above `after`, in order."""
    query = select(CaseEvent).where(CaseEvent.case_id == case_id, CaseEvent.number > after)
    return list(session.scalars(query.order_by(CaseEvent.number).limit(MOST_EVENTS)))


def dead_events(session: Session, client_id: str) -> Sequence[CaseEvent]:
    """Callbacks that were given up."""
    query = select(CaseEvent).where(CaseEvent.client_id == client_id, CaseEvent.state == DEAD)
    return list(session.scalars(query.order_by(CaseEvent.id).limit(MOST_EVENTS)))


def replay_events(session: Session, client_id: str, at: datetime) -> int:
    """Send the dead ones once more; returns how many."""
    dead = dead_events(session, client_id)
    for event in dead:
        send_again(event, at)
    return len(dead)
