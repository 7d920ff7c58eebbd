"""Simulated approvals (模拟审批): opinions without legal force, until the conditions are complete and the formal case
replaces them. From then on every verification of the simulated file says recalled, by what, when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework, find_case
from signing_service.approvals.deadlines import Card, card
from signing_service.approvals.errors import NotConvertible
from signing_service.approvals.register import ApprovalCase, DocumentVersion
from signing_service.approvals.rules import Actor, CaseState, moved
from signing_service.approvals.working_days import Due
from signing_service.errors import Text
from signing_service.kernel.database import Database
from signing_service.verification.ports import Facts

CONVERSION_DAYS = 5


@dataclass(frozen=True, slots=True)
class PendingConversion:
    """A simulated case whose conditions are complete: formal by `due`."""

    case_id: str
    number: str
    due: Due
    card: Card


def conditions_complete(work: Casework, case_id: str, actor: Actor) -> Due:
    """What was missing for the formal approval is there: five working days from today. Raises NotConvertible."""
    with work.change(case_id) as (session, case):
        _require_simulated(case)
        case.complete_since = work.today
        work.log(session, case, "conditions_complete", actor)
        return work.calendar.after(work.today, CONVERSION_DAYS)


def convert(work: Casework, case_id: str, formal_case_id: str, actor: Actor) -> None:
    """The formal case is delivered: it is named, and the simulated file recalled. Raises NotConvertible."""
    with work.database.read() as session:
        codes = {_applicant_code(work, find_case(session, each)) for each in (case_id, formal_case_id)}
    with work.change(case_id) as (session, case):
        _require_simulated(case)
        formal = find_case(session, formal_case_id)
        _require_replacement(case, formal, same_code=len(codes) == 1)
        case.formal_case = formal.id
        reason = f"已转为正式审批 {formal.document_number}"
        work.move(session, case, "recall", actor, reason=reason)


def recall_replaced(work: Casework, session: Session, formal: ApprovalCase, actor: Actor) -> None:
    """A formal case is released: the simulated files that it was opened to replace are recalled with it."""
    query = select(ApprovalCase).where(ApprovalCase.formal_case == formal.id, ApprovalCase.state == CaseState.DELIVERED)
    for case in session.scalars(query.order_by(ApprovalCase.id).with_for_update()):
        work.move(session, case, "recall", actor, reason=f"已转为正式审批 {formal.document_number}")


def lapse(work: Casework, case_id: str, actor: Actor, reason: str) -> None:
    """The conditions never came. Raises MoveNotAllowed, ReasonMissing, NotConvertible."""
    with work.change(case_id) as (session, case):
        _require_simulated(case)
        work.move(session, case, "lapse", actor, reason=reason)


def recall(work: Casework, case_id: str, actor: Actor, reason: str) -> None:
    """Call a delivered file back without a replacement. Raises MoveNotAllowed, ReasonMissing."""
    with work.change(case_id) as (session, case):
        work.move(session, case, "recall", actor, reason=reason)


def pending_conversions(work: Casework) -> list[PendingConversion]:
    """Complete and not yet converted, the most urgent first."""
    with work.database.read() as session:
        query = select(ApprovalCase).where(
            ApprovalCase.simulated, ApprovalCase.complete_since.is_not(None), ApprovalCase.state == CaseState.DELIVERED
        )
        found = []
        for case in session.scalars(query):
            if case.complete_since is not None:
                due = work.calendar.after(case.complete_since, CONVERSION_DAYS)
                found.append(PendingConversion(case.id, case.number, due, card(work.calendar, due.day, work.today)))
    return sorted(found, key=lambda one: (one.due.day, one.number))


@dataclass(frozen=True)
class CaseFacts:
    """What cases know of a document, as the verification engine asks for it (`verification.ports.StatusSource`)."""

    database: Database

    def facts(self, ids: Sequence[str], digest: bytes, at: datetime) -> Facts:
        """By the file's digest: simulated or not; recalled since when and replaced by which number."""
        with self.database.read() as session:
            query = select(DocumentVersion.case_id).where(DocumentVersion.digest == digest.hex()).limit(1)
            case_id = session.scalar(query)
            if case_id is None:
                return Facts()
            return facts_of_case(session, case_id)


def facts_of_case(session: Session, case_id: str) -> Facts:
    """The same for a case that is known by its id. Raises CaseNotFound."""
    case = find_case(session, case_id)
    recalled = case.ended_at if CaseState(case.state) is CaseState.RECALLED else None
    formal = session.get(ApprovalCase, case.formal_case) if case.formal_case else None
    number = formal.document_number if formal is not None else None
    return Facts(known=True, simulated=case.simulated, recalled_at=recalled, replaced_by=number or "")


def _require_simulated(case: ApprovalCase) -> None:
    if not case.simulated:
        raise NotConvertible(Text(f"办件 {case.number} 不是模拟审批。", f"Case {case.number} is not a simulated one."))
    moved(CaseState(case.state), "recall")


def _applicant_code(work: Casework, case: ApprovalCase) -> str:
    """In clear, in memory alone: what is shown of a person's number is the same for many persons."""
    if case.applicant_code_sealed is None:
        return case.applicant_code
    return work.personal_numbers.open(case.applicant_code_sealed, case.id)


def _require_replacement(case: ApprovalCase, formal: ApprovalCase, *, same_code: bool) -> None:
    """Formal, delivered, the same matter, the same applicant."""
    problems = {
        Text("它本身是模拟审批。", "It is simulated itself."): formal.simulated,
        Text("它尚未办结。", "It is not delivered."): CaseState(formal.state) is not CaseState.DELIVERED,
        Text("事项不同。", "It is another matter."): formal.matter != case.matter,
        Text("申请人不同。", "It is another applicant's."): formal.applicant_name != case.applicant_name
        or not same_code,
    }
    for why, found in problems.items():
        if found:
            raise NotConvertible(why)
