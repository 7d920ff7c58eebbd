"""POST /api/v1/verify/file/intact, …/file/report and …/report: the version that was sealed, numbered reports."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError, RegistryError
from cert_registry.web import api_models as bodies
from cert_registry.web.api_docs import CHANGING, refusals
from cert_registry.web.api_licences import pdf_response
from cert_registry.web.api_verify import with_evidence
from cert_registry.web.calls import Calls, Trace
from cert_registry.web.files import facts_for, read_upload
from cert_registry.web.idempotency import IdempotencyKey, once
from cert_registry.web.parts import Caller, RegistryParts, Reports
from cert_registry.web.purposes import MatterCode, Purpose, PurposeText, WithPurpose
from cert_registry.web.report_pages import NoIntactVersion, NoReportsHere

_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}}}
LONGEST_NAME = 200


class ReportRefused(RegistryError):
    """What the desk below refused, with its code, told at this edge."""

    def __init__(self, refusal: ExplainedError) -> None:
        self.code = refusal.code
        super().__init__(refusal.what, why=refusal.why, advice=refusal.advice)


def report_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """Beside verify/file; `caller_of` is the dependency that authenticates and counts the call."""
    routes, parts = APIRouter(prefix="/verify", tags=["核验"]), calls.parts
    who = Depends(caller_of)

    @routes.post(
        "/file/intact", summary="取回盖章时的版本(PDF)", response_class=Response,
        responses={**_PDF, **refusals("file_too_large", "verifier_busy", "no_intact_version")},
    )  # fmt: skip
    def intact(
        file: Annotated[UploadFile, File(description="PDF 文件")],
        purpose: Annotated[PurposeText, Form()],
        matter: Annotated[MatterCode, Form()],
        caller: Caller = who,
    ) -> Response:
        """文件盖章后被改动过时,取回其中仍然完整的那一版;没有这样一版的,答 `no_intact_version`。"""
        asked = WithPurpose(purpose=purpose, matter=matter).as_purpose()
        content = read_upload(file, parts.settings.most_upload_bytes)
        found = parts.verify_file(content, "", facts_for(parts, caller.department_id, asked.matter))
        length = found["intact_revision"]

        def work(session: Session, now: datetime, trace: Trace) -> bytes:
            trace.digest = hashlib.sha256(content).hexdigest()
            trace.subject, trace.details["reason"] = f"file:{trace.digest}", found["reason"]
            if length is None:
                raise NoIntactVersion
            return content[:length]

        sealed = calls.look("api.intact_version", caller, asked, work).value
        return pdf_response(sealed, "盖章时的版本.pdf", f'"{hashlib.sha256(sealed).hexdigest()}"')

    @routes.post(
        "/file/report", summary="出具核验报告", status_code=201, response_model=bodies.IssuedReportView,
        responses=refusals("file_too_large", "verifier_busy", "no_reports_here", "evidence_unavailable", *CHANGING),
    )  # fmt: skip
    def issue(
        file: Annotated[UploadFile, File(description="PDF 文件")],
        purpose: Annotated[PurposeText, Form()],
        matter: Annotated[MatterCode, Form()],
        key: IdempotencyKey,
        caller: Caller = who,
    ) -> dict[str, Any]:
        """以贵部门名义出具有编号、盖章的核验报告;凭答复里的编号和取件码取 PDF。"""
        asked = WithPurpose(purpose=purpose, matter=matter).as_purpose()
        content = read_upload(file, parts.settings.most_upload_bytes)
        name = (file.filename or "")[-LONGEST_NAME:]
        given = {"sha256": hashlib.sha256(content).hexdigest(), "purpose": purpose, "matter": matter}
        return once(
            parts, caller, key, "/verify/file/report", given, lambda: _issue(calls, caller, asked, content, name)
        )

    @routes.post(
        "/report", summary="取核验报告(PDF)", response_class=Response,
        responses={**_PDF, **refusals("verification_report_unknown", "no_reports_here")},
    )  # fmt: skip
    def fetch(body: bodies.FetchReport, caller: Caller = who) -> Response:
        """凭编号和取件码取已出具的报告。"""
        asked, desk = body.as_purpose(), _desk(parts)
        try:
            content = desk.fetch(body.number, body.code, f"client:{caller.client_id}")
        except ExplainedError as refusal:
            raise ReportRefused(refusal) from refusal

        def work(session: Session, now: datetime, trace: Trace) -> None:
            trace.subject, trace.digest = f"report:{body.number.strip()}", hashlib.sha256(content).hexdigest()

        calls.look("api.verification_report_fetched", caller, asked, work)
        return pdf_response(content, f"核验报告 {body.number.strip()}.pdf", f'"{hashlib.sha256(content).hexdigest()}"')

    return routes


def _issue(calls: Calls, caller: Caller, asked: Purpose, content: bytes, name: str) -> dict[str, Any]:
    """In the caller's department's name. No transaction is open while the report is sealed."""
    digest = hashlib.sha256(content).hexdigest()
    actor = f"client:{caller.client_id}"
    try:
        made = _desk(calls.parts).issue_on(content, name, caller.department_name, asked.purpose, actor)
    except ExplainedError as refusal:
        calls.refuse("api.verification_report", caller, asked, Trace(f"file:{digest}", digest), refusal)
        raise ReportRefused(refusal) from refusal

    def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
        trace.subject, trace.digest = f"report:{made.number}", hashlib.sha256(made.content).hexdigest()
        trace.details["judged"] = digest
        return {"number": made.number, "code": made.code, "sha256": trace.digest, "judged": digest}

    return with_evidence(calls, caller, asked, calls.look("api.verification_report", caller, asked, work))


def _desk(parts: RegistryParts) -> Reports:
    if parts.reports is None:
        raise NoReportsHere
    return parts.reports
