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
from cert_registry.web import api_answers as answers
from cert_registry.web import api_models as bodies
from cert_registry.web.api_docs import BY_IDENTIFIER, refusals
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
PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}, "description": "盖章的 PDF 原件"}}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "与 If-None-Match 所列相同"}}


def licence_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """Reading; nothing here changes a licence."""
    routes, who = APIRouter(prefix="/licences", tags=["证照"]), Depends(caller_of)
    for add in (_add_search, _add_read, _add_file, _add_history, _add_accesses):
        add(routes, calls, who)
    return routes


def _add_search(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/search", summary="按持证主体检索", response_model=bodies.FoundLicences,
        responses=refusals("unknown_licence_type", "grant_missing"),
    )  # fmt: skip
    def search(body: bodies.Search, request: Request, caller: Caller = who) -> dict[str, Any]:
        """证件号码只在请求体中。只列出有“检索”授权的类型;每页至多 200 个,用 next 翻页。"""
        purpose = body.as_purpose()

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = "holder:search"
            return _search(session, calls.parts, caller, purpose, body, now, trace, request)

        return calls.look("api.search", caller, purpose, work).value


def _add_read(routes: APIRouter, calls: Calls, who: Any) -> None:
    parts = calls.parts

    @routes.get(
        "/{identifier}", summary="证照信息(元数据)", response_model=answers.LicenceView,
        responses={**UNCHANGED, **refusals(*BY_IDENTIFIER)},
    )  # fmt: skip
    def read(identifier: str, request: Request, asked: Asked, caller: Caller = who, consent: Consent = "") -> Response:
        """持证主体(号码遮盖)、授权的内容、GB/T 36903 元数据和当前状态。支持 ETag;答 304 也记入日志。"""
        language = language_of(request)

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = licence_for(session, parts, caller, asked, Action.READ, identifier, now, trace, consent)
            kind, stands = parts.catalogue.get(seen.licence.type_code), standing_of(seen.licence, now, now)
            competent = parts.competent_body(session, seen.licence.issuer_code)
            return full_view(seen.licence, kind, stands, competent, language, seen.access)

        logged = calls.look("api.read", caller, asked, work)
        tag = tag_of(logged.value)
        if matches(request, tag):
            return Response(status_code=304, headers={"ETag": tag})
        return JSONResponse(with_evidence(calls, caller, asked, logged), headers={"ETag": tag})


def _add_file(routes: APIRouter, calls: Calls, who: Any) -> None:
    parts = calls.parts

    @routes.get(
        "/{identifier}/file", summary="下载证照文件(PDF)", response_class=Response,
        responses={**PDF, **UNCHANGED, **refusals(*BY_IDENTIFIER)},
    )  # fmt: skip
    def download(
        identifier: str, request: Request, asked: Asked, caller: Caller = who, consent: Consent = ""
    ) -> Response:
        """盖章的原件,一个字节不变。"""

        def work(session: Session, now: datetime, trace: Trace) -> tuple[str, str]:
            seen = licence_for(session, parts, caller, asked, Action.FILE, identifier, now, trace, consent)
            return seen.licence.digest or "", _file_name(parts, seen)

        digest, name = calls.look("api.file", caller, asked, work).value
        tag = f'"{digest}"'
        if matches(request, tag):
            return Response(status_code=304, headers={"ETag": tag})
        return pdf_response(parts.blobs.get(digest), name, tag)


def _add_history(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.get(
        "/{identifier}/history", summary="状态记录", response_model=answers.HistoryView,
        responses=refusals(*BY_IDENTIFIER),
    )  # fmt: skip
    def history(
        identifier: str, request: Request, asked: Asked, caller: Caller = who, consent: Consent = ""
    ) -> dict[str, Any]:
        """每次变更何时生效、何时登记、理由和依据;只增不改,更正也是一条。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = licence_for(session, calls.parts, caller, asked, Action.READ, identifier, now, trace, consent)
            return {"identifier": seen.licence.identifier, "items": history_view(seen.licence, language_of(request))}

        return with_evidence(calls, caller, asked, calls.look("api.history", caller, asked, work))


def _add_accesses(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.get(
        "/{identifier}/accesses", summary="谁查看或核验过(颁发机构)", response_model=answers.AccessPage,
        responses=refusals(*BY_IDENTIFIER),
    )  # fmt: skip
    def who_looked(
        identifier: str, request: Request, asked: Asked, caller: Caller = who,
        after: Annotated[str, Query(max_length=200, description="上一页返回的 next")] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:  # fmt: skip
        """哪个部门、何时、为何;新的在前。只给颁发机构,持证人在自己的页面看。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = licence_for(session, calls.parts, caller, asked, Action.OPERATE, identifier, now, trace)
            return _accesses(session, seen.licence.identifier, after, limit, request)

        return calls.look("api.accesses", caller, asked, work).value


def pdf_response(content: bytes, name: str, tag: str) -> Response:
    """A download whose Chinese name survives (RFC 6266, RFC 8187)."""
    disposition = f"attachment; filename=\"licence.pdf\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Content-Disposition": disposition, "ETag": tag, "Cache-Control": "private, no-cache"}
    return Response(content, media_type="application/pdf", headers=headers)


def _file_name(parts: RegistryParts, seen: Seen) -> str:
    return f"{parts.catalogue.get(seen.licence.type_code).name.zh}-{seen.licence.number}.pdf".replace("/", "-")


def _accesses(session: Session, identifier: str, after: str, limit: int, request: Request) -> dict[str, Any]:
    language, before = language_of(request), from_cursor(after) or None
    found, more = accesses(session, identifier, refusals=False, limit=limit, before=before)
    items = [
        {
            "at": row.at.isoformat(), "what": row.what.in_(language), "kind": row.kind,
            "department": row.department, "purpose": row.purpose, "matter": row.matter,
        }
        for row in found
    ]  # fmt: skip
    return {"items": items, "next": to_cursor(more) if more else None}


def _search(
    session: Session,
    parts: RegistryParts,
    caller: Caller,
    purpose: Purpose,
    body: bodies.Search,
    now: datetime,
    trace: Trace,
    request: Request,
) -> dict[str, Any]:
    """Licences of the holder, of those types that the caller may search; each one found is logged for its holder."""
    wanted = [parts.catalogue.get(key) for key in body.types] or list(parts.catalogue)
    granted = _searchable(session, parts, caller, purpose, [kind.code for kind in wanted], now)
    if body.types and not granted:
        raise GrantMissing(Need(Action.SEARCH, wanted[0].code, purpose.matter), parts.settings.contact)
    code = "".join(body.holder.code.split()).upper()
    hashes = parts.vault.lookups(code, body.holder.code_type)
    found = by_holder(session, hashes, granted, from_cursor(body.after), body.limit + 1)
    items = []
    for licence in found[: body.limit]:
        trace.found.append((f"licence:{licence.identifier}", licence.digest or ""))
        kind, stands = parts.catalogue.get(licence.type_code), standing_of(licence, now, now)
        competent = parts.competent_body(session, licence.issuer_code)
        items.append(summary_view(licence, kind, stands, competent, language_of(request)))
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
