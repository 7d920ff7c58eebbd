"""The applicant's cookie: HttpOnly, SameSite=Strict, over HTTPS Secure with the __Host- prefix."""

from __future__ import annotations

from fastapi import Request, Response

from cert_registry.web.parts import ApplicantParts
from signing_service.approvals import access, code_sessions
from signing_service.approvals.code_sessions import LONGEST, Visit
from signing_service.web.browser_session import SAFE
from signing_service.web.error_edge import OriginRefused


class Visits:
    """Begins, finds and ends visits of the portal (`/case`) and of self-service terminals (`/kiosk`)."""

    def __init__(self, parts: ApplicantParts, name: str) -> None:
        self._parts = parts
        self._secure = parts.origin.startswith("https://")
        self.cookie_name = f"__Host-zhengyin-{name}" if self._secure else f"zhengyin-{name}"

    def begin(self, request: Request, reply: Response, number: str, code: str, *, terminal: str = "") -> None:
        """Enter with number and query code. Raises CodeRefused, TooManyTries, OriginRefused."""
        self.require_origin(request)
        client = request.client.host if request.client else "-"
        work = self._parts.work
        opened = access.open_with_code(work, number, code, client=client)
        cookie = code_sessions.begin(work.database, opened, work.clock.now(), terminal=terminal)
        reply.set_cookie(
            self.cookie_name, cookie, max_age=int(LONGEST.total_seconds()), path="/", httponly=True,
            samesite="strict", secure=self._secure,
        )  # fmt: skip

    def current(self, request: Request) -> Visit:
        """Raises VisitOver; OriginRefused for a write that is not from our pages."""
        self.require_origin(request)
        work = self._parts.work
        return code_sessions.current(work.database, request.cookies.get(self.cookie_name, ""), work.clock.now())

    def end(self, request: Request, reply: Response) -> None:
        code_sessions.end(self._parts.work.database, request.cookies.get(self.cookie_name, ""))
        reply.delete_cookie(self.cookie_name, path="/", httponly=True, samesite="strict", secure=self._secure)

    def require_origin(self, request: Request) -> None:
        """Raises OriginRefused."""
        if request.method not in SAFE and request.headers.get("origin") != self._parts.origin:
            raise OriginRefused
