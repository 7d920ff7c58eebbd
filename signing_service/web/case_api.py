"""The cases API: a city's online approval platform hands in cases and follows them to the sealed result.

POST /api/v1/cases, GET /api/v1/cases[/{id}[/events|/file]], POST …/supplement|/withdraw, GET /api/v1/matters,
PUT and GET /api/v1/case-webhook, POST /api/v1/case-webhook/replay. Authentication, purpose, problem documents and
Idempotency-Key as in the departments' API. A platform sees its own cases; all others are not there (404).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response

from signing_service.approvals import access, intake, material_notices
from signing_service.approvals.applicants import Applicant
from signing_service.approvals.case_events import dead_events, events_of, replay_events
from signing_service.approvals.case_webhooks import event_entry
from signing_service.approvals.casework import Casework, find_case
from signing_service.approvals.course_view import view_case
from signing_service.approvals.errors import CaseExists, CaseNotFound, NotReleased, RouteInvalid
from signing_service.approvals.intake import CaseRequest
from signing_service.approvals.platform_case import case_entry, cases_of_platform, matter_entry
from signing_service.approvals.platform_tables import SOURCE
from signing_service.approvals.platforms import check_request, platform_of, set_webhook
from signing_service.approvals.rules import Actor, CaseState
from signing_service.errors import ExplainedError, Text
from signing_service.kernel.audit_log import Act
from signing_service.kernel.problems import language_of
from signing_service.people.departments import Department
from signing_service.people.idempotency import Answer, CallOnce, Repeats
from signing_service.people.oauth import Caller
from signing_service.web import case_models as bodies
from signing_service.web.purposes import IdempotencyKey, Purpose, from_headers

MOST_CASES = 200
Asked = Annotated[Purpose, Depends(from_headers)]


@dataclass(frozen=True, slots=True)
class CaseApiParts:
    """`authenticate`: the caller of a request by its bearer token; raises TokenRefused."""

    work: Casework
    authenticate: Callable[[Request], Caller]


def router(parts: CaseApiParts) -> APIRouter:
    """Every address authenticates."""
    routes = APIRouter(prefix="/api/v1", tags=["办件报送"])

    def caller_of(request: Request) -> Caller:
        return parts.authenticate(request)

    who = Depends(caller_of)
    _add_cases(routes, parts, who)
    _add_answers(routes, parts, who)
    _add_webhook(routes, parts, who)
    return routes


def _add_cases(routes: APIRouter, parts: CaseApiParts, who: Any) -> None:
    work = parts.work

    @routes.post("/cases", summary="报送办件", status_code=201, response_model=bodies.OpenedView)
    def hand_in(body: bodies.CaseBody, key: IdempotencyKey, caller: Caller = who) -> dict[str, Any]:
        purpose = body.as_purpose()
        with _refusals(work, "case.open", caller, purpose, f"client:{caller.client_id}"):
            request = _case_request(work, caller, body)
            call = CallOnce(caller.client_id, key, "/cases", body.model_dump(mode="json"))
            return _repeats(work).once(call, lambda again: _open(work, caller, request, again=again))

    @routes.get("/matters", summary="可报送的事项")
    def matters(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        with _refusals(work, "case.matters", caller, asked, f"client:{caller.client_id}"):
            with work.database.read() as session:
                codes = platform_of(session, caller.client_id).matters
            known = {matter.code: matter for matter in work.matters.all()}
            return {"items": [matter_entry(known[code]) for code in codes if code in known]}

    @routes.get("/cases", summary="本平台报送的办件")
    def mine(
        asked: Asked,
        after: Annotated[str, Query(max_length=32, description="上一页最后一件的编号")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_CASES)] = 50,
        caller: Caller = who,
    ) -> dict[str, Any]:
        with _refusals(work, "case.list", caller, asked, f"client:{caller.client_id}"):
            with work.database.read() as session:
                items = cases_of_platform(session, caller.client_id, after, limit)
            _log(work, "case.listed", caller, asked, f"client:{caller.client_id}", count=len(items))
            return {"items": items}

    @routes.get("/cases/{case_id}", summary="办件的全过程", response_model=bodies.CaseView)
    def one(request: Request, case_id: str, asked: Asked, caller: Caller = who) -> dict[str, Any]:
        with _refusals(work, "case.view", caller, asked, f"case:{case_id[:32]}"):
            _require_own(work, caller, case_id)
            _log(work, "case.viewed", caller, asked, f"case:{case_id}")
            return case_entry(work, case_id, language_of(request))

    @routes.get("/cases/{case_id}/events", summary="办件的各步(轮询)", response_model=bodies.EventsView)
    def events(
        case_id: str, asked: Asked, after: Annotated[int, Query(ge=0)] = 0, caller: Caller = who
    ) -> dict[str, Any]:
        with _refusals(work, "case.events", caller, asked, f"case:{case_id[:32]}"):
            _require_own(work, caller, case_id)
            _log(work, "case.events_read", caller, asked, f"case:{case_id}")
            with work.database.read() as session:
                return {"items": [event_entry(event) for event in events_of(session, case_id, after)]}

    @routes.get("/cases/{case_id}/file", summary="盖章的结果文件(PDF)", response_class=Response)
    def file(case_id: str, asked: Asked, caller: Caller = who) -> Response:
        with _refusals(work, "case.file", caller, asked, f"case:{case_id[:32]}"):
            _require_own(work, caller, case_id)
            return _file(work, caller, asked, case_id)


def _add_answers(routes: APIRouter, parts: CaseApiParts, who: Any) -> None:
    """What the applicant answers through the platform."""
    work = parts.work

    @routes.post("/cases/{case_id}/supplement", summary="补正材料")
    def supplement(
        case_id: str, body: bodies.SupplementBody, key: IdempotencyKey, caller: Caller = who
    ) -> dict[str, Any]:
        def act(again: bool) -> Answer:
            if not (again and _state(work, case_id) is CaseState.RECEIVED):
                material_notices.supplement(work, case_id, _actor(caller), body.fields)
            return {"id": case_id, "state": str(_state(work, case_id))}

        return _answer(work, caller, body, key, case_id, "supplement", act)

    @routes.post("/cases/{case_id}/withdraw", summary="申请人撤回")
    def withdraw(case_id: str, body: bodies.WithdrawBody, key: IdempotencyKey, caller: Caller = who) -> dict[str, Any]:
        def act(again: bool) -> Answer:
            if not (again and _state(work, case_id) is CaseState.WITHDRAWN):
                intake.withdraw(work, case_id, _actor(caller), body.reason)
            return {"id": case_id, "state": str(_state(work, case_id))}

        return _answer(work, caller, body, key, case_id, "withdraw", act)


def _add_webhook(routes: APIRouter, parts: CaseApiParts, who: Any) -> None:
    work = parts.work

    @routes.put("/case-webhook", summary="设置回调地址(空为取消)")
    def put(body: bodies.WebhookBody, caller: Caller = who) -> dict[str, Any]:
        with _refusals(work, "platform.webhook", caller, body.as_purpose(), f"client:{caller.client_id}"):
            set_webhook(work, caller.client_id, body.url.strip(), _actor(caller))
            return {"url": body.url.strip()}

    @routes.get("/case-webhook", summary="回调地址和未送达的通知")
    def get(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        with (
            _refusals(work, "platform.webhook", caller, asked, f"client:{caller.client_id}"),
            work.database.read() as session,
        ):
            platform = platform_of(session, caller.client_id)
            dead = [
                {"case": event.case_id, "number": event.number, "why": event.last_error}
                for event in dead_events(session, caller.client_id)
            ]
            return {"url": platform.webhook, "dead": dead}

    @routes.post("/case-webhook/replay", summary="重送未送达的通知")
    def replay(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        with _refusals(work, "platform.replay", caller, asked, f"client:{caller.client_id}"):
            with work.database.write() as session:
                platform_of(session, caller.client_id)
                count = replay_events(session, caller.client_id, work.clock.now())
            return {"replayed": count}


def _open(work: Casework, caller: Caller, request: CaseRequest, *, again: bool) -> Answer:
    """A try that was cut short after the case was made is taken up; its query code, which nobody has, is replaced."""
    try:
        opened = intake.open_case(work, request, _actor(caller))
        case_id, number, code = opened.case_id, opened.number, opened.query_code
    except CaseExists as existing:
        if not again:
            raise
        number = existing.number
        case_id = intake.case_of_source(work, request.source, request.source_key)
        code = access.replace_code(work, case_id, _actor(caller), identity_check="报送平台重试")
    return {"id": case_id, "number": number, "query_code": code, "state": str(_state(work, case_id))}


def _repeats(work: Casework) -> Repeats:
    """Answers are kept with the query code sealed."""

    def keep(answer: Answer) -> Answer:
        sealed = work.personal_numbers.seal(str(answer["query_code"]), str(answer["id"]))
        return {**answer, "query_code": sealed.hex()}

    def give(stored: Answer) -> Answer:
        sealed = bytes.fromhex(str(stored["query_code"]))
        return {**stored, "query_code": work.personal_numbers.open(sealed, str(stored["id"]))}

    return Repeats(work.database, work.clock, keep, give)


def _case_request(work: Casework, caller: Caller, body: bodies.CaseBody) -> CaseRequest:
    """Raises PlatformUnknown, MatterUnknown, MatterNotAllowed, RouteNotAllowed, RouteInvalid."""
    with work.database.read() as session:
        platform = platform_of(session, caller.client_id)
        check_request(platform, body.matter, own_route=bool(body.route))
        names = {step.department: session.get(Department, step.department) for step in body.route}
    missing = sorted(id for id, row in names.items() if row is None)
    if missing:
        raise RouteInvalid(Text(f"没有部门 {'、'.join(missing)}。", f"Unknown departments: {', '.join(missing)}."))
    if basis := body.basis_case:
        _require_own(work, caller, basis)
    who, check = body.applicant, body.real_name_check
    return CaseRequest(
        matter=body.matter, applicant=Applicant(who.name, who.code, who.code_type), fields=body.fields,
        title=body.title.strip(), given=body.document, commitment=body.commitment, simulated=body.simulated,
        route=[step.as_plan(row.name if (row := names[step.department]) else "") for step in body.route],
        basis_case=basis, tentative_date=body.tentative_date,
        source=f"{SOURCE}{caller.client_id}", source_key=body.reference,
        real_name_check=f"{check.by},{check.method},{check.at:%Y-%m-%d %H:%M%z}"[:100],
        contacts={"sms": who.phone, "mail": who.mail}, purpose=body.purpose,
    )  # fmt: skip


def _answer(
    work: Casework, caller: Caller, body: Any, key: str, case_id: str, act: str, do: Callable[[bool], Answer]
) -> Answer:
    purpose = body.as_purpose()
    with _refusals(work, f"case.{act}", caller, purpose, f"case:{case_id[:32]}"):
        _require_own(work, caller, case_id)
        call = CallOnce(caller.client_id, key, f"/cases/{case_id}/{act}", body.model_dump(mode="json"))
        return Repeats(work.database, work.clock).once(call, do)


def _file(work: Casework, caller: Caller, asked: Purpose, case_id: str) -> Response:
    view = view_case(work, case_id)
    digest = view.document_digest
    if view.state != CaseState.DELIVERED or not digest:
        raise NotReleased(view.words)
    content = work.blobs.get(digest)
    _log(work, "case.file_fetched", caller, asked, f"case:{case_id}", digest=digest)
    name = quote(f"{view.document_number}.pdf")
    return Response(
        content, media_type="application/pdf",
        headers={"Content-Disposition": f"attachment; filename=\"result.pdf\"; filename*=UTF-8''{name}"},
    )  # fmt: skip


def _require_own(work: Casework, caller: Caller, case_id: str) -> None:
    """Raises CaseNotFound for every case that this client did not hand in."""
    with work.database.read() as session:
        if find_case(session, case_id[:32]).source != f"{SOURCE}{caller.client_id}":
            raise CaseNotFound(case_id[:32])


def _state(work: Casework, case_id: str) -> CaseState:
    with work.database.read() as session:
        return CaseState(find_case(session, case_id).state)


@contextmanager
def _refusals(work: Casework, kind: str, caller: Caller, purpose: Purpose, subject: str) -> Iterator[None]:
    """A refused call is logged in a transaction of its own and raised on."""
    try:
        yield
    except ExplainedError as refusal:
        work.audit.refuse(work.database, _act(kind, caller, purpose, subject), work.clock.now(), refusal.code)
        raise


def _log(
    work: Casework, kind: str, caller: Caller, purpose: Purpose, subject: str, digest: str = "", **more: Any
) -> None:
    with work.database.write() as session:
        work.audit.record(session, _act(kind, caller, purpose, subject, digest, **more), work.clock.now())


def _act(kind: str, caller: Caller, purpose: Purpose, subject: str, digest: str = "", **more: Any) -> Act:
    details = {"purpose": purpose.purpose, "matter": purpose.matter, **more}
    return Act(kind, f"client:{caller.client_id}", subject, caller.department_id, digest=digest, details=details)


def _actor(caller: Caller) -> Actor:
    return Actor(f"client:{caller.client_id}", caller.department_id)
