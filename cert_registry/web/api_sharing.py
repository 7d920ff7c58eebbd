"""My own rights and keys, my copies' files, and the feed of what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.orm import Session

from cert_registry.licences.errors import LicenceNotFound
from cert_registry.sharing.access import Grant
from cert_registry.sharing.copies import PurposeCopy
from cert_registry.sharing.event_feed import feed, state_digest
from cert_registry.sharing.grants import grants_of
from cert_registry.web import api_answers as answers
from cert_registry.web.api_docs import refusals
from cert_registry.web.api_licences import PDF, Asked, pdf_response
from cert_registry.web.api_verify import with_evidence
from cert_registry.web.calls import Calls, Trace
from cert_registry.web.parts import Caller

Number = Annotated[int, Query(ge=0, le=2**62)]


def sharing_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """What a department may see, and what it may not, of its own rights."""
    routes, who = APIRouter(tags=["共享"]), Depends(caller_of)
    for add in (_add_whoami, _add_grants, _add_copy_file, _add_events):
        add(routes, calls, who)
    return routes


def _add_whoami(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.get(
        "/whoami", summary="我是谁(检查令牌,不涉及任何证照)", response_model=answers.WhoView, responses=refusals()
    )
    def whoami(caller: Caller = who) -> dict[str, str]:
        """接入时先用它检查令牌。不需要用途和事项,不记日志。"""
        return {
            "client": caller.client_id, "department": caller.department_id, "department_name": caller.department_name,
        }  # fmt: skip


def _add_grants(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.get("/grants", summary="本部门的授权", response_model=answers.GrantsView, responses=refusals())
    def my_grants(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        """可核验、查看、下载、检索哪些类型的哪些内容,为哪些事项,到何时;已结束的也列出。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"department:{caller.department_id}"
            items = [_grant_view(grant, now) for grant in grants_of(session, caller.department_id)]
            return {"department": caller.department_id, "items": items, "ask": calls.parts.settings.contact.zh}

        return calls.look("api.grants", caller, asked, work).value


def _grant_view(grant: Grant, now: datetime) -> dict[str, Any]:
    return {
        "id": grant.id, "type_code": grant.type_code, "actions": sorted(grant.actions),
        "fields": sorted(grant.fields), "matters": sorted(grant.matters),
        "consent_needed": grant.consent_needed, "since": grant.since.isoformat(),
        "until": None if grant.until is None else grant.until.isoformat(), "active": grant.holds_at(now),
    }  # fmt: skip


def _add_copy_file(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.get(
        "/copies/{copy_id}/file", summary="下载本部门的加注件", response_class=Response,
        responses={**PDF, **refusals("not_found_here")},
    )  # fmt: skip
    def copy_file(copy_id: str, asked: Asked, caller: Caller = who) -> Response:
        """只有接收单位可以下载;别的部门答 404。"""

        def work(session: Session, now: datetime, trace: Trace) -> str:
            copy = session.get(PurposeCopy, copy_id[:20])
            if copy is None or copy.recipient != caller.department_id or copy.digest is None:
                raise LicenceNotFound
            trace.subject, trace.digest = f"licence:{copy.identifier}", copy.digest
            trace.details["copy"] = copy.id
            return copy.digest

        digest = calls.look("api.copy_file", caller, asked, work).value
        return pdf_response(calls.parts.blobs.get(digest), f"加注件-{copy_id}.pdf", f'"{digest}"')


def _add_events(routes: APIRouter, calls: Calls, who: Any) -> None:
    parts = calls.parts

    @routes.get(
        "/events", summary="变动通知(按序号,无缺号,已签名)", response_model=answers.EventPage,
        response_model_exclude_unset=True, responses=refusals("evidence_unavailable"),
    )  # fmt: skip
    def events(
        asked: Asked, caller: Caller = who, after: Number = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 200
    ) -> dict[str, Any]:
        """从 after 之后起;看不到的变动只有序号,所以缺号就是丢失。`evidence` 是对整页的签名。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = "events"
            grants, codes = (
                grants_of(session, caller.department_id),
                parts.department_codes(session, caller.department_id),
            )
            return feed(session, grants, codes, asked.matter, after, limit, now)

        return with_evidence(calls, caller, asked, calls.look("api.events", caller, asked, work))

    @routes.get(
        "/events/digest", summary="核对变动通知(重建后比对)", response_model=answers.EventDigest,
        responses=refusals("evidence_unavailable"),
    )  # fmt: skip
    def digest(asked: Asked, until: Number, caller: Caller = who) -> dict[str, Any]:
        """按通知重建后,用同一算法计算并比对:不同即说明丢失了变动,或授权有变,请从 after=0 重新读取。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = "events"
            grants, codes = (
                grants_of(session, caller.department_id),
                parts.department_codes(session, caller.department_id),
            )
            return state_digest(session, grants, codes, asked.matter, until, now)

        return with_evidence(calls, caller, asked, calls.look("api.events", caller, asked, work))
