"""A client's own public keys: seen, and replaced by itself when it rotates them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field, JsonValue
from sqlalchemy.orm import Session

from cert_registry.web.api_answers import KeysView
from cert_registry.web.api_docs import refusals
from cert_registry.web.api_licences import Asked
from cert_registry.web.api_models import Strict, example
from cert_registry.web.calls import Calls, Trace
from cert_registry.web.parts import Caller
from cert_registry.web.purposes import WithPurpose

Jwk = dict[Annotated[str, Field(max_length=20)], JsonValue]


class KeysBody(Strict, WithPurpose):
    """`keys`:今后有效的全部公钥(JWK),不在其中的即日停用;`proof`:用其中一把新私钥签的断言,与换取令牌的断言相同。"""

    model_config = example(
        keys=[{"kty": "EC", "crv": "P-256", "kid": "2027", "x": "…", "y": "…"}],
        proof="eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
    )

    keys: Annotated[list[Jwk], Field(min_length=1, max_length=10)]
    proof: Annotated[str, Field(min_length=1, max_length=8192)]


def key_routes(calls: Calls, caller_of: Any) -> APIRouter:
    """Two calls; a key that is no longer listed stops working at once, tokens got with it within ten minutes."""
    routes, keys, who = APIRouter(prefix="/keys", tags=["接入"]), calls.parts.client_keys, Depends(caller_of)

    @routes.get("", summary="本客户端登记的公钥", response_model=KeysView, responses=refusals())
    def mine(asked: Asked, caller: Caller = who) -> dict[str, Any]:
        """只列出公钥编号(kid)。"""

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"client:{caller.client_id}"
            return {"client": caller.client_id, "kids": keys.kids(session, caller.client_id)}

        return calls.look("api.keys", caller, asked, work).value

    @routes.put(
        "", summary="更换公钥", response_model=KeysView,
        responses=refusals("key_set_refused", "key_not_proven"),
    )  # fmt: skip
    def replace(body: KeysBody, caller: Caller = who) -> dict[str, Any]:
        """先加新公钥,用新私钥换到令牌后,再去掉旧的:中间不停用。须证明持有新私钥,以免把自己锁在外面。"""
        purpose = body.as_purpose()

        def work(session: Session, now: datetime, trace: Trace) -> dict[str, Any]:
            trace.subject = f"client:{caller.client_id}"
            kids = keys.replace(session, caller.client_id, {"keys": body.keys}, body.proof)
            trace.details["kids"] = kids
            return {"client": caller.client_id, "kids": kids}

        return calls.run("api.keys_replaced", caller, purpose, work).value

    return routes
