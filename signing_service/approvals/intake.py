"""A case comes in: opened with its route and query code, then accepted, refused or withdrawn."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from signing_service.approvals.applicants import Applicant, shown_code
from signing_service.approvals.casework import Casework
from signing_service.approvals.errors import CaseExists, RequestIncomplete
from signing_service.approvals.matter_catalogue import GIVEN_FILE, Matter, StepPlan
from signing_service.approvals.numbers import case_number
from signing_service.approvals.query_codes import issue_code
from signing_service.approvals.register import GIVEN, ApprovalCase, DocumentVersion, RouteStep
from signing_service.approvals.rules import Actor, CaseState, StepState
from signing_service.approvals.texts import texts_of
from signing_service.errors import Text

WINDOW = "window"


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """What is filed. `source` and `source_key` make it idempotent: the online platform's own number of the request.

    `given`: the one file that is signed and sealed, for matters with document_mode "given". `route` replaces the
    matter's. `real_name_check`: who checked the applicant's identity, and how. `title` empty: made by the matter.
    """

    matter: str
    applicant: Applicant
    fields: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    given: bytes | None = None
    route: Sequence[StepPlan] = ()
    simulated: bool = False
    basis_case: str = ""
    source: str = WINDOW
    source_key: str = ""
    real_name_check: str = ""


@dataclass(frozen=True, slots=True)
class OpenedCase:
    """`query_code` is shown once, on the receipt; only its hash is kept. `step_ids` in the order of the route."""

    case_id: str
    number: str
    query_code: str
    step_ids: tuple[int, ...]


def open_case(work: Casework, request: CaseRequest, actor: Actor) -> OpenedCase:
    """Take a case in. Raises MatterUnknown, RequestIncomplete, CaseExists, PersonalNumbersUnprotected."""
    matter = work.matters.get(request.matter)
    content = texts_of(matter, request.applicant.name, request.title, request.fields, simulated=request.simulated)
    given = _given_digest(work, matter, request)
    try:
        with work.database.write() as session:
            case = _case(work, session, matter, request, content)
            session.add(case)
            session.flush()
            if given:
                session.add(_given_version(case, given, actor))
            code = issue_code(session, case.id, by=actor.id, at=case.received_at)
            work.log(session, case, "open", actor, digest=given, matter=matter.code, source=case.source)
            session.flush()
            return OpenedCase(case.id, case.number, code, tuple(step.id for step in case.steps))
    except IntegrityError as failure:
        raise _existing(work, request, failure) from None


def accept(work: Casework, case_id: str, actor: Actor) -> None:
    """Acceptance (受理): the clock starts; the day itself does not count. Raises MoveNotAllowed."""
    with work.change(case_id) as (session, case):
        work.move(session, case, "accept", actor)
        case.accepted_at = work.clock.now()


def refuse(work: Casework, case_id: str, actor: Actor, reason: str) -> None:
    """不予受理, with the reason that the applicant is told. Raises MoveNotAllowed, ReasonMissing."""
    with work.change(case_id) as (session, case):
        work.move(session, case, "refuse", actor, reason=reason)


def withdraw(work: Casework, case_id: str, actor: Actor, reason: str) -> None:
    """The applicant takes the case back, at any time before approval. Raises MoveNotAllowed, ReasonMissing."""
    with work.change(case_id) as (session, case):
        work.move(session, case, "withdraw", actor, reason=reason)


def _given_digest(work: Casework, matter: Matter, request: CaseRequest) -> str:
    """The given file is stored before the transaction that names it."""
    if matter.document_mode != GIVEN_FILE:
        return ""
    if not request.given:
        raise RequestIncomplete(Text("缺少待签署的文件", "the file to be signed is missing"))
    return work.blobs.put(request.given)


def _given_version(case: ApprovalCase, digest: str, actor: Actor) -> DocumentVersion:
    return DocumentVersion(
        case_id=case.id, kind=GIVEN, text=1, revision=0, digest=digest, created_at=case.received_at, created_by=actor.id
    )


def _case(
    work: Casework, session: Session, matter: Matter, request: CaseRequest, content: dict[str, Any]
) -> ApprovalCase:
    case_id, who = secrets.token_hex(16), request.applicant
    if not who.name.strip() or not who.code.strip():
        raise RequestIncomplete(Text("缺少申请人名称或证件号", "the applicant's name or code is missing"))
    return ApprovalCase(
        id=case_id,
        number=case_number(session, matter.case_prefix, work.today),
        source=request.source,
        source_key=request.source_key or case_id,
        request_digest=request_digest(request),
        matter=matter.code,
        title=content["title"],
        document_mode=matter.document_mode,
        state=CaseState.RECEIVED,
        simulated=request.simulated,
        basis_case=request.basis_case,
        department=matter.department,
        issuer_code=matter.issuer_code,
        issuer_name=matter.issuer_name,
        applicant_name=who.name.strip(),
        applicant_code=shown_code(who.code, who.code_type),
        applicant_code_type=who.code_type,
        applicant_code_sealed=None if who.is_organisation else work.personal_numbers.seal(who.code, case_id),
        real_name_check=request.real_name_check,
        content=content,
        received_at=work.clock.now(),
        steps=_steps(request.route or matter.route),
    )


def _steps(plans: Sequence[StepPlan]) -> list[RouteStep]:
    return [
        RouteStep(
            stage=plan.stage, place=place, title=plan.title, department=plan.department,
            department_name=plan.department_name, role=plan.role, officer=plan.officer,
            promised_days=plan.promised_days, signs_again=plan.signs_again, state=StepState.WAITING,
            box=None if plan.box is None else dict(plan.box),
        )
        for place, plan in enumerate(sorted(plans, key=lambda one: one.stage), start=1)
    ]  # fmt: skip


def request_digest(request: CaseRequest) -> str:
    """SHA-256 over the request's content, to tell a repetition from another request under the same key."""
    content = [request.matter, request.title, dict(request.fields), request.applicant.name, request.applicant.code]
    given = hashlib.sha256(request.given or b"").hexdigest()
    return hashlib.sha256(json.dumps([content, given], sort_keys=True, default=str).encode()).hexdigest()


def _existing(work: Casework, request: CaseRequest, failure: IntegrityError) -> Exception:
    with work.database.read() as session:
        query = select(ApprovalCase.number).where(
            ApprovalCase.source == request.source, ApprovalCase.source_key == request.source_key
        )
        number = session.scalar(query)
    return failure if number is None else CaseExists(number)
