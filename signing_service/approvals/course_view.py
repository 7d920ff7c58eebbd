"""A case as applicant, officers and supervision see it: state, deadlines, steps, notices; no personal number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework, case_due, find_case
from signing_service.approvals.clock_changes import open_pause
from signing_service.approvals.deadlines import Card, card
from signing_service.approvals.register import ApprovalCase, ClockChange, MaterialNotice, RouteStep, StepSignature
from signing_service.approvals.rules import CASE_WORDS, STEP_WORDS, CaseState, StepState
from signing_service.approvals.working_days import Due
from signing_service.errors import Text


@dataclass(frozen=True, slots=True)
class StepView:
    """`signed_by` is an officer's id, for officers alone; the applicant is shown department and title."""

    id: int
    stage: int
    title: str
    department_name: str
    state: str
    words: Text
    opened_at: datetime | None
    signed_at: datetime | None
    signed_by: str
    as_delegate: bool
    opinion: str


@dataclass(frozen=True, slots=True)
class NoticeView:
    items: Sequence[str]
    given_at: datetime
    answered_at: datetime | None
    repeated: bool


@dataclass(frozen=True, slots=True)
class ClockView:
    kind: str
    reason: str
    legal_basis: str
    begun_on: date
    ended_on: date | None
    days: int


@dataclass(frozen=True, slots=True)
class CaseView:
    """`document_digest`: SHA-256 of the released document, under which the blob store has it; empty before."""

    case_id: str
    number: str
    matter: str
    title: str
    state: str
    words: Text
    simulated: bool
    applicant_name: str
    issuer_name: str
    received_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None
    statutory_due: Due | None
    promised_due: Due | None
    card: Card
    document_number: str
    document_digest: str
    licence: str
    steps: Sequence[StepView]
    notices: Sequence[NoticeView]
    clock: Sequence[ClockView]


def view_case(work: Casework, case_id: str) -> CaseView:
    """Raises CaseNotFound."""
    with work.database.read() as session:
        return _view(work, session, find_case(session, case_id))


def running_cases(work: Casework) -> list[CaseView]:
    """All cases that have not ended, those promised soonest first, those not yet accepted last."""
    with work.database.read() as session:
        query = select(ApprovalCase).where(ApprovalCase.ended_at.is_(None)).order_by(ApprovalCase.number)
        views = [_view(work, session, case) for case in session.scalars(query)]
    return sorted(views, key=lambda view: date.max if view.promised_due is None else view.promised_due.day)


def _view(work: Casework, session: Session, case: ApprovalCase) -> CaseView:
    matter = work.matter_of(case)
    promised = case_due(work, session, case, matter.promised_days)
    delivered = CaseState(case.state) in (CaseState.DELIVERED, CaseState.RECALLED, CaseState.SUPERSEDED)
    return CaseView(
        case_id=case.id,
        number=case.number,
        matter=matter.name,
        title=case.title,
        state=str(case.state),
        words=CASE_WORDS[CaseState(case.state)],
        simulated=case.simulated,
        applicant_name=case.applicant_name,
        issuer_name=case.issuer_name,
        received_at=case.received_at,
        accepted_at=case.accepted_at,
        ended_at=case.ended_at,
        statutory_due=case_due(work, session, case, matter.statutory_days),
        promised_due=promised,
        card=_card(work, session, case, promised),
        document_number=case.document_number or "",
        document_digest=_released(case) if delivered else "",
        licence=case.licence,
        steps=[_step(session, step) for step in case.steps],
        notices=_notices(session, case.id),
        clock=_clock(session, case.id),
    )


def _card(work: Casework, session: Session, case: ApprovalCase, promised: Due | None) -> Card:
    if promised is None or case.ended_at is not None:
        return Card.NONE
    return card(work.calendar, promised.day, work.today, paused=open_pause(session, case.id) is not None)


def _released(case: ApprovalCase) -> str:
    outward = [version for version in case.versions if version.kind in ("reply", "given") and not version.withdrawn]
    return outward[-1].digest if outward else ""


def _step(session: Session, step: RouteStep) -> StepView:
    query = select(StepSignature).where(StepSignature.step_id == step.id, StepSignature.round == step.round)
    made = session.scalar(query)
    return StepView(
        id=step.id,
        stage=step.stage,
        title=step.title,
        department_name=step.department_name,
        state=str(step.state),
        words=STEP_WORDS[StepState(step.state)],
        opened_at=step.opened_at,
        signed_at=made.signed_at if made else None,
        signed_by=made.officer if made else "",
        as_delegate=bool(made and made.as_delegate),
        opinion=made.opinion if made else "",
    )


def _notices(session: Session, case_id: str) -> list[NoticeView]:
    query = select(MaterialNotice).where(MaterialNotice.case_id == case_id).order_by(MaterialNotice.id)
    return [NoticeView(tuple(n.items), n.given_at, n.answered_at, n.repeated) for n in session.scalars(query)]


def _clock(session: Session, case_id: str) -> list[ClockView]:
    query = select(ClockChange).where(ClockChange.case_id == case_id).order_by(ClockChange.id)
    return [ClockView(c.kind, c.reason, c.legal_basis, c.begun_on, c.ended_on, c.days) for c in session.scalars(query)]
