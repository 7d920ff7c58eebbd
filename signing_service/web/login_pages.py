"""Log-in and log-out pages. A log-in always begins at the agent; this page shows the code to be typed there."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from signing_service.channel.login import Logins
from signing_service.channel.pairing import Pairings
from signing_service.kernel.pages import render
from signing_service.people.sessions import ACTIVE, WAITING, LoggedIn
from signing_service.web.browser_session import BrowserSessions


def router(browsers: BrowserSessions, logins: Logins, pairings: Pairings, server_key: str) -> APIRouter:
    """/desk/login, /desk/logout and /desk/agents. `server_key` is the fingerprint that officers compare."""
    routes = APIRouter(tags=["login"])
    officer = Annotated[LoggedIn, Depends(browsers.current)]

    @routes.get("/desk/login")
    def login(request: Request, ticket: str = "") -> Response:
        if ticket:
            browsers.require_own_navigation(request)
            page = logins.open_page(ticket)
            reply: Response = RedirectResponse("/desk/login", status_code=303)
            browsers.set_cookie(reply, page.cookie)
            return reply
        cookie = browsers.cookie(request)
        state = browsers.sessions.state(cookie)
        if state == ACTIVE:
            return RedirectResponse("/desk", status_code=303)
        code = browsers.sessions.code(cookie) if state == WAITING else ""
        return render(request, "login.html", code=code, origin=browsers.origin, server_key=server_key)

    @routes.get("/desk/login/state")
    def state(request: Request) -> JSONResponse:
        return JSONResponse({"state": browsers.sessions.state(browsers.cookie(request))})

    @routes.post("/desk/logout")
    def logout(request: Request, _officer: officer) -> Response:
        browsers.sessions.end(browsers.cookie(request))
        reply = RedirectResponse("/desk/login", status_code=303)
        browsers.forget_cookie(reply)
        return reply

    @routes.post("/desk/logout-everywhere")
    def logout_everywhere(who: officer) -> Response:
        browsers.sessions.end_all(who.officer, "logout_everywhere")
        reply = RedirectResponse("/desk/login", status_code=303)
        browsers.forget_cookie(reply)
        return reply

    @routes.get("/desk/agents")
    def agents(request: Request, who: officer) -> Response:
        return render(request, "agents.html", agents=pairings.of_officer(who.officer), who=who, server_key=server_key)

    @routes.post("/desk/agents/end")
    def end_agent(who: officer, agent: Annotated[str, Form()]) -> Response:
        pairings.end(who.officer, agent)
        return RedirectResponse("/desk/agents", status_code=303)

    return routes
