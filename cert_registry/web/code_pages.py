"""The page that a phone's camera opens (/c/…): it checks the code in the browser, then asks here for live status.

The shell at /c/ is the same for every code, so that the service worker can keep it and no code. Without scripts
/c/plain/… gives the same answer, checked on the server.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError, Text
from cert_registry.verification.code_status import CodeStanding, Register, standing_of_code
from cert_registry.web.calls import Trace
from cert_registry.web.code_words import code_words
from cert_registry.web.parts import Codes, RegistryParts
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.statuses import status_of
from cert_registry.web.verdicts import shown_code, shown_refusal
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of

STATIC = Path(__file__).parent / "static"
LONGEST = 2000
KEPT_SECONDS = 60.0
IS_COPY = Text(
    "这是打印件的文件,本身没有电子签名;以上是其核验二维码的结论。请与纸面内容核对,或请持有人出示电子证照。",
    "This is the file of a print copy. It bears no electronic signature; the answer above is that of its code. Compare "
    "what is printed, or ask the holder for the electronic licence.",
)


class KeptKeys:
    """The published list, asked of custody once a minute however often browsers ask. Owner of its copy and lock."""

    def __init__(self, codes: Codes) -> None:
        self._codes, self._lock = codes, threading.Lock()
        self._list: dict[str, Any] = {}
        self._until = 0.0

    def now(self) -> dict[str, Any]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._list = dict(self._codes.published())
                self._until = time.monotonic() + KEPT_SECONDS
            return self._list


def code_pages(parts: RegistryParts, access: PublicAccess, codes: Codes) -> APIRouter:
    """Routes below /c."""
    routes, kept = APIRouter(include_in_schema=False), KeptKeys(codes)

    def shell(request: Request, payload: str) -> Response:
        return render(request, "registry/code.html", payload=payload, words=code_words(parts.catalogue))

    @routes.get("/c/sw.js")
    def service_worker() -> Response:
        """Served here, since its address is its scope."""
        return FileResponse(STATIC / "service-worker.js", media_type="text/javascript")

    @routes.get("/c/keys.json")
    def keys() -> Response:
        return JSONResponse(kept.now())

    @routes.get("/c/")
    def empty(request: Request) -> Response:
        return shell(request, "")

    @routes.get("/c/plain/{payload}")
    def plain(request: Request, payload: str) -> Response:
        return code_verdict(request, access, payload)

    @routes.post("/c/status")
    def status(request: Request, payload: Annotated[str, Form(max_length=LONGEST)] = "") -> Response:
        """Live status as the page shows it; refusals too are shown, never an error of transport."""
        language = language_of(request)
        try:
            return JSONResponse(shown_code(judged(request, access, payload), language))
        except ExplainedError as refusal:
            return JSONResponse(shown_refusal(refusal, language), status_code=status_of(refusal))

    @routes.get("/c/{payload}")
    def code(request: Request, payload: str) -> Response:
        return shell(request, payload)

    return routes


def judged(request: Request, access: PublicAccess, payload: str) -> CodeStanding:
    """The code's standing today, logged as a verification by the public. Raises the code's and register's refusals."""
    access.count(request)
    parts = access.parts
    found: list[CodeStanding] = []

    def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
        trace.subject = "code:?"
        facts = parts.read_code(f"{parts.settings.base_url}/c/{payload}")
        register = Register(parts.catalogue, parts.other_registries)
        standing = standing_of_code(session, register, facts, now)
        trace.subject = standing.subject
        trace.details.update(by="code", reason=standing.reason, copy=str(facts.details.get("copy_serial", "")))
        found.append(standing)
        return {}

    access.run(request, work)
    return found[0]


def code_verdict(request: Request, access: PublicAccess, payload: str, *, is_copy: bool = False) -> Response:
    """The verdict page of a scanned, typed or photographed code. `is_copy`: it was read from a print copy's file."""
    language = language_of(request)
    try:
        shown = shown_code(judged(request, access, payload), language)
        if is_copy:
            shown["note"] = IS_COPY.in_(language)
        return render(request, "registry/verdict.html", verdict=shown)
    except ExplainedError as refusal:
        shown = shown_refusal(refusal, language)
        return render(request, "registry/verdict.html", status=status_of(refusal), verdict=shown)
