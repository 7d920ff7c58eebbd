"""Pages for everyone: verify a licence by file or identifier (/v), by paper code (/c/…), and the API's page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.status_facts import standing_of
from cert_registry.verification.lookup import find, identifier_of_code, refuse_other_issuer
from cert_registry.web.calls import Trace
from cert_registry.web.connect_pages import connect_pages
from cert_registry.web.files import facts_for, finding, read_upload
from cert_registry.web.parts import RegistryParts
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.report_pages import report_pages
from cert_registry.web.shelf import Shelf
from cert_registry.web.statuses import status_of
from cert_registry.web.verdicts import shown_licence, shown_refusal, shown_report
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of

LONGEST = 200


def make_pages(parts: RegistryParts) -> APIRouter:
    """Nothing here needs an account; every look-up is logged and counted by address."""
    routes, access = APIRouter(include_in_schema=False), PublicAccess(parts)
    shelf = Shelf(parts.settings.home.home / "uploads")
    routes.include_router(report_pages(parts, access, shelf))
    routes.include_router(connect_pages(parts))

    @routes.get("/")
    def home() -> Response:
        return RedirectResponse("/v")

    @routes.get("/v")
    def start(request: Request) -> Response:
        return render(request, "registry/verify.html", problem=None, typed="")

    @routes.post("/v/identifier")
    def by_identifier(request: Request, identifier: Annotated[str, Form(max_length=LONGEST)] = "") -> Response:
        return _answer(request, access, lambda: LicenceIdentifier.parse(identifier), identifier)

    @routes.post("/v/file")
    def by_file(request: Request, file: Annotated[UploadFile | None, File()] = None) -> Response:
        access.count(request)
        if file is None or not file.filename:
            return render(request, "registry/verify.html", status=400, problem=None, typed="", file_missing=True)
        content = read_upload(file, parts.settings.most_upload_bytes)
        report = parts.verify_file(content, file.filename, facts_for(parts, None, ""))

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            return finding(parts, session, content, report, now, trace, language_of(request))

        found = access.run(request, work)
        kept = shelf.put(content, parts.clock.now())
        shown = shown_report(found, file.filename, language_of(request), kept)
        return render(request, "registry/verdict.html", verdict=shown, issues_reports=parts.reports is not None)

    @routes.get("/c/{payload}")
    def by_code(request: Request, payload: str) -> Response:
        return _answer(request, access, lambda: _identifier_of(parts, payload), "")

    @routes.get("/c/")
    def no_code(request: Request) -> Response:
        return RedirectResponse("/v", status_code=303)

    @routes.get("/api/docs")
    def documentation(request: Request) -> Response:
        paths = request.app.openapi()["paths"]
        mine = {path: methods for path, methods in paths.items() if path.startswith("/api/v1/")}
        return render(request, "registry/api_docs.html", paths=mine)

    return routes


def _identifier_of(parts: RegistryParts, payload: str) -> LicenceIdentifier:
    """The paper code's licence. Raises what the reader raises: not ours, altered."""
    facts = parts.read_code(f"{parts.settings.base_url}/c/{payload}")
    with parts.database.read() as session:
        return identifier_of_code(session, facts)


def _answer(request: Request, access: PublicAccess, read: Callable[[], LicenceIdentifier], typed: str) -> Response:
    """The verdict page of an identifier; what cannot be read goes back to the form, with what was typed."""
    access.count(request)
    parts, language = access.parts, language_of(request)
    try:
        identifier = read()
    except ExplainedError as refusal:
        if typed:
            return render(request, "registry/verify.html", status=status_of(refusal), problem=refusal, typed=typed)
        return render(
            request, "registry/verdict.html", status=status_of(refusal), verdict=shown_refusal(refusal, language)
        )

    def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
        trace.subject = f"licence:{identifier}"
        refuse_other_issuer(identifier, parts.other_registries)
        licence = find(session, identifier)
        if licence is None:
            raise LicenceNotFound
        stands = standing_of(licence, now, now)
        kind, competent = parts.catalogue.get(licence.type_code), parts.competent_body(session, licence.issuer_code)
        return shown_licence(licence, kind, stands, competent, language)

    try:
        verdict = access.run(request, work)
    except ExplainedError as refusal:
        return render(
            request, "registry/verdict.html", status=status_of(refusal), verdict=shown_refusal(refusal, language)
        )
    return render(request, "registry/verdict.html", verdict=verdict)
