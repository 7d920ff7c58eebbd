"""/connect: how a department's developer connects a system, in an afternoon and without asking anybody.

The samples are those that the tests run. Where this deployment is a sandbox, a client is registered here at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from cert_registry.errors import ExplainedError, RegistryError, Text
from cert_registry.licences.samples import MATTER, made_samples
from cert_registry.licences.status_facts import standing_of
from cert_registry.web.parts import RegistryParts, SandboxClient
from cert_registry.web.rate_limit import RateLimit
from cert_registry.web.statuses import status_of
from signing_service.kernel.pages import render
from signing_service.kernel.problems import language_of

SAMPLES = Path(__file__).parent / "samples"
SHOWN = {"verify.sh": "curl + openssl", "verify.py": "Python", "Verify.java": "Java 8"}
FILES = (*SHOWN, "zhengyin_client.py")
REGISTRATIONS_A_MINUTE = 3
PEM = "application/x-pem-file"


class NoSandbox(RegistryError):
    code = "no_sandbox_here"

    def __init__(self, contact: Text) -> None:
        super().__init__(
            Text("这里不是沙箱,不能自助登记。", "This is no sandbox; clients are not registered here."),
            advice=Text(f"请向{contact.zh}申请。", f"Ask {contact.en}."),
        )


def connect_pages(parts: RegistryParts) -> APIRouter:
    """Public; a registration is counted by address."""
    routes = APIRouter(prefix="/connect", include_in_schema=False)
    _add_page(routes, parts)
    _add_registration(routes, parts)
    _add_downloads(routes, parts)
    return routes


def _add_page(routes: APIRouter, parts: RegistryParts) -> None:
    @routes.get("")
    def page(request: Request) -> Response:
        return _page(request, parts)


def _add_registration(routes: APIRouter, parts: RegistryParts) -> None:
    limit = RateLimit(parts.database, parts.clock, "sandbox", REGISTRATIONS_A_MINUTE)

    @routes.post("/clients")
    def register(
        request: Request,
        name: Annotated[str, Form(max_length=100)] = "",
        public_key: Annotated[str, Form(max_length=8000)] = "",
    ) -> Response:
        given = {"name": name, "public_key": public_key}
        try:
            if parts.sandbox is None:
                raise NoSandbox(parts.settings.contact)
            limit.take(request.client.host if request.client else "-")
            made = parts.sandbox.register(name.strip(), public_key.strip())
        except ExplainedError as refusal:
            return _page(request, parts, refusal=refusal, given=given)
        return _page(request, parts, made=made)


def _add_downloads(routes: APIRouter, parts: RegistryParts) -> None:
    @routes.get("/samples/{name}")
    def sample(request: Request, name: str) -> Response:
        if name not in FILES:
            return _page(request, parts, status=404)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response((SAMPLES / name).read_bytes(), media_type="text/plain; charset=utf-8", headers=headers)

    @routes.get("/root.pem")
    def root() -> Response:
        return Response(parts.certificates.roots(), media_type=PEM)

    @routes.get("/evidence.pem")
    def evidence() -> Response:
        return Response(parts.certificates.evidence(), media_type=PEM)


def _page(
    request: Request,
    parts: RegistryParts,
    *,
    status: int = 200,
    refusal: ExplainedError | None = None,
    given: dict[str, str] | None = None,
    made: SandboxClient | None = None,
) -> Response:
    code = status_of(refusal) if refusal is not None else status
    return render(
        request, "registry/connect.html", status=code, samples=_samples(), sandbox=parts.sandbox is not None,
        problem=refusal, given=given or {"name": "", "public_key": ""}, made=made, licences=_licences(request, parts),
        base=parts.settings.base_url, matter=MATTER, contact=parts.settings.contact,
    )  # fmt: skip


def _samples() -> Sequence[tuple[str, str, str]]:
    return [(name, words, (SAMPLES / name).read_text(encoding="utf-8")) for name, words in SHOWN.items()]


def _licences(request: Request, parts: RegistryParts) -> list[dict[str, Any]]:
    """The sandbox's licence in every state."""
    if parts.sandbox is None:
        return []
    language, now = language_of(request), parts.clock.now()
    with parts.database.read() as session:
        return [
            {
                "name": made.name, "identifier": made.licence.identifier, "number": made.licence.number,
                "reason": standing_of(made.licence, now, now).reason,
                "kind": parts.catalogue.get(made.licence.type_code).name.in_(language),
            }
            for made in made_samples(session)
        ]  # fmt: skip
