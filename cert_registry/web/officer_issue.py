"""/registry/new: issue one licence by hand; the form comes from the catalogue, so that a new type needs no page."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from cert_registry.errors import ExplainedError, Text
from cert_registry.licences.catalogue import LicenceType
from cert_registry.licences.drafts import IssueRequest
from cert_registry.licences.holders import KINDS, ORGANISATIONS, USCC, Holder
from cert_registry.web.officer_desk import OfficerDesk, actor_of
from cert_registry.web.statuses import RequestInvalid, status_of
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.clock import local
from signing_service.kernel.pages import render
from signing_service.people.sessions import LoggedIn

MOST_HOLDERS, MOST_TEXT = 4, 5000


def issue_pages(desk: OfficerDesk) -> APIRouter:
    """One form for every type."""
    routes = APIRouter(prefix="/registry/new")
    officer = Annotated[LoggedIn, Depends(desk.clerk)]

    @routes.get("")
    def ask(request: Request, who: officer, type: Annotated[str, Query(max_length=64)] = "") -> Response:
        now = desk.parts.clock.now()
        kind = desk.kind(who, type, now) if type else None
        return _form(request, desk, who, kind, {})

    async def given(request: Request) -> FormData:
        return await request.form(max_files=0, max_fields=200)

    @routes.post("")
    def issue(request: Request, who: officer, form: Annotated[FormData, Depends(given)]) -> Response:
        texts = {name: str(value)[:MOST_TEXT] for name, value in form.items()}
        kind = desk.kind(who, texts.get("type", ""), desk.parts.clock.now())
        try:
            wanted = _request(desk, who, kind, texts)
            made = _issued(desk, who, wanted)
        except ExplainedError as refusal:
            return _form(request, desk, who, kind, texts, refusal)
        return RedirectResponse(f"/registry/licences/{quote(made)}", status_code=303)

    return routes


def _issued(desk: OfficerDesk, who: LoggedIn, wanted: IssueRequest) -> str:
    """The new licence's identifier. A refusal is logged; what is issued is logged by issuing."""
    parts, actor = desk.parts, actor_of(who)
    try:
        done = parts.issuing.issue(wanted, actor, paper_code=parts.paper_code, seal=parts.seal)
    except ExplainedError as refusal:
        act = Act("desk.issue", actor.id, f"case:{wanted.approval_id}", who.department)
        AuditLog().refuse(parts.database, act, parts.clock.now(), refusal.code)
        raise
    return done.identifier


def _request(desk: OfficerDesk, who: LoggedIn, kind: LicenceType, texts: Mapping[str, str]) -> IssueRequest:
    """Raises RequestInvalid. Case numbers are the department's own, as in the API."""
    case = texts.get("case", "").strip()
    if not case or len(case) > 100 or not case.isprintable():
        raise RequestInvalid(Text("请填写办件编号。", "Give the case number."))
    replaces = texts.get("replaces", "").strip()
    return IssueRequest(
        approval_id=f"{who.department}:{case}", type=kind.key, issuer=desk.body(who), holders=_holders(texts),
        fields=_fields(kind, texts), issued_on=_day(texts, "issued_on") or local(desk.parts.clock.now()).date(),
        valid_from=_day(texts, "valid_from"), valid_until=_day(texts, "valid_until"),
        number=texts.get("number", "").strip(), matter_code=texts.get("matter", "").strip()[:64],
        operation="change" if replaces else "issue", replaces=replaces, reason=texts.get("reason", "").strip()[:500],
        legal_basis=texts.get("basis", "").strip()[:500],
        absorbs=[key for key in kind.absorbs if texts.get(f"absorb-{key}")],
    )  # fmt: skip


def _holders(texts: Mapping[str, str]) -> list[Holder]:
    found = []
    for place in range(MOST_HOLDERS):
        name, code = texts.get(f"holder-name-{place}", "").strip(), texts.get(f"holder-code-{place}", "").strip()
        if name or code:
            found.append(Holder(name, code, texts.get(f"holder-kind-{place}", USCC)))
    if not found:
        raise RequestInvalid(Text("请填写持证主体。", "Give the holder."))
    return found


def _fields(kind: LicenceType, texts: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in kind.fields:
        text = texts.get(f"field-{field.name}", "").strip()
        if field.kind == "list":
            items = [part.strip() for part in text.replace(";", "\n").replace(";", "\n").splitlines()]
            fields[field.name] = [part for part in items if part]
        elif text:
            fields[field.name] = text
    return {name: value for name, value in fields.items() if value}


def _day(texts: Mapping[str, str], name: str) -> date | None:
    text = texts.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise RequestInvalid(Text("日期应写作 2026-11-24。", "Write dates like 2026-11-24.")) from None


def _form(
    request: Request, desk: OfficerDesk, who: LoggedIn, kind: LicenceType | None, texts: Mapping[str, str],
    refusal: ExplainedError | None = None,
) -> Response:  # fmt: skip
    problems = getattr(refusal, "problems", None)
    allowed = KINDS if kind is None or kind.holder_category == "any" else {
        key: text for key, text in KINDS.items() if (key in ORGANISATIONS) == (kind.holder_category == "organisation")
    }  # fmt: skip
    return render(
        request, "registry/desk_issue.html", status=status_of(refusal) if refusal else 200, who=who, kind=kind,
        kinds=desk.kinds(who, desk.parts.clock.now()), given=texts, error=refusal, code_kinds=allowed,
        problems=problems if isinstance(problems, dict) else {}, catalogue=desk.parts.catalogue,
        holders=range(MOST_HOLDERS if kind is not None and kind.several_holders else 1),
    )  # fmt: skip
