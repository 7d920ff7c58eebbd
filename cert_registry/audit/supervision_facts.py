"""What supervision looks at, read from the rows of both services: cards, uses, refusals, views, irregularities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from cert_registry.audit.accesses import KINDS
from cert_registry.audit.irregularities import (
    CaseFact,
    Irregularity,
    NoticeFact,
    StepFact,
    UseFact,
    of_case,
    of_uses,
)
from cert_registry.audit.supervision_orders import CancelledCard, cancelled_cards
from signing_service.approvals.casework import Casework
from signing_service.approvals.course_view import CaseView, running_cases
from signing_service.approvals.deadlines import Card
from signing_service.approvals.register import ApprovalCase, MaterialNotice, StepSignature
from signing_service.kernel.audit_log import ALLOWED, REFUSED, AuditEntry
from signing_service.kernel.clock import LOCAL_ZONE, local
from signing_service.seals.seal_tables import SealUse

NOT_USES = ("voided", "withheld")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a page: days of local time, both included; empty words mean any."""

    since: date
    until: date
    seal: str = ""
    who: str = ""
    department: str = ""
    kind: str = ""

    @property
    def span(self) -> tuple[datetime, datetime]:
        """From the first instant to the one after the last."""
        begin = datetime.combine(self.since, time(), LOCAL_ZONE)
        return begin, datetime.combine(self.until + timedelta(days=1), time(), LOCAL_ZONE)


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A yellow or red card. `cancelled`: by whom and why it was taken back."""

    case: CaseView
    cancelled: CancelledCard | None


def cards(work: Casework) -> list[ShownCard]:
    """Red before yellow, those due soonest first; cancelled ones last."""
    with work.database.read() as session:
        gone = cancelled_cards(session)
    found = [ShownCard(case, gone.get((case.case_id, case.card))) for case in running_cases(work)]
    shown = [each for each in found if each.case.card is not Card.NONE]
    return sorted(shown, key=lambda each: (each.cancelled is not None, each.case.card is not Card.RED))


def uses(session: Session, wanted: Wanted, limit: int) -> list[SealUse]:
    """The newest first."""
    begin, end = wanted.span
    query = select(SealUse).where(
        SealUse.reserved_at >= begin, SealUse.reserved_at < end, SealUse.state.not_in(NOT_USES)
    )
    if wanted.seal:
        query = query.where(SealUse.seal_id == wanted.seal)
    if wanted.who:
        query = query.where(SealUse.actor == wanted.who)
    return list(session.scalars(query.order_by(SealUse.id.desc()).limit(limit)))


def by_hour(found: Sequence[SealUse]) -> list[int]:
    """How many in each of the 24 hours of local time."""
    counted = Counter(local(use.reserved_at).hour for use in found)
    return [counted[hour] for hour in range(24)]


def by_holder(found: Sequence[SealUse]) -> list[tuple[str, str, int]]:
    """Seal, who had it sealed, how often; the most first."""
    counted = Counter((use.seal_id, use.actor) for use in found)
    return [(seal, actor, count) for (seal, actor), count in counted.most_common()]


def refusals(session: Session, wanted: Wanted, limit: int) -> list[AuditEntry]:
    """The newest first; `kind` matches kind or reason."""
    query = _entries(wanted).where(AuditEntry.result == REFUSED)
    if wanted.kind:
        query = query.where(or_(AuditEntry.kind == wanted.kind, AuditEntry.reason == wanted.kind))
    return list(session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit)))


def views(session: Session, wanted: Wanted, limit: int) -> list[AuditEntry]:
    """Who looked at or verified which licence, the newest first."""
    query = _entries(wanted).where(AuditEntry.result == ALLOWED, AuditEntry.kind.in_(KINDS))
    if wanted.kind:
        query = query.where(AuditEntry.kind == wanted.kind)
    return list(session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit)))


def by_day(entries: Sequence[AuditEntry], wanted: Wanted) -> list[tuple[date, int]]:
    """How many on each day of the span."""
    counted = Counter(local(entry.at).date() for entry in entries)
    days = (wanted.until - wanted.since).days + 1
    return [(day, counted[day]) for day in (wanted.since + timedelta(days=n) for n in range(days))]


def irregularities(work: Casework, session: Session, wanted: Wanted, limit: int) -> list[Irregularity]:
    """All rules over the span, the newest first. `kind` is a rule's code, `department` the case's."""
    found = [each for case in _cases(work, session, wanted) for each in of_case(case)]
    if not wanted.department:
        rows = uses(session, wanted, limit)
        found += of_uses([UseFact(u.seal_id, u.actor, u.reserved_at, u.reference) for u in rows],
                         work.calendar.is_working)  # fmt: skip
    begin, end = wanted.span
    kept = [
        each for each in found
        if begin <= each.at < end and wanted.kind in ("", each.code) and wanted.who in ("", each.who)
    ]  # fmt: skip
    return sorted(kept, key=lambda each: each.at, reverse=True)[:limit]


def _entries(wanted: Wanted) -> Select[AuditEntry]:
    begin, end = wanted.span
    query = select(AuditEntry).where(AuditEntry.at >= begin, AuditEntry.at < end)
    if wanted.who:
        query = query.where(AuditEntry.actor == wanted.who)
    if wanted.department:
        query = query.where(AuditEntry.department == wanted.department)
    return query


def _cases(work: Casework, session: Session, wanted: Wanted) -> Iterator[CaseFact]:
    """Cases with anything in the span: received before its end, and not ended before its beginning."""
    begin, end = wanted.span
    query = select(ApprovalCase).where(
        and_(ApprovalCase.received_at < end, or_(ApprovalCase.ended_at.is_(None), ApprovalCase.ended_at >= begin))
    )
    if wanted.department:
        query = query.where(ApprovalCase.department == wanted.department)
    for case in session.scalars(query.order_by(ApprovalCase.received_at)):
        yield case_fact(work, session, case)


def case_fact(work: Casework, session: Session, case: ApprovalCase) -> CaseFact:
    """One case as the rules want it."""
    sealed = select(SealUse.reserved_at).where(SealUse.reference == case.id, SealUse.state.not_in(NOT_USES))
    notices = session.scalars(select(MaterialNotice).where(MaterialNotice.case_id == case.id))
    return CaseFact(
        id=case.id, number=case.number, department=case.department, materials=work.matter_of(case).materials,
        notices=[NoticeFact(tuple(each.items), each.given_at, each.given_by) for each in notices],
        steps=list(_steps(session, case)), document_date=case.document_date,
        sealed_at=session.scalar(sealed.order_by(SealUse.id).limit(1)),
    )  # fmt: skip


def _steps(session: Session, case: ApprovalCase) -> Iterator[StepFact]:
    for step in case.steps:
        query = select(StepSignature.signed_at).where(StepSignature.step_id == step.id)
        signed_at = session.scalar(query.where(StepSignature.round == step.round))
        yield StepFact(step.stage, step.title, signed_at)
