"""Idempotency-Key: the same call twice gives the first answer; the same key with another body is refused.

The row is reserved before the work. One that a crash left open may be taken again after its lease: the work itself
is safe to repeat (one case, one licence).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Header
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from cert_registry.errors import RegistryError, Text
from cert_registry.sharing.idempotency_rows import IdempotentCall
from cert_registry.web.parts import Caller, RegistryParts

LEASE, KEPT = timedelta(minutes=2), timedelta(days=7)
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=64,
        pattern=r"^[0-9A-Za-z._-]+$",
        description="同一请求重试时不变",
    ),
]


class KeyReused(RegistryError):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            Text("这个 Idempotency-Key 已用于另一请求。", "This Idempotency-Key was used for another request."),
            advice=Text("新的请求请换新的值。", "Use a new key for a new request."),
        )


class InProgress(RegistryError):
    code = "request_in_progress"
    retry_after_seconds = 5

    def __init__(self) -> None:
        super().__init__(
            Text("同一请求正在处理。", "The same request is being worked on."),
            advice=Text("请稍后用同一值重试。", "Try again with the same key in a moment."),
        )


def once(
    parts: RegistryParts,
    caller: Caller,
    key: str,
    address: str,
    body: Mapping[str, Any],
    work: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Do the work once for this client and key. Raises KeyReused, InProgress; a failed call may be tried again."""
    digest = _digest(address, body)
    now = parts.clock.now()
    done = _reserve(parts, caller.client_id, key, digest, now)
    if done is not None:
        return done
    try:
        answer = work()
    except BaseException:
        _forget(parts, caller.client_id, key)
        raise
    with parts.database.write() as session:
        row = session.get_one(IdempotentCall, (caller.client_id, key))
        row.answer = answer
    return answer


def _reserve(parts: RegistryParts, client: str, key: str, digest: str, now: datetime) -> dict[str, Any] | None:
    try:
        with parts.database.write() as session:
            session.execute(delete(IdempotentCall).where(IdempotentCall.at < now - KEPT))
            row = session.get(IdempotentCall, (client, key), with_for_update=True)
            if row is None:
                session.add(IdempotentCall(client_id=client, key=key, digest=digest, at=now, answer=None))
                return None
            if row.digest != digest:
                raise KeyReused
            if row.answer is not None:
                return dict(row.answer)
            if now - row.at <= LEASE:
                raise InProgress
            row.at = now
            return None
    except IntegrityError:
        raise InProgress from None


def _forget(parts: RegistryParts, client: str, key: str) -> None:
    with parts.database.write() as session:
        session.execute(delete(IdempotentCall).where(IdempotentCall.client_id == client, IdempotentCall.key == key))


def _digest(address: str, body: Mapping[str, Any]) -> str:
    """Bodies may hold personal numbers; the digest is over all of it and cannot be read back without guessing all."""
    return hashlib.sha256(f"{address}\n{json.dumps(body, sort_keys=True)}".encode()).hexdigest()
