"""GET /healthz: this process answers. GET /readyz: what it needs answers too, asked at most every ten seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from signing_service.kernel.clock import Clock

_LOG = logging.getLogger(__name__)
KEPT, OK = timedelta(seconds=10), "ok"
Check = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Slow:
    """A check that costs something, such as a timestamp: asked at most once in `kept`."""

    run: Check
    kept: timedelta = timedelta(minutes=5)


class Readiness:
    """`checks` raise when what they look at does not work. The lock guards the cached answers."""

    def __init__(self, checks: Mapping[str, Check | Slow], clock: Clock) -> None:
        self._checks = {name: check if isinstance(check, Slow) else Slow(check, KEPT) for name, check in checks.items()}
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[datetime, str]] = {}

    def answer(self) -> dict[str, str]:
        """`ok` or `failed` for each check; the reason stands in the log, not in public. What failed is asked again
        after ten seconds."""
        with self._lock:
            now = self._clock.now()
            for name, check in self._checks.items():
                asked, outcome = self._answers.get(name, (None, ""))
                kept = check.kept if outcome == OK else KEPT
                if asked is None or now - asked >= kept:
                    self._answers[name] = now, _outcome(name, check.run)
            return {name: outcome for name, (_, outcome) in self._answers.items()}


def router(readiness: Readiness) -> APIRouter:
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz")
    def ready() -> JSONResponse:
        checks = readiness.answer()
        well = all(outcome == OK for outcome in checks.values())
        content = {"status": "ok" if well else "failed", "checks": checks}
        return JSONResponse(content, status_code=200 if well else 503)

    return routes


def _outcome(name: str, check: Check) -> str:
    try:
        check()
    except Exception:
        _LOG.exception("readiness check %s failed", name)
        return "failed"
    return OK
