"""Idempotency-Key: the same call twice gives the first answer; the same key with another body is refused.

The row is reserved before the work. One that a crash left open may be taken again after its lease: the work is told
so, and has to be safe to repeat.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from signing_service.errors import Text
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.people.errors import PeopleError
from signing_service.people.idempotent_calls import IdempotentCall

LEASE, KEPT = timedelta(minutes=2), timedelta(days=7)
Answer = dict[str, Any]


class KeyReused(PeopleError):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            Text("这个 Idempotency-Key 已用于另一请求。", "This Idempotency-Key was used for another request."),
            advice=Text("新的请求请换新的值。", "Use a new key for a new request."),
        )


class InProgress(PeopleError):
    code = "request_in_progress"
    retry_after_seconds = 5

    def __init__(self) -> None:
        super().__init__(
            Text("同一请求正在处理。", "The same request is being worked on."),
            advice=Text("请稍后用同一值重试。", "Try again with the same key in a moment."),
        )


@dataclass(frozen=True, slots=True)
class CallOnce:
    """One call of a client. Bodies may hold personal numbers: only a digest over address and whole body is kept."""

    client_id: str
    key: str
    address: str
    body: Mapping[str, Any]

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.address}\n{json.dumps(self.body, sort_keys=True)}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Repeats:
    """Remembers calls. `keep` makes what is stored of an answer, `give` the answer of what was stored: for answers
    that hold a secret."""

    database: Database
    clock: Clock
    keep: Callable[[Answer], Answer] = dict
    give: Callable[[Answer], Answer] = dict

    def once(self, call: CallOnce, work: Callable[[bool], Answer]) -> Answer:
        """`work` is told whether an earlier try was cut short. Raises KeyReused, InProgress; a failed call may be tried
        again."""
        again, done = self._reserve(call)
        if done is not None:
            return self.give(done)
        try:
            answer = work(again)
        except BaseException:
            self._forget(call)
            raise
        stored = self.keep(answer)
        with self.database.write() as session:
            session.get_one(IdempotentCall, (call.client_id, call.key)).answer = stored
        return answer

    def _reserve(self, call: CallOnce) -> tuple[bool, Answer | None]:
        now = self.clock.now()
        try:
            with self.database.write() as session:
                session.execute(delete(IdempotentCall).where(IdempotentCall.at < now - KEPT))
                row = session.get(IdempotentCall, (call.client_id, call.key), with_for_update=True)
                if row is not None:
                    return True, _taken_up(row, call.digest, now)
                session.add(
                    IdempotentCall(client_id=call.client_id, key=call.key, digest=call.digest, at=now, answer=None)
                )
                return False, None
        except IntegrityError:
            raise InProgress from None

    def _forget(self, call: CallOnce) -> None:
        mine = (IdempotentCall.client_id == call.client_id, IdempotentCall.key == call.key)
        with self.database.write() as session:
            session.execute(delete(IdempotentCall).where(*mine))


def _taken_up(row: IdempotentCall, digest: str, now: datetime) -> Answer | None:
    """The stored answer; None for a call that was cut short, which is ours from now on."""
    if row.digest != digest:
        raise KeyReused
    if row.answer is not None:
        return dict(row.answer)
    if now - row.at <= LEASE:
        raise InProgress
    row.at = now
    return None
