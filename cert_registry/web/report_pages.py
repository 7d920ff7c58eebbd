"""Beside the verdict: the version that was sealed, a numbered verification report, and one fetched again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from cert_registry.errors import ExplainedError, RegistryError, Text
from cert_registry.web.downloads import pdf_download
from cert_registry.web.files import facts_for
from cert_registry.web.parts import RegistryParts, Reports
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.shelf import Shelf
from cert_registry.web.statuses import status_of
from signing_service.kernel.pages import render

SHORT = 200
ACTOR = "public"


class NoIntactVersion(RegistryError):
    code = "no_intact_version"

    def __init__(self) -> None:
        super().__init__(
            Text("这份文件没有签名能够证明的版本。", "No signature vouches for any version of this file."),
            advice=Text("请使用原始文件。", "Use the original file."),
        )


class NoReportsHere(RegistryError):
    code = "no_reports_here"

    def __init__(self) -> None:
        super().__init__(Text("本系统不出具核验报告。", "This system issues no verification reports."))


class AskerMissing(RegistryError):
    code = "asker_missing"

    def __init__(self) -> None:
        super().__init__(
            Text("申请单位和用途都要填写。", "Say who asks for the report, and what for."),
            advice=Text("请填写后再提交。", "Fill in both and send it again."),
        )


def report_pages(parts: RegistryParts, access: PublicAccess, shelf: Shelf) -> APIRouter:
    """Routes below /v; every one is counted by address."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/v/intact/{kept}")
    def intact(request: Request, kept: str) -> Response:
        access.count(request)
        content = shelf.get(kept, parts.clock.now())
        length = parts.verify_file(content, "", facts_for(parts, None, ""))["intact_revision"]
        if length is None:
            raise NoIntactVersion
        return pdf_download(content[:length], "盖章时的版本.pdf")

    @routes.post("/v/report")
    def issue(
        request: Request,
        kept: Annotated[str, Form(max_length=SHORT)] = "",
        name: Annotated[str, Form(max_length=SHORT)] = "",
        requested_by: Annotated[str, Form(max_length=SHORT)] = "",
        purpose: Annotated[str, Form(max_length=SHORT)] = "",
    ) -> Response:
        access.count(request)
        content = shelf.get(kept, parts.clock.now())
        who, why = requested_by.strip(), purpose.strip()
        if not who or not why:
            typed = {"requested_by": who, "purpose": why, "kept": kept, "name": name}
            return render(request, "registry/report_form.html", status=400, problem=AskerMissing(), **typed)
        made = _desk(parts).issue_on(content, name, who, why, ACTOR)
        return render(request, "registry/report.html", number=made.number, code=made.code)

    @routes.get("/v/report")
    def ask(request: Request) -> Response:
        return render(request, "registry/report_fetch.html", problem=None, number="")

    @routes.post("/v/report/fetch")
    def fetch(
        request: Request,
        number: Annotated[str, Form(max_length=SHORT)] = "",
        code: Annotated[str, Form(max_length=SHORT)] = "",
    ) -> Response:
        access.count(request)
        try:
            content = _desk(parts).fetch(number, code, ACTOR)
        except ExplainedError as refusal:
            status = status_of(refusal)
            return render(request, "registry/report_fetch.html", status=status, problem=refusal, number=number)
        return pdf_download(content, f"核验报告 {number.strip()}.pdf")

    return routes


def _desk(parts: RegistryParts) -> Reports:
    if parts.reports is None:
        raise NoReportsHere
    return parts.reports
