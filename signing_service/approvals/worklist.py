"""What waits for an officer: open steps of the officer, of the role, or delegated, with deadline and card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from signing_service.approvals import rules
from signing_service.approvals.casework import Casework, case_due
from signing_service.approvals.clock_changes import open_pause
from signing_service.approvals.deadlines import Card, card
from signing_service.approvals.errors import ApprovalError
from signing_service.approvals.register import ApprovalCase, RouteStep, StepSignature
from signing_service.approvals.rules import Actor, CaseState, StepState
from signing_service.approvals.working_days import Due
from signing_service.kernel.clock import local


@dataclass(frozen=True, slots=True)
class Task:
    """One open step. `due` is the step's own; `case_due` what was promised to the applicant."""

    case_id: str
    case_number: str
    title: str
    matter: str
    applicant: str
    step_id: int
    step_title: str
    opened_at: datetime | None
    read: bool
    as_delegate: bool
    due: Due
    case_due: Due | None
    card: Card


@dataclass(frozen=True, slots=True)
class SignedStep:
    case_id: str
    case_number: str
    title: str
    step_title: str
    signed_at: datetime
    as_delegate: bool


def pending(work: Casework, actor: Actor) -> list[Task]:
    """The actor's open steps, the most urgent first."""
    with work.database.read() as session:
        query = (
            select(RouteStep)
            .join(ApprovalCase)
            .where(RouteStep.state == StepState.OPEN, ApprovalCase.state == CaseState.IN_REVIEW)
            .where(or_(RouteStep.department == actor.department, RouteStep.delegate == actor.id))
            .options(selectinload(RouteStep.case))
        )
        tasks = [task for step in session.scalars(query) if (task := _task(work, session, step, actor)) is not None]
    return sorted(tasks, key=lambda task: (task.due.day, task.case_number, task.step_id))


def signed(work: Casework, actor: Actor, *, limit: int = 200) -> list[SignedStep]:
    """What the actor signed, newest first."""
    with work.database.read() as session:
        query = (
            select(StepSignature, RouteStep)
            .join(RouteStep, RouteStep.id == StepSignature.step_id)
            .where(StepSignature.officer == actor.id, StepSignature.withdrawn_at.is_(None))
            .order_by(StepSignature.id.desc())
            .limit(limit)
        )
        return [
            SignedStep(step.case_id, step.case.number, step.case.title, step.title, made.signed_at, made.as_delegate)
            for made, step in session.execute(query)
        ]


def overdue(tasks: Sequence[Task]) -> list[Task]:
    """Those with a red card."""
    return [task for task in tasks if task.card is Card.RED]


def _task(work: Casework, session: Session, step: RouteStep, actor: Actor) -> Task | None:
    try:
        as_delegate = rules.check_may_sign(step.as_rule(), actor, work.today)
    except ApprovalError:
        return None
    case = step.case
    opened = local(step.opened_at).date() if step.opened_at else work.today
    due = work.calendar.after(opened, step.promised_days)
    paused = open_pause(session, case.id) is not None
    return Task(
        case.id, case.number, case.title, work.matter_of(case).name, case.applicant_name, step.id, step.title,
        step.opened_at, step.read_at is not None, as_delegate, due,
        case_due(work, session, case, work.matter_of(case).promised_days),
        card(work.calendar, due.day, work.today, paused=paused),
    )  # fmt: skip
