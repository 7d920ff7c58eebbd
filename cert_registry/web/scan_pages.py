"""Codes from paper on the verify page: typed in their short form, pasted whole, or photographed.

Only our own address is accepted, so that a forger's host never answers for us (DESIGN 15).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from cert_registry.errors import ExplainedError
from cert_registry.web.code_pages import code_verdict
from cert_registry.web.files import read_upload
from cert_registry.web.parts import Codes, RegistryParts
from cert_registry.web.public_access import PublicAccess
from cert_registry.web.statuses import status_of
from signing_service.kernel.pages import render
from signing_service.printing.errors import PrintingError
from signing_service.printing.paper_code import payload_in
from signing_service.printing.scanned import codes_on, our_code

LONGEST = 4096
MOST_PICTURE_BYTES = 20 * 2**20


def verify_form(
    request: Request,
    parts: RegistryParts,
    problem: ExplainedError | None = None,
    *,
    field: str = "identifier",
    typed: str = "",
    short_code: str = "",
    file_missing: bool = False,
) -> Response:
    """The verify page; nothing typed is lost. `field`: the id of the input that the problem is about."""
    status = 400 if file_missing else 200 if problem is None else status_of(problem)
    context = {
        "typed": typed, "short_code": short_code, "field": field, "file_missing": file_missing,
        "reads_codes": parts.codes is not None, "compares": parts.applicants is not None,
    }  # fmt: skip
    prefix = f"{parts.settings.base_url}/c/"
    return render(request, "registry/verify.html", status=status, problem=problem, code_prefix=prefix, **context)


def scan_pages(parts: RegistryParts, access: PublicAccess, codes: Codes) -> APIRouter:
    """Routes below /v for what was printed."""
    routes = APIRouter(include_in_schema=False)
    prefix = f"{parts.settings.base_url}/c/"

    @routes.post("/v/code")
    def by_code(request: Request, code: Annotated[str, Form(max_length=LONGEST)] = "") -> Response:
        access.count(request)
        try:
            payload = payload_in(code.strip(), prefix) if "/" in code else codes.payload_of(code)
        except ExplainedError as refusal:
            return verify_form(request, parts, refusal, field="short-code", short_code=code)
        return code_verdict(request, access, payload)

    @routes.post("/v/picture")
    def by_picture(request: Request, picture: Annotated[UploadFile | None, File()] = None) -> Response:
        access.count(request)
        try:
            content = b"" if picture is None else read_upload(picture, MOST_PICTURE_BYTES)
            payload = payload_in(our_code(content, prefix), prefix)
        except ExplainedError as refusal:
            return verify_form(request, parts, refusal, field="picture")
        return code_verdict(request, access, payload)

    @routes.post("/v/read")
    def read(request: Request, picture: Annotated[UploadFile | None, File()] = None) -> Response:
        """For browsers that cannot read codes themselves: the texts on a still of their camera, nothing judged."""
        access.count(request)
        content = b"" if picture is None else read_upload(picture, MOST_PICTURE_BYTES)
        return JSONResponse({"texts": list(codes_on(content).texts)})

    return routes


def code_of_copy(parts: RegistryParts, report: Mapping[str, Any], content: bytes) -> str | None:
    """The payload of our code on a file without any signature: then it is a print copy, or claims to be one."""
    if parts.codes is None or report["reason"] != "no_signature":
        return None
    prefix = f"{parts.settings.base_url}/c/"
    try:
        texts = codes_on(content).texts
    except PrintingError:
        return None
    return next((payload_in(text, prefix) for text in texts if text.lower().startswith(prefix.lower())), None)
