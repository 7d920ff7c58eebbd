"""A case as the platform that handed it in sees it: everything that the applicant may know, no officer's name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from signing_service.approvals.casework import Casework, find_case
from signing_service.approvals.course_view import CaseView, ClockView, NoticeView, StepView, view_case
from signing_service.approvals.matter_catalogue import Matter
from signing_service.approvals.platform_tables import SOURCE, CaseEvent
from signing_service.approvals.register import ApprovalCase
from signing_service.errors import Language


def case_entry(work: Casework, case_id: str, language: Language) -> dict[str, Any]:
    """State, deadlines, steps, notices of what is missing, clock changes, result. Raises CaseNotFound."""
    view = view_case(work, case_id)
    with work.database.read() as session:
        case = find_case(session, case_id)
        last = session.scalar(select(func.max(CaseEvent.number)).where(CaseEvent.case_id == case_id)) or 0
    return {
        "id": view.case_id, "number": view.number, "reference": case.source_key, "matter": case.matter,
        "title": view.title, "state": view.state, "words": view.words.in_(language), "simulated": view.simulated,
        "applicant": {"name": case.applicant_name, "code": case.applicant_code, "code_type": case.applicant_code_type},
        "received_at": view.received_at, "accepted_at": view.accepted_at, "ended_at": view.ended_at,
        "statutory_due": view.statutory_due.day if view.statutory_due else None,
        "promised_due": view.promised_due.day if view.promised_due else None,
        "provisional": bool(view.promised_due and view.promised_due.provisional), "card": view.card.value,
        "steps": [_step(step) for step in view.steps],
        "notices": [_notice(notice) for notice in view.notices],
        "clock": [_clock(change) for change in view.clock],
        "result": _result(view),
        "last_event": last,
    }  # fmt: skip


def cases_of_platform(session: Session, client_id: str, after: str, limit: int) -> list[dict[str, Any]]:
    """A client's cases in the order of their numbers, those after the number `after`."""
    query = select(ApprovalCase).where(ApprovalCase.source == f"{SOURCE}{client_id}", ApprovalCase.number > after)
    return [
        {"id": case.id, "number": case.number, "reference": case.source_key, "state": str(case.state)}
        for case in session.scalars(query.order_by(ApprovalCase.number).limit(limit))
    ]


def matter_entry(matter: Matter) -> dict[str, Any]:
    """What a platform has to know to hand a case in."""
    return {
        "code": matter.code, "name": matter.name, "document_mode": matter.document_mode,
        "statutory_days": matter.statutory_days, "promised_days": matter.promised_days,
        "fields": dict(matter.labels), "required": sorted(matter.required_fields),
        "route": [
            {"stage": step.stage, "title": step.title, "department": step.department,
             "promised_days": step.promised_days}
            for step in matter.route
        ],
    }  # fmt: skip


def _step(step: StepView) -> dict[str, Any]:
    return {
        "stage": step.stage, "title": step.title, "department": step.department_name, "state": step.state,
        "opened_at": _instant(step.opened_at), "signed_at": _instant(step.signed_at), "delegate": step.as_delegate,
    }  # fmt: skip


def _notice(notice: NoticeView) -> dict[str, Any]:
    return {
        "items": list(notice.items), "given_at": _instant(notice.given_at),
        "answered_at": _instant(notice.answered_at), "repeated": notice.repeated,
    }  # fmt: skip


def _clock(change: ClockView) -> dict[str, Any]:
    return {
        "kind": change.kind, "reason": change.reason, "legal_basis": change.legal_basis,
        "begun_on": change.begun_on.isoformat(), "ended_on": change.ended_on.isoformat() if change.ended_on else None,
        "days": change.days,
    }  # fmt: skip


def _result(view: CaseView) -> dict[str, str] | None:
    if not view.document_digest:
        return None
    return {"document_number": view.document_number, "sha256": view.document_digest, "licence": view.licence}


def _instant(value: Any) -> str | None:
    return None if value is None else value.isoformat()
