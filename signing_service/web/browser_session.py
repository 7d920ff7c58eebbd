"""The officer's cookie, and the check that every write comes from our own pages.

The cookie is HttpOnly and SameSite=Strict; over HTTPS it is also Secure and bears the __Host- prefix. A write is
accepted only with an Origin header that is exactly ours: browsers send it with every POST since long before
Chromium 90, and no page of another site can set it.
"""

from __future__ import annotations

from fastapi import Request, Response

from signing_service.people.sessions import ABSOLUTE, LoggedIn, Sessions
from signing_service.web.error_edge import OriginRefused

SAFE = ("GET", "HEAD", "OPTIONS")


class BrowserSessions:
    """`origin` is our own, as browsers name it."""

    def __init__(self, sessions: Sessions, origin: str) -> None:
        self.sessions, self.origin = sessions, origin
        self._secure = origin.startswith("https://")
        self.cookie_name = "__Host-zhengyin" if self._secure else "zhengyin"

    def cookie(self, request: Request) -> str:
        return request.cookies.get(self.cookie_name, "")

    def current(self, request: Request) -> LoggedIn:
        """Who is logged in. Raises SessionEnded; OriginRefused for a write that is not from our pages."""
        self.require_origin(request)
        return self.sessions.current(self.cookie(request))

    def require_origin(self, request: Request) -> None:
        """Raises OriginRefused."""
        if request.method not in SAFE and request.headers.get("origin") != self.origin:
            raise OriginRefused

    def require_own_navigation(self, request: Request) -> None:
        """Refuses an address that another site's page led to, so that nobody is logged in as somebody else unawares."""
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise OriginRefused

    def set_cookie(self, reply: Response, value: str) -> None:
        reply.set_cookie(
            self.cookie_name, value, max_age=int(ABSOLUTE.total_seconds()), path="/", httponly=True, samesite="strict",
            secure=self._secure,
        )  # fmt: skip

    def forget_cookie(self, reply: Response) -> None:
        reply.delete_cookie(self.cookie_name, path="/", httponly=True, samesite="strict", secure=self._secure)
