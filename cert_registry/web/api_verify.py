"""POST /api/v1/verify/…: by identifier, content, paper code, file; one or up to a thousand at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError, Language, Text
from cert_registry.licences.errors import LicenceNotFound
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.status_facts import standing_of
from cert_registry.sharing.access import Action
from cert_registry.verification.comparing import compare_fields, plain
from cert_registry.verification.lookup import CodeFacts, find_by_number, identifier_of_code
from cert_registry.web import api_models as bodies
from cert_registry.web.api_docs import BY_IDENTIFIER, refusals
from cert_registry.web.calls import Calls, Logged, Trace
from cert_registry.web.files import judge, read_upload
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.permission import Seen, access_to, licence_for, note
from cert_registry.web.purposes import MatterCode, Purpose, PurposeText, WithPurpose
from cert_registry.web.statuses import RequestInvalid
from cert_registry.web.views import standing_view, summary_view
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.problems import language_of


def verify_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """The verify group; `caller_of` is the dependency that authenticates and counts the call."""
    routes, who = APIRouter(prefix="/verify", tags=["核验"]), Depends(caller_of)
    for add in (_add_identifier, _add_fields, _add_code, _add_file, _add_batch):
        add(routes, calls, who)
    return routes


def _add_identifier(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/identifier", summary="按证照标识核验", response_model=bodies.Verified, responses=refusals(*BY_IDENTIFIER)
    )
    def by_identifier(body: bodies.VerifyIdentifier, request: Request, caller: Caller = who) -> dict[str, Any]:
        """只答状态,不含持证主体和内容。`usable_now` 为 yes 才可以办理。"""
        purpose, language = body.as_purpose(), language_of(request)

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = licence_for(
                session, calls.parts, caller, purpose, Action.VERIFY, body.identifier, now, trace, body.consent
            )
            return verified_view(session, calls.parts, seen, now, language)

        return with_evidence(calls, caller, purpose, calls.look("api.verify_identifier", caller, purpose, work))


def _add_fields(routes: APIRouter, calls: Calls, who: Any) -> None:
    parts = calls.parts

    @routes.post(
        "/fields", summary="按内容核验", response_model=bodies.VerifiedFields,
        responses=refusals(*BY_IDENTIFIER, "unknown_licence_type"),
    )  # fmt: skip
    def by_fields(body: bodies.VerifyFields, request: Request, caller: Caller = who) -> dict[str, Any]:
        """逐项答 match / mismatch / not_granted / no_such_field,不给出登记的内容。"""
        purpose, language = body.as_purpose(), language_of(request)

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            seen = _for_fields(session, parts, caller, purpose, body, now, trace)
            kind = parts.catalogue.get(seen.licence.type_code)
            compared = compare_fields(kind, seen.licence.fields, body.fields, seen.access.shows)
            return {
                **verified_view(session, parts, seen, now, language),
                "fields": compared,
                "holder": _compare_holder(parts, seen, body.holder),
            }

        return with_evidence(calls, caller, purpose, calls.look("api.verify_fields", caller, purpose, work))


def _add_code(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/code", summary="扫码核验", response_model=bodies.VerifiedCode,
        responses=refusals(*BY_IDENTIFIER, "paper_code_invalid"),
    )  # fmt: skip
    def by_code(body: bodies.VerifyCode, request: Request, caller: Caller = who) -> dict[str, Any]:
        """传二维码的全部内容;先核对码的签名,再答证照的当前状态。"""
        purpose, language = body.as_purpose(), language_of(request)
        facts = _read_code(calls, caller, purpose, body.code)

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            identifier = str(identifier_of_code(session, facts))
            seen = licence_for(
                session, calls.parts, caller, purpose, Action.VERIFY, identifier, now, trace, body.consent
            )
            return {**verified_view(session, calls.parts, seen, now, language), "code": dict(facts.details)}

        return with_evidence(calls, caller, purpose, calls.look("api.verify_code", caller, purpose, work))


def _add_file(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/file", summary="按文件核验", response_model=bodies.VerifiedFile,
        responses=refusals("file_too_large", "verifier_busy", "evidence_unavailable"),
    )  # fmt: skip
    def by_file(
        request: Request,
        file: Annotated[UploadFile, File(description="PDF 文件")],
        purpose: Annotated[PurposeText, Form()],
        matter: Annotated[MatterCode, Form()],
        caller: Caller = who,
    ) -> dict[str, Any]:
        """印章、盖章后的改动、证照状态一并判断;`verdict` 与 `usable_now` 都好才算通过。不需要授权。"""
        asked = WithPurpose(purpose=purpose, matter=matter).as_purpose()
        content = read_upload(file, calls.parts.settings.most_upload_bytes)
        finding = judge(calls, content, file.filename or "", language_of(request), caller=caller, purpose=asked)
        return with_evidence(calls, caller, asked, finding)


def _add_batch(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/batch", summary="批量核验,一次至多 1000 个", response_model=bodies.VerifiedBatch,
        responses=refusals("evidence_unavailable"),
    )  # fmt: skip
    def batch(body: bodies.VerifyBatch, request: Request, caller: Caller = who) -> dict[str, Any]:
        """每个标识一个结果,顺序与所给相同;不能核验的写明 reason,不影响其余。每个证照各有日志。"""
        purpose, language = body.as_purpose(), language_of(request)

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject, trace.details["count"] = "licence:batch", len(body.identifiers)
            one = partial(_one_of_batch, session, calls.parts, caller, purpose)
            return {"items": [one(text, now, language) for text in body.identifiers]}

        return with_evidence(calls, caller, purpose, calls.run("api.verify_batch", caller, purpose, work))


def verified_view(
    session: Session, parts: RegistryParts, seen: Seen, now: datetime, language: Language
) -> dict[str, Any]:
    """Standing and summary of a licence that may be verified."""
    licence = seen.licence
    stands, kind = standing_of(licence, now, now), parts.catalogue.get(licence.type_code)
    competent = parts.competent_body(session, licence.issuer_code)
    return {
        **standing_view(stands, language),
        "licence": summary_view(licence, kind, stands, competent, language),
    }


def with_evidence(calls: Calls, caller: Caller, purpose: Purpose, logged: Logged[dict[str, Any]]) -> dict[str, Any]:
    """The answer with its log entry and the JWS over both."""
    evidence = calls.evidence(caller, purpose, logged, logged.value)
    return {**logged.value, "log": {"entry": logged.entry, "leaf": logged.leaf}, "evidence": evidence}


def _for_fields(
    session: Session,
    parts: RegistryParts,
    caller: Caller,
    purpose: Purpose,
    body: bodies.VerifyFields,
    now: datetime,
    trace: Trace,
) -> Seen:
    if body.identifier:
        return licence_for(session, parts, caller, purpose, Action.VERIFY, body.identifier, now, trace, body.consent)
    if not (body.type and body.number):
        raise RequestInvalid(Text("应给出 identifier,或 type 和 number。", "Give identifier, or type and number."))
    kind = parts.catalogue.get(body.type)
    licence = find_by_number(session, kind.code, body.number)
    if licence is not None:
        trace.subject = f"licence:{licence.identifier}"
    access = access_to(session, parts, caller, purpose, Action.VERIFY, kind.code, licence, now, body.consent)
    if licence is None:
        raise LicenceNotFound
    note(trace, access)
    return Seen(licence, access)


def _compare_holder(parts: RegistryParts, seen: Seen, stated: bodies.HolderBody | None) -> str | None:
    """By keyed hash; the name counts only where one is stated."""
    if stated is None:
        return None
    code = "".join(stated.code.split()).upper()
    wanted = parts.vault.lookups(code, stated.code_type)
    for holder in seen.licence.holders:
        if holder.code_hash in wanted and (not stated.name or plain(stated.name) == plain(holder.name)):
            return "match"
    return "mismatch"


def _read_code(calls: Calls, caller: Caller, purpose: Purpose, text: str) -> CodeFacts:
    """The paper code's facts; a refusal is logged like any other."""
    try:
        return calls.parts.read_code(text)
    except ExplainedError as refusal:
        calls.refuse("api.verify_code", caller, purpose, Trace(), refusal)
        raise


def _one_of_batch(
    session: Session,
    parts: RegistryParts,
    caller: Caller,
    purpose: Purpose,
    text: str,
    now: datetime,
    language: Language,
) -> Mapping[str, Any]:
    """One line of a batch, with a log entry of its own for the licence's holder to see."""
    trace = Trace()
    try:
        seen = licence_for(session, parts, caller, purpose, Action.VERIFY, text, now, trace)
    except ExplainedError as refusal:
        return {
            "identifier": text,
            "usable_now": "unknown",
            "reason": refusal.code,
            "summary": refusal.explain(language),
        }
    details = {"purpose": purpose.purpose, "matter": purpose.matter, "department_name": caller.department_name}
    act = Act(
        "api.verify_identifier", f"client:{caller.client_id}", trace.subject, caller.department_id,
        digest=trace.digest, details={**details, **trace.details, "batch": True},
    )  # fmt: skip
    AuditLog().record(session, act, now)
    return {"identifier": str(LicenceIdentifier.parse(text)), **verified_view(session, parts, seen, now, language)}
