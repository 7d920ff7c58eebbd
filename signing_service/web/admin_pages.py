"""/admin: officers, departments and roles. A role is proposed by one administrator and confirmed by another."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.kernel.pages import render
from signing_service.people.contacts import OfficerContact, set_contact
from signing_service.people.departments import Department
from signing_service.people.notice_outbox import counts, not_delivered, replay_notice
from signing_service.people.officers import Officer, OfficerCertificate, RoleGrant
from signing_service.people.register import NewOfficer, PeopleRegister
from signing_service.people.rules import ROLE_NAMES, GrantState, Role, require_role
from signing_service.people.sessions import LoggedIn, Sessions
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.error_edge import RequestInvalid

Reason = Annotated[str, Form(max_length=500)]


def router(browsers: BrowserSessions, people: PeopleRegister, sessions: Sessions) -> APIRouter:
    """The pages that a seal administrator sees; an auditor may read them."""
    routes = APIRouter(prefix="/admin", tags=["admin"])
    officer = Annotated[LoggedIn, Depends(browsers.current)]

    @routes.get("")
    def overview(request: Request, who: officer) -> Response:
        require_role(who.roles, Role.SEAL_ADMINISTRATOR, Role.AUDITOR)
        with people.database.read() as session:
            context = _overview(session)
            return render(request, "admin.html", who=who, roles=ROLE_NAMES, **context)

    @routes.post("/departments")
    def add_department(
        who: officer,
        id: Annotated[str, Form(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")],
        name: Annotated[str, Form(min_length=2, max_length=200)],
        code: Annotated[str, Form(max_length=18)],
    ) -> Response:
        with people.logged("department.add", who.officer, f"department:{id}") as session:
            require_role(people.roles_of(session, who.officer), Role.SEAL_ADMINISTRATOR)
            people.add_department(session, id, name.strip(), code.strip().upper(), actor=who.officer)
        return _back()

    @routes.post("/departments/rename")
    def rename_department(
        who: officer,
        id: Annotated[str, Form(max_length=64)],
        name: Annotated[str, Form(min_length=2, max_length=200)],
        legal_basis: Annotated[str, Form(min_length=1, max_length=200)],
    ) -> Response:
        with people.logged("department.rename", who.officer, f"department:{id}") as session:
            require_role(people.roles_of(session, who.officer), Role.SEAL_ADMINISTRATOR)
            people.rename_department(session, id, name.strip(), legal_basis.strip(), actor=who.officer)
        return _back()

    @routes.post("/contacts")
    def contact(
        who: officer,
        id: Annotated[str, Form(max_length=64)],
        channel: Annotated[str, Form(pattern="^(mail|sms)$")],
        address: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        with people.logged("officer.contact", who.officer, f"officer:{id}") as session:
            require_role(people.roles_of(session, who.officer), Role.SEAL_ADMINISTRATOR)
            people.officer(session, id)
            set_contact(session, id, channel, address, actor=who.officer, at=people.clock.now())
        return _back()

    @routes.get("/notices")
    def notices(request: Request, who: officer) -> Response:
        require_role(who.roles, Role.SEAL_ADMINISTRATOR, Role.AUDITOR)
        with people.database.read() as session:
            return render(request, "notices.html", who=who, counts=counts(session), dead=not_delivered(session))

    @routes.post("/notices/{notice}/replay")
    def replay(who: officer, notice: int) -> Response:
        with people.logged("notice.replay", who.officer, f"notice:{notice}") as session:
            require_role(people.roles_of(session, who.officer), Role.SEAL_ADMINISTRATOR)
            again = replay_notice(session, notice, people.clock.now())
            people.log(session, "notice.replay", who.officer, f"notice:{notice}", {"kind": again.kind})
        return RedirectResponse("/admin/notices", status_code=303)

    @routes.post("/officers")
    def add_officer(
        who: officer,
        id: Annotated[str, Form(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")],
        name: Annotated[str, Form(max_length=100)],
        department: Annotated[str, Form(max_length=64)],
    ) -> Response:
        with people.logged("officer.add", who.officer, f"officer:{id}") as session:
            require_role(people.roles_of(session, who.officer), Role.SEAL_ADMINISTRATOR)
            people.add_officer(session, NewOfficer(id, name.strip(), department), actor=who.officer)
        return _back()

    @routes.post("/officers/leave")
    def leave(
        who: officer, id: Annotated[str, Form(max_length=64)], typed: Annotated[str, Form()], reason: Reason
    ) -> Response:
        if typed.strip() != id:
            raise RequestInvalid("请输入该人员的登录名以确认。", "Type the officer's log-in name to confirm.")
        with people.logged("officer.remove", who.officer, f"officer:{id}") as session:
            require_role(people.roles_of(session, who.officer), Role.SEAL_ADMINISTRATOR)
            people.remove_officer(session, id, reason, actor=who.officer)
        sessions.end_all(id, "left")
        return _back()

    @routes.post("/grants")
    def propose(
        who: officer, id: Annotated[str, Form(max_length=64)], role: Annotated[Role, Form()], reason: Reason
    ) -> Response:
        with people.logged("role.propose", who.officer, f"officer:{id}") as session:
            people.propose_grant(session, id, role, reason, actor=who.officer)
        return _back()

    @routes.post("/grants/{grant}/end")
    def end(who: officer, grant: int, reason: Reason) -> Response:
        with people.logged("role.end", who.officer, f"grant:{grant}") as session:
            people.end_grant(session, grant, reason, actor=who.officer)
        return _back()

    @routes.post("/grants/{grant}/{decision}")
    def decide(who: officer, grant: int, decision: str) -> Response:
        if decision not in ("confirm", "refuse"):
            raise RequestInvalid("只能确认或拒绝。", "Confirm or refuse.")
        with people.logged(f"role.{decision}", who.officer, f"grant:{grant}") as session:
            people.decide_grant(session, grant, confirm=decision == "confirm", actor=who.officer)
        return _back()

    return routes


def _back() -> Response:
    return RedirectResponse("/admin", status_code=303)


def _overview(session: Session) -> dict[str, Any]:
    officers = list(session.scalars(select(Officer).order_by(Officer.department_id, Officer.id)))
    grants = list(session.scalars(select(RoleGrant).order_by(RoleGrant.id)))
    in_use = select(OfficerCertificate.officer_id).where(OfficerCertificate.ended_at.is_(None))
    return {
        "departments": list(session.scalars(select(Department).order_by(Department.id))),
        "officers": officers,
        "active": [grant for grant in grants if grant.state == GrantState.ACTIVE],
        "proposed": [grant for grant in grants if grant.state == GrantState.PROPOSED],
        "names": {officer.id: officer.name for officer in officers},
        "with_key": set(session.scalars(in_use)),
        "contacts": [(row.officer_id, row.channel) for row in session.scalars(select(OfficerContact))],
    }
