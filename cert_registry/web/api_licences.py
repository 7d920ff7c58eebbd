"""/api/v1/licences: search by holder, read, download, history, who looked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from cert_registry.audit.accesses import accesses
from cert_registry.licences.register import by_holder
from cert_registry.licences.status_facts import standing_of
from cert_registry.sharing.access import ANY, Action, GrantMissing, Need
from cert_registry.sharing.cursors import from_cursor, to_cursor
from cert_registry.sharing.grants import grants_of
from cert_registry.web import api_models as bodies
from cert_registry.web.api_verify import with_evidence
from cert_registry.web.calls import Calls, Trace
from cert_registry.web.etags import matches, tag_of
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.permission import Seen, licence_for
from cert_registry.web.purposes import Purpose, from_headers
from cert_registry.web.views import full_view, history_view, summary_view
from signing_service.kernel.problems import language_of

Consent = Annotated[str, Header(alias="Zhengyin-Consent", max_length=32, description="持证人授权码(授权要求时)")]
Asked = Annotated[Purpose, Depends(from_headers)]


def licence_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """Reading; nothing here changes a licence."""
    routes, parts = APIRouter(prefix="/licences", tags=["证照"]), calls.parts
    who = Depends(caller_of)

    @routes.post("/search", summary="按持证主体检索", response_model=bodies.FoundLicences)
    def search(body: bodies.Search, request: Request, caller: Caller = who) -> dict[str, Any]:
        purpose = body.as_purpose()

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = "holder:search"
            return _search(session, parts, caller, purpose, body, now, request)

        return calls.look("api.search", caller, purpose, work).value

    @routes.get("/{identifier}", summary="证照信息(元数据)")
    def read(identifier: str, request: Request, asked: Asked, caller: Caller = who, consent: Consent = "") -> Response:
        language = language_of(request)

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = licence_for(session, parts, caller, asked, Action.READ, identifier, now, trace, consent)
            kind, stands = parts.catalogue.get(seen.licence.type_code), standing_of(seen.licence, now, now)
            competent = parts.competent_body(seen.licence.issuer_code)
            return full_view(seen.licence, kind, stands, competent, language, seen.access)

        logged = calls.look("api.read", caller, asked, work)
        tag = tag_of(logged.value)
        if matches(request, tag):
            return Response(status_code=304, headers={"ETag": tag})
        return JSONResponse(with_evidence(calls, caller, asked, logged), headers={"ETag": tag})

    @routes.get(
        "/{identifier}/file", summary="下载证照文件(PDF)", responses={200: {"content": {"application/pdf": {}}}}
    )
    def download(
        identifier: str, request: Request, asked: Asked, caller: Caller = who, consent: Consent = ""
    ) -> Response:
        def work(session: Session, now: datetime, trace: Trace) -> tuple[str, str]:
            seen = licence_for(session, parts, caller, asked, Action.FILE, identifier, now, trace, consent)
            return seen.licence.digest or "", _file_name(parts, seen)

        digest, name = calls.look("api.file", caller, asked, work).value
        tag = f'"{digest}"'
        if matches(request, tag):
            return Response(status_code=304, headers={"ETag": tag})
        return pdf_response(parts.blobs.get(digest), name, tag)

    @routes.get("/{identifier}/history", summary="状态记录")
    def history(
        identifier: str, request: Request, asked: Asked, caller: Caller = who, consent: Consent = ""
    ) -> dict[str, Any]:
        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = licence_for(session, parts, caller, asked, Action.READ, identifier, now, trace, consent)
            return {"identifier": seen.licence.identifier, "items": history_view(seen.licence, language_of(request))}

        return with_evidence(calls, caller, asked, calls.look("api.history", caller, asked, work))

    @routes.get("/{identifier}/accesses", summary="谁查看或核验过(颁发机构)")
    def who_looked(
        identifier: str,
        request: Request,
        asked: Asked,
        caller: Caller = who,
        after: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        language = language_of(request)

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = licence_for(session, parts, caller, asked, Action.OPERATE, identifier, now, trace)
            found, more = accesses(
                session, seen.licence.identifier, refusals=False, limit=limit, before=from_cursor(after) or None
            )
            items = [
                {
                    "at": row.at.isoformat(), "what": row.what.in_(language), "kind": row.kind,
                    "department": row.department, "purpose": row.purpose, "matter": row.matter,
                }
                for row in found
            ]  # fmt: skip
            return {"items": items, "next": to_cursor(more) if more else None}

        return calls.look("api.accesses", caller, asked, work).value

    return routes


def pdf_response(content: bytes, name: str, tag: str) -> Response:
    """A download whose Chinese name survives (RFC 6266, RFC 8187)."""
    disposition = f"attachment; filename=\"licence.pdf\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Content-Disposition": disposition, "ETag": tag, "Cache-Control": "private, no-cache"}
    return Response(content, media_type="application/pdf", headers=headers)


def _file_name(parts: RegistryParts, seen: Seen) -> str:
    return f"{parts.catalogue.get(seen.licence.type_code).name.zh}-{seen.licence.number}.pdf".replace("/", "-")


def _search(
    session: Session,
    parts: RegistryParts,
    caller: Caller,
    purpose: Purpose,
    body: bodies.Search,
    now: datetime,
    request: Request,
) -> dict[str, Any]:
    """Licences of the holder, of those types that the caller may search."""
    wanted = [parts.catalogue.get(key) for key in body.types] or list(parts.catalogue)
    granted = _searchable(session, parts, caller, purpose, [kind.code for kind in wanted], now)
    if body.types and not granted:
        raise GrantMissing(Need(Action.SEARCH, wanted[0].code, purpose.matter), parts.settings.contact)
    code = "".join(body.holder.code.split()).upper()
    hashes = parts.vault.lookups(code, body.holder.code_type)
    found = by_holder(session, hashes, granted, from_cursor(body.after), body.limit + 1)
    items = []
    for licence in found[: body.limit]:
        kind, stands = parts.catalogue.get(licence.type_code), standing_of(licence, now, now)
        items.append(
            summary_view(licence, kind, stands, parts.competent_body(licence.issuer_code), language_of(request))
        )
    more = to_cursor(found[body.limit - 1].id) if len(found) > body.limit else None
    return {"items": items, "next": more}


def _searchable(
    session: Session, parts: RegistryParts, caller: Caller, purpose: Purpose, codes: list[str], now: datetime
) -> list[str]:
    grants = [
        grant
        for grant in grants_of(session, caller.department_id)
        if grant.holds_at(now) and Action.SEARCH in grant.actions and {purpose.matter, ANY} & grant.matters
        and not grant.consent_needed
    ]  # fmt: skip
    return [code for code in codes if any(grant.type_code in (code, ANY) for grant in grants)]
