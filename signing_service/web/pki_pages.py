"""/pki: an officer's own certificates; for those who manage certificates all of them, requests and endings first."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from signing_service.kernel.clock import LOCAL_ZONE
from signing_service.kernel.pages import render
from signing_service.people.register import PeopleRegister
from signing_service.people.rules import Role, require_role
from signing_service.people.sessions import LoggedIn
from signing_service.pki.enrolment import request_certificate
from signing_service.pki.names import subject_name
from signing_service.pki.profiles import PROFILES
from signing_service.pki.register import CertificateRegister, CertificateUnknown, Holder, Why
from signing_service.pki.rules import Actor
from signing_service.web.browser_session import BrowserSessions
from signing_service.web.certificate_views import (
    REASON_NAMES,
    STATE_NAMES,
    Filter,
    history,
    moves_open_to,
    overview,
    profile_title,
)
from signing_service.web.error_edge import RequestInvalid

STAFF = (Role.PKI_OPERATOR, Role.SEAL_ADMINISTRATOR, Role.AUDITOR)
OFFICER_PROFILES = ("officer-signing", "officer-authentication")
FINAL = "revoke"
Text_ = Annotated[str, Form(max_length=500)]
Short = Annotated[str, Form(max_length=128)]


def router(browsers: BrowserSessions, people: PeopleRegister, register: CertificateRegister) -> APIRouter:
    """Every change is decided by `pki.rules`, logged there, and refused there with its reason."""
    routes = APIRouter(prefix="/pki", tags=["pki-pages"])
    officer = Annotated[LoggedIn, Depends(browsers.current)]

    @routes.get("")
    def listed(
        request: Request, who: officer, state: Annotated[str, Query(max_length=16)] = "",
        text: Annotated[str, Query(max_length=128)] = "", before: int = 0,
    ) -> Response:  # fmt: skip
        wanted = Filter(owner="" if _is_staff(who) else who.officer, state=state, text=text.strip(), before=before)
        with register.database.read() as session:
            found = overview(session, wanted, register.clock.now())
        return render(
            request, "pki.html", who=who, staff=_is_staff(who), found=found, wanted=wanted, states=STATE_NAMES,
            profiles=[PROFILES[name] for name in OFFICER_PROFILES], title_of=profile_title,
        )  # fmt: skip

    @routes.get("/certificates/{reference}")
    def one(request: Request, who: officer, reference: str) -> Response:
        with register.database.read() as session:
            row = register.find(session, reference)
            _require_sight(who, row.owner, reference)
            changes, moves = history(session, row), moves_open_to(row, _actor(who))
        return render(
            request, "pki_certificate.html", who=who, row=row, moves=moves, history=changes, states=STATE_NAMES,
            reasons=REASON_NAMES, title_of=profile_title, now=register.clock.now(),
        )  # fmt: skip

    @routes.post("/requests")
    def ask(who: officer, owner: Short, profile: Short, replaces: Short = "") -> Response:
        if owner != who.officer:
            require_role(who.roles, Role.PKI_OPERATOR)
        if profile not in OFFICER_PROFILES:
            raise RequestInvalid("页面只受理人员证书。", "These pages take requests for officers' certificates only.")
        with register.database.read() as session:
            holder = people.officer(session, owner)
            department = people.department(session, holder.department_id)
        subject = subject_name(holder.name, organization=department.name, identifier=holder.id)
        made = request_certificate(
            register, profile, Holder(holder.id, department.id), subject, _actor(who), replaces=replaces
        )
        return _to(made)

    @routes.post("/certificates/{reference}/{move}")
    def change(
        who: officer, reference: str, move: str, reason: Text_ = "", code: Short = "unspecified", lost_on: Short = "",
        typed: Short = "",
    ) -> Response:  # fmt: skip
        with register.database.read() as session:
            row = register.find(session, reference)
            _require_sight(who, row.owner, reference)
        if move not in ("approve", "refuse", "suspend", "release", FINAL):
            raise RequestInvalid("页面不办理这一步。", "This step is not taken on these pages.")
        if move == FINAL and typed.strip() != row.owner:
            raise RequestInvalid("请输入持有人的登录名以确认。", "Type the holder's log-in name to confirm.")
        register.change(reference, move, _actor(who), _why(reason, code, lost_on))
        return _to(reference)

    return routes


def _why(reason: str, code: str, lost_on: str) -> Why:
    named = {one.name.lower(): one for one in REASON_NAMES}
    if code not in named:
        raise RequestInvalid("没有这种吊销原因。", "There is no such reason for a revocation.")
    return Why(reason.strip(), named[code], invalid_from=_morning(lost_on))


def _morning(day: str) -> datetime | None:
    """The first instant of a local day, the earliest at which a key lost on it can have been lost."""
    if not day:
        return None
    try:
        found = date.fromisoformat(day)
    except ValueError as failure:
        raise RequestInvalid("日期应为 2026-11-24 的样子。", "A date looks like 2026-11-24.") from failure
    return datetime(found.year, found.month, found.day, tzinfo=LOCAL_ZONE)


def _is_staff(who: LoggedIn) -> bool:
    return bool(who.roles & set(STAFF))


def _require_sight(who: LoggedIn, owner: str, reference: str) -> None:
    """Somebody else's certificate is not there for who does not manage certificates."""
    if owner != who.officer and not _is_staff(who):
        raise CertificateUnknown(reference)


def _actor(who: LoggedIn) -> Actor:
    return Actor(who.officer, frozenset(role.value for role in who.roles), department=who.department)


def _to(reference: str) -> Response:
    return RedirectResponse(f"/pki/certificates/{reference}", status_code=303)
