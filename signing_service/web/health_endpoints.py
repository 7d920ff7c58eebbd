"""GET /healthz: this process answers. GET /readyz: what it needs answers too, asked at most every ten seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from signing_service.kernel.clock import Clock

_LOG = logging.getLogger(__name__)
KEPT = timedelta(seconds=10)
Check = Callable[[], object]


class Readiness:
    """`checks` raise when what they look at does not work. The lock guards the cached answer."""

    def __init__(self, checks: Mapping[str, Check], clock: Clock) -> None:
        self._checks, self._clock = dict(checks), clock
        self._lock = threading.Lock()
        self._asked: datetime | None = None
        self._answer: dict[str, str] = {}

    def answer(self) -> dict[str, str]:
        """`ok` or `failed` for each check; the reason stands in the log, not in public."""
        with self._lock:
            now = self._clock.now()
            if self._asked is None or now - self._asked >= KEPT:
                self._answer = {name: _outcome(name, check) for name, check in self._checks.items()}
                self._asked = now
            return dict(self._answer)


def router(readiness: Readiness) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz")
    def ready() -> JSONResponse:
        checks = readiness.answer()
        well = all(outcome == "ok" for outcome in checks.values())
        content = {"status": "ok" if well else "failed", "checks": checks}
        return JSONResponse(content, status_code=200 if well else 503)

    return routes


def _outcome(name: str, check: Check) -> str:
    try:
        check()
    except Exception:
        _LOG.exception("readiness check %s failed", name)
        return "failed"
    return "ok"
