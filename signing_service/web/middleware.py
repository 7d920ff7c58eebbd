"""What every request passes: an id, a limit on its body, security headers. Plain ASGI, so that nothing is buffered."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signing_service.kernel.logs import about
from signing_service.kernel.problems import language_of, problem
from signing_service.web.error_edge import FileTooLarge, answer_unnamed
from signing_service.web.metrics import Metrics, route_of, since

_LOG = logging.getLogger(__name__)

MOST_BODY_BYTES = 65 * 2**20
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
}
ONE_YEAR = "max-age=31536000"


class RequestFrame:
    """Gives each request an id, and each answer that id and the headers; answers for errors that nobody named.

    `secure` adds HSTS. An error after the answer has begun can only end the connection. Every request becomes one line
    of the log and counts in `metrics`, by its route's template: addresses hold codes and identifiers.
    """

    def __init__(self, app: ASGIApp, *, secure: bool, metrics: Metrics) -> None:
        self._app, self._secure, self._metrics = app, secure, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = identifier
        status, began = 0, time.perf_counter()

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, identifier, secure=self._secure)
            await send(message)

        with about(request_id=identifier):
            try:
                await self._app(scope, receive, framed)
            except Exception as error:
                if status:
                    raise
                await answer_unnamed(Request(scope), error)(scope, receive, framed)
            finally:
                self._note(scope, status, since(began))

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = route_of(scope), scope["method"]
        self._metrics.request(route, method, status, seconds)
        _LOG.info("request", extra={"route": route, "method": method, "status": status, "seconds": round(seconds, 4)})


class BodyLimit:
    """Refuses bodies over the limit: by their announced length at once, else as soon as they pass it."""

    def __init__(self, app: ASGIApp, *, most_bytes: int = MOST_BODY_BYTES) -> None:
        self._app, self._most = app, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > self._most:
            await self._refuse(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise FileTooLarge(self._most)
            return message

        return counted

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        identifier = scope.get("state", {}).get("request_id", "-")
        refusal = problem(FileTooLarge(self._most), 413, language_of(request), request_id=identifier)
        refusal.headers["Connection"] = "close"
        await refusal(scope, receive, send)


def _add_headers(message: Message, identifier: str, *, secure: bool) -> None:
    headers = MutableHeaders(raw=message.setdefault("headers", []))
    headers["X-Request-ID"] = identifier
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if secure:
        headers.setdefault("Strict-Transport-Security", ONE_YEAR)
