"""What every act on a case needs: stores, clock, the row under its lock, the log entry beside the change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.approvals import case_events, case_notices
from signing_service.approvals.applicants import NoPersonalNumbers, PersonalNumbers
from signing_service.approvals.deadlines import Change, due
from signing_service.approvals.errors import CaseNotFound, ReasonMissing, StepNotFound
from signing_service.approvals.matter_catalogue import Matter, MatterCatalogue
from signing_service.approvals.register import ApprovalCase, ClockChange, RouteStep
from signing_service.approvals.rules import CASE_MOVES, ENDED, Actor, CaseState, moved
from signing_service.approvals.working_days import Due, WorkingDays
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.clock import Clock, local
from signing_service.kernel.database import Database


@dataclass(frozen=True)
class Casework:
    """The stores and rules that acts work with. `personal_numbers` protects natural persons' numbers at rest."""

    database: Database
    blobs: BlobStore
    clock: Clock
    matters: MatterCatalogue
    calendar: WorkingDays = field(default_factory=WorkingDays)
    personal_numbers: PersonalNumbers = field(default_factory=NoPersonalNumbers)
    audit: AuditLog = field(default_factory=AuditLog)

    @property
    def today(self) -> date:
        return local(self.clock.now()).date()

    @contextmanager
    def change(self, case_id: str) -> Iterator[tuple[Session, ApprovalCase]]:
        """A write transaction with the case's row locked. Raises CaseNotFound."""
        with self.database.write() as session:
            query = select(ApprovalCase).where(ApprovalCase.id == case_id).with_for_update()
            case = session.scalar(query)
            if case is None:
                raise CaseNotFound(case_id)
            yield session, case

    def log(
        self, session: Session, case: ApprovalCase, kind: str, actor: Actor, *, digest: str = "", **details: Any
    ) -> None:
        """The audit entry of an act, in the act's own transaction; with it the event and the notices that the act
        means for those outside."""
        act = Act(
            f"case.{kind}", actor.id, f"case:{case.id}", actor.department, actor.certificate, digest,
            {"number": case.number, **details},
        )  # fmt: skip
        now = self.clock.now()
        self.audit.record(session, act, now)
        case_events.note(session, case, kind, details, now)
        case_notices.tell(session, case, kind, now)

    def move(
        self, session: Session, case: ApprovalCase, act: str, actor: Actor, *, reason: str = "", digest: str = ""
    ) -> None:
        """One move of the case's state machine, logged. Raises MoveNotAllowed, ReasonMissing."""
        if CASE_MOVES[act].needs_reason and not reason.strip():
            raise ReasonMissing(CASE_MOVES[act].words)
        before = CaseState(case.state)
        case.state = moved(before, act)
        case.ended_at = self.clock.now() if case.state in ENDED else None
        self.log(session, case, act, actor, digest=digest, before=before.value, after=case.state.value, reason=reason)

    def matter_of(self, case: ApprovalCase) -> Matter:
        return self.matters.get(case.matter)


def find_case(session: Session, case_id: str) -> ApprovalCase:
    """Raises CaseNotFound."""
    case = session.get(ApprovalCase, case_id)
    if case is None:
        raise CaseNotFound(case_id)
    return case


def case_id_of(session: Session, named: str) -> str:
    """The id of a case that is named by its number or id. Raises CaseNotFound."""
    query = select(ApprovalCase.id).where((ApprovalCase.number == named.strip()) | (ApprovalCase.id == named.strip()))
    found = session.scalar(query)
    if found is None:
        raise CaseNotFound(named)
    return found


def find_step(case: ApprovalCase, step_id: int) -> RouteStep:
    """Raises StepNotFound."""
    for step in case.steps:
        if step.id == step_id:
            return step
    raise StepNotFound(case.number, step_id)


def case_due(work: Casework, session: Session, case: ApprovalCase, days: int) -> Due | None:
    """The last day of a period of working days from acceptance; None before acceptance."""
    if case.accepted_at is None:
        return None
    rows = session.scalars(select(ClockChange).where(ClockChange.case_id == case.id))
    changes = [Change(row.kind, row.begun_on, row.ended_on, row.days) for row in rows]
    return due(work.calendar, _day(case.accepted_at), days, changes, work.today)


def _day(instant: datetime) -> date:
    return local(instant).date()
