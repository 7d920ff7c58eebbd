"""A scan or photo of a printed document against what was handed out (/v/compare): differences boxed on the scan.

The original is found by the scan's own paper code and is never shown: who has no paper learns nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, File, Request, Response, UploadFile
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError, RegistryError, Text
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.verification.code_status import Register, standing_of_code
from cert_registry.verification.lookup import CodeFacts, find, identifier_of_code
from cert_registry.web.calls import Trace
from cert_registry.web.files import read_upload
from cert_registry.web.parts import ApplicantParts, RegistryParts
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.scan_pages import MOST_PICTURE_BYTES
from cert_registry.web.statuses import status_of
from cert_registry.web.verdicts import shown_code
from signing_service.approvals.course_view import view_case
from signing_service.approvals.errors import CaseNotFound
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of
from signing_service.printing.handing_out import SealedDocument
from signing_service.printing.ledger import PrintCopy, ReservedCopy
from signing_service.printing.scan_upload import compare_upload
from signing_service.printing.scanned import our_code


class ScanNotMatched(RegistryError):
    code = "scan_not_matched"

    def __init__(self) -> None:
        super().__init__(
            Text("图片与存档的页面对不上。", "The picture does not match any page that is kept here."),
            why=Text(
                "可能拍得太斜、太小、太暗,也可能整页被换过。",
                "It may be too slanted, small or dark, or the whole page was replaced.",
            ),
            advice=Text(
                "请平放、拍全四边后重试,或按 200 dpi 扫描;仍对不上请勿采信。",
                "Lay it flat and take the whole page, or scan at 200 dpi; if it still differs, do not accept it.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Original:
    """What the code speaks of: the file to compare with, and the code's standing as a page shows it."""

    handed_out: bytes
    shown: dict[str, Any]


def compare_pages(parts: RegistryParts, applicants: ApplicantParts, access: PublicAccess) -> APIRouter:
    """Routes /v/compare."""
    routes = APIRouter(include_in_schema=False)
    prefix = f"{parts.settings.base_url}/c/"

    @routes.get("/v/compare")
    def start(request: Request) -> Response:
        return render(request, "registry/compare.html", problem=None)

    @routes.post("/v/compare")
    def compare(request: Request, scan: Annotated[UploadFile | None, File()] = None) -> Response:
        access.count(request)
        try:
            content = b"" if scan is None else read_upload(scan, MOST_PICTURE_BYTES)
            text = our_code(content, prefix)
            original = _original(request, parts, applicants, access, text)
            result = compare_upload(content, original.handed_out)
            if result is None:
                raise ScanNotMatched
        except ExplainedError as refusal:
            return render(request, "registry/compare.html", status=status_of(refusal), problem=refusal)
        picture = "data:image/jpeg;base64," + base64.b64encode(result.aligned).decode()
        return render(request, "registry/compared.html", result=result, picture=picture, verdict=original.shown)

    return routes


def _original(
    request: Request, parts: RegistryParts, applicants: ApplicantParts, access: PublicAccess, text: str
) -> Original:
    """By the code, as a verification by the public. Raises the code's and register's refusals."""
    facts, found = parts.read_code(text), list[dict[str, Any]]()

    def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
        standing = standing_of_code(session, Register(parts.catalogue, parts.other_registries), facts, now)
        trace.subject = standing.subject
        trace.details.update(by="scan", reason=standing.reason, copy=str(facts.details.get("copy_serial", "")))
        found.append(shown_code(standing, language_of(request)))
        return {}

    access.run(request, work)
    return Original(_handed_out(parts, applicants, facts, text), found[0])


def _handed_out(parts: RegistryParts, applicants: ApplicantParts, facts: CodeFacts, text: str) -> bytes:
    """The print copy made again exactly as it was, or the sealed file that bears the code itself."""
    details: Mapping[str, Any] = facts.details
    with parts.database.read() as session:
        row = session.get(PrintCopy, str(details.get("copy_serial", "")))
        copy = None if row is None else ReservedCopy.of(row)
        digest = str(details.get("digest", "")) if copy is not None else _digest(session, applicants, facts)
    content = parts.blobs.get(digest)
    if copy is None:
        return content
    sealed = SealedDocument(facts.identifier, str(details.get("type", "")), content)
    return applicants.printing.as_handed_out(sealed, copy, text)


def _digest(session: Session, applicants: ApplicantParts, facts: CodeFacts) -> str:
    """SHA-256 of the sealed file on which the code stands. Raises LicenceNotFound."""
    if facts.details.get("kind") == "approval":
        try:
            digest = view_case(applicants.work, facts.identifier).document_digest
        except CaseNotFound:
            raise LicenceNotFound from None
    else:
        licence = find(session, identifier_of_code(session, facts))
        digest = "" if licence is None else licence.digest or ""
    if not digest:
        raise LicenceNotFound
    return digest
