"""Pages for everyone: verify by file, identifier or short code (/v), and the API's page; the others are put in here."""

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
from cert_registry.verification.lookup import find, refuse_other_issuer
from cert_registry.web.calls import Trace
from cert_registry.web.case_pages import case_pages
from cert_registry.web.code_pages import code_pages, code_verdict
from cert_registry.web.compare_pages import compare_pages
from cert_registry.web.connect_pages import connect_pages
from cert_registry.web.files import facts_for, finding, read_upload
from cert_registry.web.kiosk_pages import kiosk_pages
from cert_registry.web.parts import RegistryParts
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.report_pages import report_pages
from cert_registry.web.scan_pages import code_of_copy, scan_pages, verify_form
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
    if parts.codes is not None:
        routes.include_router(code_pages(parts, access, parts.codes))
    if parts.applicants is not None:
        routes.include_router(case_pages(parts, parts.applicants, access, shelf))
        routes.include_router(kiosk_pages(parts, parts.applicants, access))
        routes.include_router(compare_pages(parts, parts.applicants, access))

    @routes.get("/")
    def home() -> Response:
        return RedirectResponse("/v")

    @routes.get("/v")
    def start(request: Request) -> Response:
        return verify_form(request, parts)

    @routes.post("/v/identifier")
    def by_identifier(request: Request, identifier: Annotated[str, Form(max_length=LONGEST)] = "") -> Response:
        return _answer(request, access, lambda: LicenceIdentifier.parse(identifier), identifier)

    if parts.codes is not None:
        routes.include_router(scan_pages(parts, access, parts.codes))

    @routes.post("/v/file")
    def by_file(request: Request, file: Annotated[UploadFile | None, File()] = None) -> Response:
        access.count(request)
        if file is None or not file.filename:
            return verify_form(request, parts, file_missing=True)
        content = read_upload(file, parts.settings.most_upload_bytes)
        report = parts.verify_file(content, file.filename, facts_for(parts, None, ""))

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            return finding(parts, session, content, report, now, trace, language_of(request))

        found = access.run(request, work)
        if (code := code_of_copy(parts, report, content)) is not None:
            return code_verdict(request, access, code, is_copy=True)
        kept = shelf.put(content, parts.clock.now())
        shown = shown_report(found, file.filename, language_of(request), kept)
        return render(request, "registry/verdict.html", verdict=shown, issues_reports=parts.reports is not None)

    @routes.get("/api/docs")
    def documentation(request: Request) -> Response:
        paths = request.app.openapi()["paths"]
        mine = {path: methods for path, methods in paths.items() if path.startswith("/api/v1/")}
        return render(request, "registry/api_docs.html", paths=mine)

    return routes


def _answer(request: Request, access: PublicAccess, read: Callable[[], LicenceIdentifier], typed: str) -> Response:
    """The verdict page of an identifier; what cannot be read goes back to the form, with what was typed."""
    access.count(request)
    parts, language = access.parts, language_of(request)
    try:
        identifier = read()
    except ExplainedError as refusal:
        if typed:
            return verify_form(request, parts, refusal, typed=typed)
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
