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
from cert_registry.web import api_answers as answers
from cert_registry.web import api_models as bodies
from cert_registry.web.api_docs import refusals
from cert_registry.web.api_licences import Asked
from cert_registry.web.calls import Calls, Trace
from cert_registry.web.parts import Caller, RegistryParts
from cert_registry.web.purposes import Purpose


def subscription_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """A department's own subscriptions; others' are not found."""
    routes, who = APIRouter(prefix="/subscriptions", tags=["共享"]), Depends(caller_of)
    for add in (_add_make, _add_list, _add_replay, _add_end):
        add(routes, calls, who)
    return routes


def _add_make(routes: APIRouter, calls: Calls, who: Any) -> None:
    parts = calls.parts

    @routes.post(
        "", summary="订阅变动通知", status_code=201, response_model=answers.SubscriptionMade,
        responses=refusals("unknown_licence_type", "grant_missing", "fields_invalid"),
    )  # fmt: skip
    def make(body: bodies.SubscriptionBody, caller: Caller = who) -> dict[str, Any]:
        """按类型和地区(颁发机构代码前缀)订阅;每次发送前都重新核查地址。须有“接收变动通知”的授权。"""
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


def _add_list(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.get(
        "", summary="本部门的订阅和未送达的通知", response_model=answers.SubscriptionsView, responses=refusals()
    )
    def mine(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        """`dead` 是重试后仍未送达的通知和最后一次的原因。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"department:{caller.department_id}"
            return {"items": [_shown(session, row) for row in subscriptions_of(session, caller.department_id)]}

        return calls.look("api.subscriptions", caller, asked, work).value


def _shown(session: Session, row: Subscription) -> dict[str, Any]:
    return {
        "id": row.id, "url": row.url, "types": row.types, "issuers": row.issuers, "after": row.after,
        "dead": [{"number": number, "why": why} for number, why in dead_letters(session, row.id)],
    }  # fmt: skip


def _add_replay(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.post(
        "/{subscription_id}/replay", summary="重送未送达的通知", response_model=answers.ReplayView,
        responses=refusals("subscription_not_found"),
    )  # fmt: skip
    def again(subscription_id: str, asked: Asked, caller: Caller = who) -> dict[str, Any]:
        """修好接收地址后调用;答复中是重送的条数。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"subscription:{subscription_id[:32]}"
            return {"replayed": replay(session, subscription_id, caller.department_id, now)}

        return calls.run("api.replay", caller, asked, work).value


def _add_end(routes: APIRouter, calls: Calls, who: Any) -> None:
    @routes.delete(
        "/{subscription_id}", summary="取消订阅", status_code=204, responses=refusals("subscription_not_found")
    )
    def end(subscription_id: str, asked: Asked, caller: Caller = who) -> None:
        """此后不再送达;变动仍可用 GET /events 读取。"""

        def work(session: Session, now: datetime, trace: Trace) -> None:
            trace.subject = f"subscription:{subscription_id[:32]}"
            unsubscribe(session, subscription_id, caller.department_id, f"client:{caller.client_id}", now)

        calls.run("api.unsubscribe", caller, asked, work)


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
