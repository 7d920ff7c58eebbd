"""GET /api/v1/seals/ID/status: anybody may ask what a seal's state was at an instant, as it is known now (GB/T 33481).

No log-in; limited for each client's address. A seal exists for the public from the day it was made. Reasons are not
told: they may name persons.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from signing_service.kernel.problems import language_of
from signing_service.pki.rate_limit import RateLimit
from signing_service.seals.register import SealRegister
from signing_service.seals.rules import KIND_NAMES, STATE_NAMES, Kind
from signing_service.seals.seal_tables import SealRow
from signing_service.web.error_edge import NotFound, RequestInvalid, TooManyAsked

EXAMPLE: dict[str, Any] = {
    "seal": "permits", "at": "2026-11-24T07:04:00Z", "known_at": "2026-11-25T01:30:00Z", "state": "active",
    "state_name": "有效", "usable": True, "since": "2026-11-01T00:00:00Z", "name": "示例市行政审批局",
    "kind": "special", "kind_name": "业务专用章", "owner": "示例市行政审批局", "owner_code": "11990000MB9900013U",
    "valid_from": "2026-10-30T00:00:00Z", "valid_until": "2029-10-29T00:00:00Z", "replaced_by": None,
}  # fmt: skip


class SealStatus(BaseModel):
    """`state` as of `at`, as known at `known_at`; `usable` means that it could seal at that instant."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    seal: str
    at: datetime
    known_at: datetime
    state: str = Field(description="active, suspended, replaced, cancelled, void, expired, made, filed, or unknown")
    state_name: str
    usable: bool
    since: datetime | None
    name: str
    kind: str
    kind_name: str
    owner: str
    owner_code: str = Field(description="unified social credit code (GB 32100)")
    valid_from: datetime
    valid_until: datetime
    replaced_by: str | None


def router(register: SealRegister, limit: RateLimit) -> APIRouter:
    """The one public address of the seals."""
    routes = APIRouter(prefix="/api/v1/seals", tags=["seals"])
    problems: dict[int | str, dict[str, Any]] = {
        code: {"description": words, "content": {"application/problem+json": {}}}
        for code, words in ((400, "`at` is not an instant with a zone"), (404, "no such seal"), (429, "too many asked"))
    }

    @routes.get(
        "/{seal_id}/status", response_model=SealStatus, responses=problems, summary="A seal's state at a time"
    )  # fmt: skip
    def status(
        request: Request,
        seal_id: str,
        at: Annotated[str, Query(description="ISO 8601 with a zone; default: now", max_length=40)] = "",
    ) -> SealStatus:
        if not limit.allows(request.client.host if request.client else "-"):
            raise TooManyAsked
        now = register.clock.now()
        when, language = _instant(at) or now, language_of(request)
        with register.database.read() as session:
            row = session.get(SealRow, seal_id)
            if row is None or not row.structure:
                raise NotFound
            found = register.status(session, seal_id, when)
            successor = session.scalar(select(SealRow.id).where(SealRow.replaces == seal_id, SealRow.structure != b""))
        return SealStatus(
            seal=row.id, at=when, known_at=now, state=found.state, state_name=STATE_NAMES[found.state].in_(language),
            usable=found.usable, since=found.since, name=row.name, kind=row.kind,
            kind_name=KIND_NAMES[Kind(row.kind)].in_(language), owner=row.owner_name, owner_code=row.owner_code,
            valid_from=row.valid_from, valid_until=row.valid_until, replaced_by=successor,
        )  # fmt: skip

    return routes


def _instant(text: str) -> datetime | None:
    """Raises RequestInvalid. A "+" that a client left unescaped arrives as a blank."""
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise RequestInvalid(
            "at 应为带时区的 ISO 8601 时间,例如 2026-11-24T15:04:00+08:00。",
            "“at” is an ISO 8601 time with its zone, such as 2026-11-24T15:04:00+08:00.",
        )
    return instant
