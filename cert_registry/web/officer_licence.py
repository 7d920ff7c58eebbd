"""/registry/licences/ID: one licence with its whole course, who looked at it, and the acts on it."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.audit.accesses import accesses
from cert_registry.errors import ExplainedError, Language, Text
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.issue import midnight
from cert_registry.licences.lifecycle import OPERATIONS
from cert_registry.licences.operations import RECORDABLE, Change, record
from cert_registry.licences.register import Licence, successor_of
from cert_registry.licences.status_facts import standing_of
from cert_registry.sharing.access import ANY, Access, Relation
from cert_registry.web.api_licences import pdf_response
from cert_registry.web.officer_desk import AUDITOR, CLERK, READ, OfficerDesk, actor_of
from cert_registry.web.officer_search import shown_standing
from cert_registry.web.statuses import RequestInvalid, status_of
from cert_registry.web.views import full_view, history_view
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import local
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.people.departments import Department
from signing_service.people.sessions import LoggedIn
from signing_service.web.error_edge import NotFound

MOST_ACCESSES = 50
FOR_GOOD = frozenset({"cancel", "revoke", "withdraw", "forfeit"})
EFFECTS = {
    "suspend": Text("暂扣期间证照不可使用,核验答“暂扣”。", "While suspended it may not be used; verifying says so."),
    "return": Text("证照恢复有效。", "The licence is valid again."),
    "cancel": Text("证照从生效时起不得再使用。", "From then on it may not be used."),
    "revoke": Text("违法取得等情形,证照从生效时起不得再使用。", "Wrongly obtained: from then on it may not be used."),
    "withdraw": Text(
        "情势变更等情形,证照从生效时起不得再使用。", "Circumstances changed: from then on it may not be used."
    ),
    "forfeit": Text("作为处罚,证照从生效时起不得再使用。", "As a penalty: from then on it may not be used."),
    "transfer_out": Text("转到别的登记机关,这里不再有效。", "It moves to another authority and ends here."),
    "cancel_transfer": Text("转出没有完成,恢复有效。", "The transfer was not completed; it is valid again."),
}
Line = Annotated[str, Form(max_length=500)]


def licence_pages(desk: OfficerDesk) -> APIRouter:
    """Reading is logged like a department's reading."""
    routes = APIRouter(prefix="/registry/licences/{identifier}")
    _add_view(routes, desk)
    _add_acts(routes, desk)
    return routes


def _add_view(routes: APIRouter, desk: OfficerDesk) -> None:
    officer = Annotated[LoggedIn, Depends(desk.reader)]

    @routes.get("")
    def view(request: Request, who: officer, identifier: str) -> Response:
        now = desk.parts.clock.now()
        with desk.parts.database.read() as session:
            licence = desk.licence(session, who, identifier)
        desk.note(who, READ, f"licence:{licence.identifier}", now, {"page": "licence"})
        with desk.parts.database.read() as session:
            shown = _shown(session, desk, who, licence, now, request)
        return render(request, "registry/desk_licence.html", who=who, **shown)

    @routes.get("/file")
    def file(who: officer, identifier: str) -> Response:
        with desk.parts.database.read() as session:
            licence = desk.licence(session, who, identifier)
        desk.note(who, READ, f"licence:{licence.identifier}", desk.parts.clock.now(), {"page": "file"})
        name = f"{desk.parts.catalogue.get(licence.type_code).name.zh}-{licence.number}.pdf".replace("/", "-")
        return pdf_response(desk.parts.blobs.get(licence.digest or ""), name, f'"{licence.digest}"')


def _add_acts(routes: APIRouter, desk: OfficerDesk) -> None:
    officer = Annotated[LoggedIn, Depends(desk.clerk)]

    @routes.get("/acts/{operation}")
    def ask(request: Request, who: officer, identifier: str, operation: str) -> Response:
        with desk.parts.database.read() as session:
            licence = desk.licence(session, who, identifier)
        return _act_page(request, desk, who, licence, operation)

    @routes.post("/acts/{operation}")
    def act(
        request: Request, who: officer, identifier: str, operation: str, reason: Line = "", basis: Line = "",
        effective: Annotated[str, Form(max_length=10)] = "", typed: Annotated[str, Form(max_length=100)] = "",
        voids: Annotated[int | None, Form()] = None,
    ) -> Response:  # fmt: skip
        with desk.parts.database.read() as session:
            licence = desk.licence(session, who, identifier)
        given = {"reason": reason, "basis": basis, "effective": effective, "typed": typed}
        try:
            _require_typed(licence, operation, typed)
            _record(desk, who, licence, Change(operation, _effective(effective, desk), reason, basis, voids))
        except ExplainedError as refusal:
            return _act_page(request, desk, who, licence, operation, refusal=refusal, given=given, voids=voids)
        return RedirectResponse(f"/registry/licences/{quote(licence.identifier)}", status_code=303)


def _record(desk: OfficerDesk, who: LoggedIn, licence: Licence, change: Change) -> None:
    """Under the licence's lock; a refusal is logged in a transaction of its own."""
    now = desk.parts.clock.now()
    try:
        with desk.parts.database.write() as session:
            record(session, LicenceIdentifier.parse(licence.identifier), change, actor_of(who), now)
    except ExplainedError as refusal:
        act = Act("licence.operation", f"officer:{who.officer}", f"licence:{licence.identifier}", who.department)
        AuditLog().refuse(desk.parts.database, act, now, refusal.code)
        raise


def _shown(
    session: Session, desk: OfficerDesk, who: LoggedIn, licence: Licence, now: datetime, request: Request
) -> dict[str, Any]:
    language, audits = language_of(request), AUDITOR in who.roles
    session.add(licence)
    kind, stands = desk.parts.catalogue.get(licence.type_code), standing_of(licence, now, now)
    competent = desk.parts.competent_body(session, licence.issuer_code)
    looked, _more = accesses(session, licence.identifier, refusals=audits, limit=MOST_ACCESSES)
    voided = {row.voids for row in licence.operations}
    return {
        "licence": full_view(licence, kind, stands, competent, language, Access(Relation.OWN, frozenset({ANY}))),
        "standing": shown_standing(stands, language), "sentence": stands.sentence.in_(language),
        "history": _history(session, licence, language), "voided": voided,
        "first": licence.operations[0].id if licence.operations else 0,
        "successor": successor_of(session, licence.identifier), "looked": looked, "audits": audits,
        "offered": _offered(licence, now) if CLERK in who.roles else [],
        "acts": CLERK in who.roles, "matters": kind.matters,
    }  # fmt: skip


def _history(session: Session, licence: Licence, language: Language) -> list[dict[str, Any]]:
    """As the API shows it, with instants to be written in the reader's way and the departments' names."""
    names = {row.id: row.name for row in session.scalars(select(Department))}
    return [
        {
            **row, "effective": datetime.fromisoformat(row["effective_from"]),
            "recorded": datetime.fromisoformat(row["recorded_at"]),
            "by": names.get(row["department"], row["department"]) or "—",
        }
        for row in history_view(licence, language)
    ]  # fmt: skip


def _offered(licence: Licence, now: datetime) -> list[tuple[str, Text]]:
    """The operations that the present state allows."""
    status = licence.state(now, now).status
    return [(key, one.text) for key, one in OPERATIONS.items() if key in RECORDABLE and status in one.sources]


def _act_page(
    request: Request, desk: OfficerDesk, who: LoggedIn, licence: Licence, operation: str, *,
    refusal: ExplainedError | None = None, given: dict[str, str] | None = None, voids: int | None = None,
) -> Response:  # fmt: skip
    """Raises NotFound for what is no operation of an officer."""
    if operation != "void" and operation not in RECORDABLE:
        raise NotFound
    number = voids or int(request.query_params.get("entry", "0") or 0) if operation == "void" else 0
    words = Text("更正记录", "Take a record back") if operation == "void" else OPERATIONS[operation].text
    effect = EFFECTS.get(operation, Text("这条记录不再算数,两条都保留。", "The record no longer counts; both stay."))
    return render(
        request, "registry/desk_act.html", status=status_of(refusal) if refusal else 200, who=who, licence=licence,
        operation=operation, words=words, effect=effect, for_good=operation in FOR_GOOD, voids=number,
        needs_basis=operation != "void" and OPERATIONS[operation].needs_basis, error=refusal,
        given=given or {"reason": "", "basis": "", "effective": "", "typed": ""},
    )  # fmt: skip


def _effective(text: str, desk: OfficerDesk) -> datetime:
    """The beginning of the day that was chosen; now when none was, or today. Raises RequestInvalid."""
    now = desk.parts.clock.now()
    if not text.strip():
        return now
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a date alone
    except ValueError:
        raise RequestInvalid(Text("生效日期应为 2026-11-24 这样的日期。", "Write the day like 2026-11-24.")) from None
    return now if day == local(now).date() else midnight(day)


def _require_typed(licence: Licence, operation: str, typed: str) -> None:
    if operation in FOR_GOOD and typed.strip() != licence.number:
        raise RequestInvalid(
            Text("不能撤销的操作,请输入证照编号确认。", "It cannot be undone: type the licence's number to confirm.")
        )
