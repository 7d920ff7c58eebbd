"""/desk/cases: a clerk's table of cases, one case's whole course, and what the window does to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.approvals.case_table import SORT_WORDS, CaseFilter, Sort, as_csv, case_table, takes_part
from signing_service.approvals.casework import Casework, find_case
from signing_service.approvals.course_view import view_case
from signing_service.approvals.deadlines import CARD_WORDS
from signing_service.approvals.errors import CaseNotFound
from signing_service.approvals.examining import Examine
from signing_service.approvals.register import ApprovalCase
from signing_service.approvals.rules import CASE_WORDS, Actor
from signing_service.errors import ExplainedError
from signing_service.kernel.audit_log import Act
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.people.officers import Officer
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.case_acts import ACTS, Given, acts_for
from signing_service.web.case_intake_pages import add_intake
from signing_service.web.error_edge import NotFound

PAGE = 50
SealCase = Callable[[str, Actor], None]
"""Typesets, has the outward document sealed under the holder's standing order, and hands it to the case."""


@dataclass(frozen=True, slots=True)
class CasePageParts:
    """`seal` None: this server cannot have documents sealed; the holder does it elsewhere."""

    browsers: BrowserSessions
    work: Casework
    examine: Examine
    seal: SealCase | None = None


def router(parts: CasePageParts) -> APIRouter:
    """Officers see their department's cases; acts take the clerk's role."""
    routes = APIRouter(prefix="/desk/cases", tags=["cases"])
    _add_table(routes, parts)
    add_intake(routes, parts.browsers, parts.work)
    _add_course(routes, parts)
    _add_acts(routes, parts)
    return routes


def _wanted(
    state: Annotated[str, Query(max_length=24)] = "",
    card: Annotated[str, Query(max_length=8)] = "",
    text: Annotated[str, Query(max_length=100)] = "",
    sort: Sort = Sort.DUE,
    scope: Annotated[str, Query(max_length=8)] = "running",
) -> CaseFilter:
    return CaseFilter(state, card, text, running=scope == "running" and not state, sort=sort)


def _add_table(routes: APIRouter, parts: CasePageParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]
    asked = Annotated[CaseFilter, Depends(_wanted)]

    @routes.get("")
    def table(request: Request, who: officer, wanted: asked, page: Annotated[int, Query(ge=1)] = 1) -> Response:
        rows = case_table(parts.work, who.department, wanted)
        pages = max(1, -(-len(rows) // PAGE))
        page = min(page, pages)
        query = {"state": wanted.state, "card": wanted.card, "text": wanted.text, "sort": wanted.sort.value}
        query["scope"] = "running" if wanted.running else "all"
        return render(
            request, "cases.html", who=who, rows=rows[(page - 1) * PAGE : page * PAGE], count=len(rows), page=page,
            pages=pages, wanted=wanted, states=CASE_WORDS, cards=CARD_WORDS, sorts=SORT_WORDS, query=urlencode(query),
        )  # fmt: skip

    @routes.get(".csv", response_class=Response)
    def export(request: Request, who: officer, wanted: asked) -> Response:
        rows = case_table(parts.work, who.department, wanted)
        act = Act("case.exported", who.officer, f"department:{who.department}", who.department,
                  details={"count": len(rows)})  # fmt: skip
        with parts.work.database.write() as session:
            parts.work.audit.record(session, act, parts.work.clock.now())
        name = quote(f"办件-{parts.work.today}.csv")
        headers = {"Content-Disposition": f"attachment; filename=\"cases.csv\"; filename*=UTF-8''{name}"}
        return Response(as_csv(rows, language_of(request)), media_type="text/csv; charset=utf-8", headers=headers)


def _add_course(routes: APIRouter, parts: CasePageParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.get("/{case_id}")
    def course(request: Request, who: officer, case_id: str) -> Response:
        return _page(request, parts, who, case_id)

    @routes.get("/{case_id}/versions/{version_id}.pdf", response_class=Response)
    def version(who: officer, case_id: str, version_id: int) -> Response:
        with parts.work.database.read() as session:
            case = _seen(session, who, case_id)
            found = next((one for one in case.versions if one.id == version_id), None)
        if found is None:
            raise NotFound
        return Response(parts.work.blobs.get(found.digest), media_type="application/pdf")


def _add_acts(routes: APIRouter, parts: CasePageParts) -> None:
    officer = Annotated[LoggedIn, Depends(parts.browsers.current)]

    @routes.post("/{case_id}/{name}")
    def act(
        request: Request,
        who: officer,
        case_id: str,
        name: str,
        reason: Annotated[str, Form(max_length=300)] = "",
        legal_basis: Annotated[str, Form(max_length=300)] = "",
        items: Annotated[str, Form(max_length=3000)] = "",
        days: Annotated[int, Form(ge=0, le=365)] = 0,
        typed: Annotated[str, Form(max_length=40)] = "",
        formal: Annotated[str, Form(max_length=40)] = "",
    ) -> Response:
        with parts.work.database.read() as session:
            number = _seen(session, who, case_id).number
        given = Given(case_id, number, _actor(who), reason, legal_basis, items, days, typed, formal)
        try:
            require_role(who.roles, Role.CLERK)
            if name not in ACTS:
                raise NotFound
            told = ACTS[name].do(parts, given)
        except ExplainedError as refusal:
            refused = Act(f"case.{name[:30]}", who.officer, f"case:{case_id}", who.department)
            parts.work.audit.refuse(parts.work.database, refused, parts.work.clock.now(), refusal.code)
            if isinstance(refusal, NotFound):
                raise
            return _page(request, parts, who, case_id, problem=refusal, given=given, act=name)
        if told is None:
            return RedirectResponse(f"/desk/cases/{case_id}", status_code=303)
        return _page(request, parts, who, case_id, told=told)


def _page(request: Request, parts: CasePageParts, who: LoggedIn, case_id: str, **more: Any) -> Response:
    """The case's page; after a refusal with what was typed and why it was refused."""
    with parts.work.database.read() as session:
        case = _seen(session, who, case_id)
        names = {row.id: row.name for row in session.scalars(select(Officer))}
        formal = session.get(ApprovalCase, case.formal_case) if case.formal_case else None
        versions = list(case.versions)
    view = view_case(parts.work, case_id)
    may_act = Role.CLERK in who.roles and case.department == who.department
    context: dict[str, Any] = {"problem": None, "given": None, "act": "", "told": None} | more
    return render(
        request, "case_course.html", status=422 if context["problem"] else 200, who=who, view=view, case=case,
        versions=versions, names=names, formal=formal,
        acts=acts_for(view, case, can_seal=parts.seal is not None) if may_act else (), **context,
    )  # fmt: skip


def _seen(session: Session, who: LoggedIn, case_id: str) -> ApprovalCase:
    """Raises CaseNotFound for a case in which the officer's department has no part."""
    case = find_case(session, case_id[:32])
    if not takes_part(case, who.department):
        raise CaseNotFound(case_id[:32])
    return case


def _actor(who: LoggedIn) -> Actor:
    return Actor(who.officer, who.department, frozenset(str(role) for role in who.roles))
