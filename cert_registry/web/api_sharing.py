"""My own grants, my copies' files, and the feed of what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.orm import Session

from cert_registry.licences.errors import LicenceNotFound
from cert_registry.sharing.copies import PurposeCopy
from cert_registry.sharing.event_feed import feed
from cert_registry.sharing.grants import grants_of
from cert_registry.web.api_licences import Asked, pdf_response
from cert_registry.web.calls import Calls, Trace
from cert_registry.web.parts import Caller


def sharing_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """What a department may see, and what it may not, of its own rights."""
    routes, parts = APIRouter(tags=["共享"]), calls.parts
    who = Depends(caller_of)

    @routes.get("/whoami", summary="我是谁(检查令牌,不涉及任何证照)")
    def whoami(caller: Caller = who) -> dict[str, str]:
        return {
            "client": caller.client_id, "department": caller.department_id, "department_name": caller.department_name,
        }  # fmt: skip

    @routes.get("/grants", summary="本部门的授权")
    def my_grants(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"department:{caller.department_id}"
            found = grants_of(session, caller.department_id)
            return {
                "department": caller.department_id,
                "items": [
                    {
                        "id": grant.id, "type_code": grant.type_code, "actions": sorted(grant.actions),
                        "fields": sorted(grant.fields), "matters": sorted(grant.matters),
                        "consent_needed": grant.consent_needed, "since": grant.since.isoformat(),
                        "until": None if grant.until is None else grant.until.isoformat(),
                        "active": grant.holds_at(now),
                    }
                    for grant in found
                ],
                "ask": parts.settings.contact.zh,
            }  # fmt: skip

        return calls.look("api.grants", caller, asked, work).value

    @routes.get(
        "/copies/{copy_id}/file", summary="下载本部门的加注件", responses={200: {"content": {"application/pdf": {}}}}
    )
    def copy_file(copy_id: str, asked: Asked, caller: Caller = who) -> Response:
        def work(session: Session, now: datetime, trace: Trace) -> str:
            copy = session.get(PurposeCopy, copy_id[:20])
            if copy is None or copy.recipient != caller.department_id or copy.digest is None:
                raise LicenceNotFound
            trace.subject, trace.digest = f"licence:{copy.identifier}", copy.digest
            trace.details["copy"] = copy.id
            return copy.digest

        digest = calls.look("api.copy_file", caller, asked, work).value
        return pdf_response(parts.blobs.get(digest), f"加注件-{copy_id}.pdf", f'"{digest}"')

    @routes.get("/events", summary="变动通知(按序号,无缺号)")
    def events(
        request: Request,
        asked: Asked,
        caller: Caller = who,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> dict[str, Any]:
        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = "events"
            grants = grants_of(session, caller.department_id)
            codes = parts.department_codes(caller.department_id)
            return feed(session, grants, codes, asked.matter, after, limit, now)

        return calls.look("api.events", caller, asked, work).value

    return routes
