"""Telling officers of steps that are nearly due (yellow card) or overdue (red card): once for each step and card."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework
from signing_service.approvals.clock_changes import open_pause
from signing_service.approvals.deadlines import Card, Change, card, due
from signing_service.approvals.register import ApprovalCase, ClockChange, RouteStep
from signing_service.approvals.rules import CaseState, StepState
from signing_service.errors import Text
from signing_service.kernel.clock import local
from signing_service.people.contacts import contacts_of
from signing_service.people.notice_outbox import queue_notice
from signing_service.people.register import PeopleRegister
from signing_service.people.rules import Role

DEADLINE = "deadline"


def tell_deadlines(work: Casework, people: PeopleRegister) -> int:
    """Queue notices for all open steps that bear a card; returns how many are new."""
    now, told = work.clock.now(), 0
    query = (
        select(RouteStep)
        .join(ApprovalCase, ApprovalCase.id == RouteStep.case_id)
        .where(RouteStep.state == StepState.OPEN, ApprovalCase.state == CaseState.IN_REVIEW)
    )
    with work.database.write() as session:
        for step in session.scalars(query.order_by(RouteStep.id)):
            last_day, shown = step_due(work, session, step)
            if shown is not Card.NONE:
                told += _tell(session, people, step, shown, last_day, now)
    return told


def step_due(work: Casework, session: Session, step: RouteStep) -> tuple[str, Card]:
    """The step's own last day (ISO 8601) and card, with the case's pauses and extensions."""
    if step.opened_at is None:
        return "", Card.NONE
    rows = session.scalars(select(ClockChange).where(ClockChange.case_id == step.case_id))
    changes = [Change(row.kind, row.begun_on, row.ended_on, row.days) for row in rows]
    last = due(work.calendar, local(step.opened_at).date(), step.promised_days, changes, work.today)
    paused = open_pause(session, step.case_id) is not None
    return last.day.isoformat(), card(work.calendar, last.day, work.today, paused=paused)


def _tell(session: Session, people: PeopleRegister, step: RouteStep, shown: Card, last_day: str, now: datetime) -> int:
    text = _text(step.case.number, shown, last_day)
    told = 0
    for officer, to in contacts_of(session, _whom(session, people, step)):
        key = f"{DEADLINE}:{step.id}:{step.round}:{shown.value}:{officer}:{to.channel}"
        told += queue_notice(session, key, DEADLINE, to, text, now)
    return told


def _whom(session: Session, people: PeopleRegister, step: RouteStep) -> Iterable[str]:
    """The step's own officer and delegate; else all reviewers of its department."""
    named = {id for id in (step.officer, step.delegate) if id}
    if named or step.role not in set(Role):
        return named
    return [officer.id for officer in people.officers_with(session, Role(step.role), step.department)]


def _text(number: str, shown: Card, last_day: str) -> Text:
    if shown is Card.RED:
        return Text(
            f"办件{number}有环节已超期(期限{last_day}),请尽快办理。{{site}}",
            f"A step of case {number} is overdue (it was due on {last_day}). {{site}}",
        )
    return Text(
        f"办件{number}有环节将于{last_day}到期,请及时办理。{{site}}",
        f"A step of case {number} is due on {last_day}. {{site}}",
    )
