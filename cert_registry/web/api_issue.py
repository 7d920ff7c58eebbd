"""Issuing systems: POST /api/v1/licences, …/operations, …/copies. Each takes an Idempotency-Key."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session

from cert_registry.errors import ExplainedError, Language
from cert_registry.licences.catalogue import Body
from cert_registry.licences.drafts import Actor, Draft, IssueRequest
from cert_registry.licences.errors import NotAnIssuer
from cert_registry.licences.holders import Holder
from cert_registry.licences.identifiers import LicenceIdentifier
from cert_registry.licences.operations import Change, record
from cert_registry.licences.status_facts import standing_of
from cert_registry.sharing.access import Action
from cert_registry.sharing.copies import CopyOrder, prepare_copy, register_copy, render_copy
from cert_registry.web import api_models as bodies
from cert_registry.web.api_answers import CopyView
from cert_registry.web.api_docs import BY_IDENTIFIER, CHANGING, refusals
from cert_registry.web.api_verify import with_evidence
from cert_registry.web.calls import Calls, Logged, Trace
from cert_registry.web.idempotency import IdempotencyKey, once
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.permission import licence_for
from cert_registry.web.purposes import Purpose
from signing_service.kernel.problems import language_of


def issue_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """What changes the register."""
    routes, who = APIRouter(prefix="/licences", tags=["颁发与变更"]), Depends(caller_of)
    for add in (_add_issue, _add_operations, _add_copies):
        add(routes, calls, who)
    return routes


def _add_issue(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "", summary="颁发(新发、延续、变更、转入)", status_code=201, response_model=bodies.IssuedView,
        responses=refusals(
            *CHANGING, "unknown_licence_type", "fields_invalid", "holder_code_invalid",
            "not_an_issuer", "already_issued", "absorbed_type", "operation_not_allowed", "not_found_here",
            "no_standing_order",
        ),
    )  # fmt: skip
    def issue(body: bodies.IssueBody, key: IdempotencyKey, caller: Caller = who) -> dict[str, Any]:
        """一个办件一份证照:排版、盖章、登记。只能以本部门(含所承接机构)名义颁发;再次颁发得到 409 和已有证照标识。"""
        purpose = body.as_purpose()
        given = body.model_dump(mode="json")
        return once(calls.parts, caller, key, "/licences", given, lambda: _issue(calls, caller, purpose, body))


def _add_operations(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/{identifier}/operations", summary="办理状态变更", response_model=bodies.StandingView,
        responses=refusals(
            *CHANGING, *BY_IDENTIFIER, "fields_invalid", "legal_basis_missing", "operation_not_allowed"
        ),
    )  # fmt: skip
    def operate(
        identifier: str, body: bodies.OperationBody, request: Request, key: IdempotencyKey, caller: Caller = who
    ) -> dict[str, Any]:
        """暂扣 suspend、暂扣发还 return、注销 cancel、撤销 revoke、撤回 withdraw、吊销 forfeit、转出 transfer_out、
        取消转出 cancel_transfer、更正记录 void。生效时间与登记时间分别记录;只属于颁发机构。"""
        purpose = body.as_purpose()
        address, given = f"/licences/{identifier}/operations", body.model_dump(mode="json")
        work = partial(_operate, calls.parts, caller, purpose, identifier, body, language_of(request))
        return once(
            calls.parts, caller, key, address, given, lambda: calls.run("api.operation", caller, purpose, work).value
        )


def _add_copies(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/{identifier}/copies", summary="制作加注件", status_code=201, response_model=CopyView,
        responses=refusals(
            *CHANGING, *BY_IDENTIFIER, "licence_ended", "licence_expired", "licence_suspended", "no_standing_order"
        ),
    )  # fmt: skip
    def copy(identifier: str, body: bodies.CopyBody, key: IdempotencyKey, caller: Caller = who) -> dict[str, Any]:
        """接收单位、用途和到期时间印在副本上并盖章;别的单位、别的事项或到期后核验即答不可用。"""
        purpose = body.as_purpose()
        address, given = f"/licences/{identifier}/copies", body.model_dump(mode="json")
        return once(calls.parts, caller, key, address, given, lambda: _copy(calls, caller, purpose, identifier, body))


def _operate(
    parts: RegistryParts,
    caller: Caller,
    purpose: Purpose,
    identifier: str,
    body: bodies.OperationBody,
    language: Language,
    session: Session,
    now: datetime,
    trace: Trace,
) -> dict[str, Any]:
    """Record the operation in the call's own transaction; gives how the licence stands then."""
    seen = licence_for(session, parts, caller, purpose, Action.OPERATE, identifier, now, trace)
    change = Change(body.operation, body.effective_from or now, body.reason, body.legal_basis, body.voids)
    actor = Actor(f"client:{caller.client_id}", caller.department_id)
    record(session, LicenceIdentifier.parse(identifier), change, actor, now)
    stands = standing_of(seen.licence, now, now)
    return {
        "identifier": seen.licence.identifier, "usable_now": stands.usable_now, "reason": stands.reason,
        "summary": stands.sentence.in_(language), "status": stands.status,
    }  # fmt: skip


def _issue(calls: Calls, caller: Caller, purpose: Purpose, body: bodies.IssueBody) -> dict[str, Any]:
    """Issue for the caller's own body only. Refusals are logged here, the act itself by issuing."""
    parts, trace = calls.parts, Trace(f"case:{caller.department_id}:{body.approval_id}")
    actor = Actor(f"client:{caller.client_id}", caller.department_id)
    try:
        with parts.database.read() as session:
            mine = parts.department_codes(session, caller.department_id)
        if body.issuer.code not in mine:
            raise NotAnIssuer(parts.catalogue.get(body.type).name)
        done = parts.issuing.issue(
            _as_request(body, caller, purpose), actor, paper_code=parts.paper_code, seal=parts.seal
        )
    except ExplainedError as refusal:
        calls.refuse("api.issue", caller, purpose, trace, refusal)
        raise
    return {"identifier": done.identifier, "number": done.number, "sha256": done.digest}


def _as_request(body: bodies.IssueBody, caller: Caller, purpose: Purpose) -> IssueRequest:
    """Case numbers are each department's own: two departments may both have a case 2026-1."""
    return IssueRequest(
        approval_id=f"{caller.department_id}:{body.approval_id}",
        type=body.type,
        issuer=Body(body.issuer.code, body.issuer.name),
        holders=[Holder(one.name, one.code, one.code_type) for one in body.holders],
        fields=body.fields,
        issued_on=body.issued_on,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
        number=body.number,
        matter_code=purpose.matter,
        matter_name=body.matter_name,
        operation=body.operation,
        replaces=body.replaces,
        reason=body.reason,
        legal_basis=body.legal_basis,
        absorbs=body.absorbs,
        parties=body.parties,
    )


def _copy(calls: Calls, caller: Caller, purpose: Purpose, identifier: str, body: bodies.CopyBody) -> dict[str, Any]:
    """Reserve and log; render; seal with no transaction open; register."""
    parts = calls.parts

    def reserve(session: Session, now: datetime, trace: Trace) -> tuple[str, Draft]:
        seen = licence_for(session, parts, caller, purpose, Action.COPY, identifier, now, trace, body.consent)
        order = CopyOrder(
            caller.department_id, caller.department_name, purpose.purpose, purpose.matter, body.until,
            f"client:{caller.client_id}",
        )  # fmt: skip
        copy_id = prepare_copy(session, seen.licence, standing_of(seen.licence, now, now), order, now)
        trace.details["copy"] = copy_id
        return copy_id, parts.issuing.draft_of(seen.licence)

    logged = calls.run("api.copy", caller, purpose, reserve)
    copy_id, licence = logged.value
    code_svg = parts.paper_code(licence)
    with parts.database.read() as session:
        draft = render_copy(session, copy_id, parts.catalogue, code_svg, parts.issuing.verify_host)
    sealed = parts.seal_copy(draft)
    parts.blobs.put(sealed)
    with parts.database.write() as session:
        digest = register_copy(session, draft, sealed)
    answer = {
        "copy": copy_id, "identifier": licence.identifier, "until": body.until.isoformat(), "sha256": digest,
        "file": f"/api/v1/copies/{copy_id}/file",
    }  # fmt: skip
    return with_evidence(calls, caller, purpose, Logged(answer, logged.entry, logged.leaf, logged.at))
