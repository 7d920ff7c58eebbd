"""Subscriptions to changes: make, list with dead letters, replay, end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from cert_registry.sharing.access import ANY, Action, GrantMissing, Need
from cert_registry.sharing.grants import grants_of
from cert_registry.sharing.subscriptions import (
    Subscription,
    dead_letters,
    replay,
    subscribe,
    subscriptions_of,
    unsubscribe,
)
from cert_registry.web import api_models as bodies
from cert_registry.web.api_licences import Asked
from cert_registry.web.calls import Calls, Trace
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.purposes import Purpose


def subscription_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """A department's own subscriptions; others' are not found."""
    routes, parts = APIRouter(prefix="/subscriptions", tags=["共享"]), calls.parts
    who = Depends(caller_of)

    @routes.post("", summary="订阅变动通知", status_code=201)
    def make(body: bodies.SubscriptionBody, caller: Caller = who) -> dict[str, Any]:
        purpose = body.as_purpose()
        types = [parts.catalogue.get(key).code for key in body.types]

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"department:{caller.department_id}"
            _require_events(session, parts, caller, purpose, types, now)
            wanted = Subscription(
                client_id=caller.client_id, department=caller.department_id, matter=purpose.matter, url=body.url,
                types=types, issuers=body.issuers,
            )  # fmt: skip
            return {"id": subscribe(session, wanted, f"client:{caller.client_id}", now)}

        return calls.run("api.subscribe", caller, purpose, work).value

    @routes.get("", summary="本部门的订阅和未送达的通知")
    def mine(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"department:{caller.department_id}"
            return {
                "items": [
                    {
                        "id": row.id, "url": row.url, "types": row.types, "issuers": row.issuers, "after": row.after,
                        "dead": [{"number": number, "why": why} for number, why in dead_letters(session, row.id)],
                    }
                    for row in subscriptions_of(session, caller.department_id)
                ]
            }  # fmt: skip

        return calls.look("api.subscriptions", caller, asked, work).value

    @routes.post("/{subscription_id}/replay", summary="重送未送达的通知")
    def again(subscription_id: str, asked: Asked, caller: Caller = who) -> dict[str, Any]:
        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"subscription:{subscription_id[:32]}"
            return {"replayed": replay(session, subscription_id, caller.department_id, now)}

        return calls.run("api.replay", caller, asked, work).value

    @routes.delete("/{subscription_id}", summary="取消订阅", status_code=204)
    def end(subscription_id: str, asked: Asked, caller: Caller = who) -> None:
        def work(session: Session, now: datetime, trace: Trace) -> None:
            trace.subject = f"subscription:{subscription_id[:32]}"
            unsubscribe(session, subscription_id, caller.department_id, f"client:{caller.client_id}", now)

        calls.run("api.unsubscribe", caller, asked, work)

    return routes


def _require_events(
    session: Session, parts: RegistryParts, caller: Caller, purpose: Purpose, types: list[str], now: datetime
) -> None:
    """A subscription that could never deliver anything is refused, naming the grant. Raises GrantMissing."""
    grants = [
        grant
        for grant in grants_of(session, caller.department_id)
        if grant.holds_at(now) and Action.EVENTS in grant.actions and {purpose.matter, ANY} & grant.matters
    ]
    covered = {grant.type_code for grant in grants}
    missing = [code for code in types if not {code, ANY} & covered]
    if missing or not grants:
        raise GrantMissing(Need(Action.EVENTS, missing[0] if missing else ANY, purpose.matter), parts.settings.contact)
