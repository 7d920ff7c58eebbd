"""A case comes in: opened with its route and query code, then accepted, refused or withdrawn."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from signing_service.approvals.applicants import Applicant, shown_code
from signing_service.approvals.case_notices import tell_query_code
from signing_service.approvals.casework import Casework, find_case
from signing_service.approvals.errors import CaseExists, CaseNotFound, NotConvertible, RequestIncomplete
from signing_service.approvals.matter_catalogue import GIVEN_FILE, Matter, StepPlan
from signing_service.approvals.numbers import case_number
from signing_service.approvals.platform_tables import ApplicantContact
from signing_service.approvals.query_codes import FreshCode, fresh_code, issue_code
from signing_service.approvals.register import COMMITMENT, GIVEN, ApprovalCase, DocumentVersion, RouteStep
from signing_service.approvals.rules import Actor, CaseState, StepState
from signing_service.approvals.texts import texts_of
from signing_service.errors import Text
from signing_service.people.addresses import checked_address

WINDOW = "window"


@dataclass(frozen=True, slots=True)
class CaseRequest:
    """What is filed. `source` and `source_key` make it idempotent: the online platform's own number of the request.

    `given`: the one file that is signed and sealed, for matters with document_mode "given". `route` replaces the
    matter's. `real_name_check`: who checked the applicant's identity, and how. `title` empty: made by the matter.
    A simulated case (模拟审批) needs `commitment`, the letter that the applicant signed; it may have a tentative date
    and build on a delivered case, `basis_case`, simulated or not. `contacts`: where the applicant wants to be told, by
    channel (sms, mail); kept sealed. `purpose`: why a platform calls, for the log.
    """

    matter: str
    applicant: Applicant
    fields: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    given: bytes | None = None
    route: Sequence[StepPlan] = ()
    simulated: bool = False
    basis_case: str = ""
    commitment: bytes | None = None
    tentative_date: date | None = None
    source: str = WINDOW
    source_key: str = ""
    real_name_check: str = ""
    contacts: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What is kept of a request only sealed: made before the transaction, since it may go to a token."""

    code: bytes | None
    contacts: Mapping[str, bytes]
    query_code: bytes


@dataclass(frozen=True, slots=True)
class OpenedCase:
    """`query_code` is shown once, on the receipt; only its hash is kept. `step_ids` in the order of the route."""

    case_id: str
    number: str
    query_code: str
    step_ids: tuple[int, ...]


def open_case(work: Casework, request: CaseRequest, actor: Actor) -> OpenedCase:
    """Take a case in. Raises MatterUnknown, RequestIncomplete, CaseExists, NotConvertible (an unfit basis case),
    PersonalNumbersUnprotected, AddressInvalid."""
    matter = work.matters.get(request.matter)
    content = texts_of(matter, request.applicant.name, request.title, request.fields, simulated=request.simulated)
    documents, fresh = _documents(work, matter, request), fresh_code(secrets.token_hex(16))
    sealed = _sealed(work, request, fresh)
    try:
        with work.database.write() as session:
            require_basis(session, request.basis_case, simulated=request.simulated)
            case = _case(work, session, fresh.case_id, matter, request, content, sealed.code)
            session.add(case)
            session.flush()
            for channel, address in sealed.contacts.items():
                session.add(ApplicantContact(case_id=case.id, channel=channel, address_sealed=address))
            for kind, digest in documents.items():
                session.add(_version(case, kind, digest, actor))
            code = issue_code(session, fresh, by=actor.id, at=case.received_at)
            work.log(
                session, case, "open", actor, digest=documents.get(GIVEN, ""), matter=matter.code, source=case.source,
                purpose=request.purpose,
            )  # fmt: skip
            tell_query_code(session, case, sealed.query_code, case.received_at)
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


def case_of_source(work: Casework, source: str, source_key: str) -> str:
    """The id of the case that was opened for this request. Raises CaseNotFound."""
    with work.database.read() as session:
        query = select(ApprovalCase.id).where(ApprovalCase.source == source, ApprovalCase.source_key == source_key)
        found = session.scalar(query)
    if found is None:
        raise CaseNotFound(source_key)
    return found


def _documents(work: Casework, matter: Matter, request: CaseRequest) -> dict[str, str]:
    """Digests of what came with the request, by kind; stored before the transaction that names them."""
    wanted = {GIVEN: request.given} if matter.document_mode == GIVEN_FILE else {}
    if request.simulated:
        wanted[COMMITMENT] = request.commitment
    if any(not content for content in wanted.values()):
        raise RequestIncomplete(Text("缺少待签署的文件或承诺书", "the file to be signed or the commitment is missing"))
    return {kind: work.blobs.put(content) for kind, content in wanted.items() if content}


def _version(case: ApprovalCase, kind: str, digest: str, actor: Actor) -> DocumentVersion:
    return DocumentVersion(
        case_id=case.id, kind=kind, text=1, revision=0, digest=digest, created_at=case.received_at, created_by=actor.id
    )


def require_basis(session: Session, basis_case: str, *, simulated: bool) -> None:
    """An opinion may build on a delivered case; a formal one never on a simulated one. Raises NotConvertible."""
    if not basis_case:
        return
    basis = find_case(session, basis_case)
    if CaseState(basis.state) is not CaseState.DELIVERED:
        raise NotConvertible(
            Text(f"依据的办件 {basis.number} 尚未办结。", f"Its basis {basis.number} is not delivered.")
        )
    if basis.simulated and not simulated:
        raise NotConvertible(
            Text("正式审批不能以模拟审批为依据。", "A formal approval cannot rest on a simulated one.")
        )


def _sealed(work: Casework, request: CaseRequest, fresh: FreshCode) -> _Sealed:
    """Raises RequestIncomplete, AddressInvalid, PersonalNumbersUnprotected."""
    who, numbers, case_id = request.applicant, work.personal_numbers, fresh.case_id
    if not who.name.strip() or not who.code.strip():
        raise RequestIncomplete(Text("缺少申请人名称或证件号", "the applicant's name or code is missing"))
    contacts = {
        channel: numbers.seal(checked_address(channel, address), case_id)
        for channel, address in request.contacts.items()
        if address.strip()
    }
    return _Sealed(
        None if who.is_organisation else numbers.seal(who.code, case_id),
        contacts,
        numbers.seal(fresh.shown, case_id) if contacts else b"",
    )


def _case(
    work: Casework,
    session: Session,
    case_id: str,
    matter: Matter,
    request: CaseRequest,
    content: dict[str, Any],
    code_sealed: bytes | None,
) -> ApprovalCase:
    who = request.applicant
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
        tentative_date=request.tentative_date,
        department=matter.department,
        issuer_code=matter.issuer_code,
        issuer_name=matter.issuer_name,
        applicant_name=who.name.strip(),
        applicant_code=shown_code(who.code, who.code_type),
        applicant_code_type=who.code_type,
        applicant_code_sealed=code_sealed,
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
