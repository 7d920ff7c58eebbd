"""/registry/grants: which department may do what with which type, for which matter, until when; and who may issue.

A clerk grants only types that his own department may issue: whoever issues a licence decides who else reads it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from cert_registry.errors import ExplainedError, Text
from cert_registry.sharing.access import ANY, GRANTABLE, NAMES, Action, Grant
from cert_registry.sharing.grants import GrantNotFound, all_grants, grant, withdraw
from cert_registry.web.officer_desk import AUDITOR, CLERK, OfficerDesk
from cert_registry.web.officer_licence import Line
from cert_registry.web.statuses import RequestInvalid, status_of
from signing_service.kernel.clock import LOCAL_ZONE
from signing_service.kernel.pages import render
from signing_service.people.departments import Department
from signing_service.people.sessions import LoggedIn

A_PAGE = 50


def grant_pages(desk: OfficerDesk) -> APIRouter:
    """The list, a new grant, the end of one."""
    routes = APIRouter(prefix="/registry/grants")
    _add_list(routes, desk)
    _add_changes(routes, desk)
    return routes


def _add_list(routes: APIRouter, desk: OfficerDesk) -> None:
    officer = Annotated[LoggedIn, Depends(desk.reader)]

    @routes.get("")
    def grants(request: Request, who: officer, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Response:
        return _page(request, desk, who, page=page)


def _add_changes(routes: APIRouter, desk: OfficerDesk) -> None:
    officer = Annotated[LoggedIn, Depends(desk.clerk)]

    @routes.post("")
    def make(
        request: Request, who: officer, department: Annotated[str, Form(max_length=64)] = "",
        type: Annotated[str, Form(max_length=64)] = "", matters: Line = "", fields: Line = "", until: Line = "",
        basis: Line = "", actions: Annotated[list[str] | None, Form()] = None,
        consent: Annotated[str, Form(max_length=3)] = "",
    ) -> Response:  # fmt: skip
        given = {
            "department": department, "type": type, "matters": matters, "fields": fields, "until": until,
            "basis": basis, "actions": actions or [], "consent": consent,
        }  # fmt: skip
        try:
            _grant(desk, who, given)
        except ExplainedError as refusal:
            return _page(request, desk, who, refusal=refusal, given=given)
        return RedirectResponse("/registry/grants", status_code=303)

    @routes.post("/{grant_id}/withdraw")
    def end(request: Request, who: officer, grant_id: str, reason: Line = "") -> Response:
        try:
            if not reason.strip():
                raise RequestInvalid(Text("请填写撤销理由。", "Say why the grant is withdrawn."))
            with desk.parts.database.write() as session:
                mine = {kind.code for kind in desk.kinds(who, desk.parts.clock.now())}
                if not any(one.id == grant_id and one.type_code in mine for one in all_grants(session)):
                    raise GrantNotFound
                withdraw(
                    session, grant_id, at=desk.parts.clock.now(), reason=reason.strip(), actor=f"officer:{who.officer}"
                )
        except ExplainedError as refusal:
            return _page(request, desk, who, refusal=refusal)
        return RedirectResponse("/registry/grants", status_code=303)


def _grant(desk: OfficerDesk, who: LoggedIn, given: dict[str, Any]) -> None:
    """Raises RequestInvalid for what the form should not have let through."""
    now = desk.parts.clock.now()
    kind, actions = desk.kind(who, given["type"], now), set(given["actions"]) & set(GRANTABLE)
    matters = _words(given["matters"])
    fields = _words(given["fields"]) or [ANY]
    unknown = [name for name in fields if name != ANY and kind.field(name) is None]
    with desk.parts.database.read() as session:
        known = session.get(Department, given["department"]) is not None
    if not (known and actions and matters and given["basis"].strip()) or unknown:
        what = "、".join(unknown) or "部门、动作、事项、依据"
        raise RequestInvalid(Text(f"请检查:{what}。", f"Check department, actions, matters, basis, fields. {unknown}"))
    with desk.parts.database.write() as session:
        grant(
            session, given["department"], kind.code, [Action(one) for one in sorted(actions)], matters=matters,
            fields=fields, consent_needed=bool(given["consent"]), since=now, until=_until(given["until"], now),
            basis=given["basis"].strip(), actor=f"officer:{who.officer}",
        )  # fmt: skip


def _until(text: str, now: datetime) -> datetime | None:
    """The end of the chosen day in the city; None for an empty text. Raises RequestInvalid."""
    if not text.strip():
        return None
    try:
        end = datetime.fromisoformat(text.strip()).replace(tzinfo=LOCAL_ZONE) + timedelta(days=1)
    except ValueError:
        raise RequestInvalid(Text("到期日应写作 2026-12-31。", "Write the last day like 2026-12-31.")) from None
    if end <= now:
        raise RequestInvalid(Text("到期日已过。", "The last day has passed."))
    return end


def _words(text: str) -> list[str]:
    for mark in ";;,,、":
        text = text.replace(mark, " ")
    return text.split()


def _page(
    request: Request, desk: OfficerDesk, who: LoggedIn, *, page: int = 1, refusal: ExplainedError | None = None,
    given: dict[str, Any] | None = None,
) -> Response:  # fmt: skip
    now = desk.parts.clock.now()
    kinds = desk.kinds(who, now) if CLERK in who.roles else []
    mine = {kind.code for kind in kinds}
    with desk.parts.database.read() as session:
        found = [one for one in all_grants(session) if AUDITOR in who.roles or one.type_code in mine]
        departments = {row.id: row.name for row in session.scalars(select(Department).order_by(Department.name))}
    empty = {
        "department": "", "type": "", "matters": "", "fields": "", "until": "", "basis": "", "actions": ["verify"],
        "consent": "",
    }  # fmt: skip
    return render(
        request, "registry/desk_grants.html", status=status_of(refusal) if refusal else 200, who=who,
        grants=_listed(found, now)[(page - 1) * A_PAGE : page * A_PAGE], page=page,
        pages=max(1, -(-len(found) // A_PAGE)),
        departments=departments, kinds=kinds, names={kind.code: kind.name for kind in desk.parts.catalogue},
        actions={action: NAMES[action] for action in Action if action in GRANTABLE}, error=refusal,
        given=given or empty, acts=CLERK in who.roles, now=now, any=ANY,
    )  # fmt: skip


def _listed(found: Sequence[Grant], now: datetime) -> list[Grant]:
    """Those in force first, the newest of them on top."""
    return sorted(found, key=lambda one: (not one.holds_at(now), -one.since.timestamp()))
