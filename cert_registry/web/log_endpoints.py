"""The log for those who hold evidence: the newest checkpoint, and proofs over hashes. No entry is public."""

from __future__ import annotations

import base64
import threading
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.errors import RegistryError, Text
from signing_service.evidence import merkle
from signing_service.evidence.checkpoint import parsed
from signing_service.evidence.log_checkpoints import LogCheckpoint, newest
from signing_service.evidence.log_tree import LogTree
from signing_service.kernel.audit_log import AuditEntry
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database

KEPT_FOR = timedelta(seconds=10)
Leaf = Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="证据中的 log.leaf / log.leaf of an evidence answer")]
Old = Annotated[int, Query(ge=0, description="较早检查点的长度 / size of an earlier checkpoint")]


class NotInLogYet(RegistryError):
    code = "not_in_log_yet"

    def __init__(self) -> None:
        super().__init__(
            Text("日志的检查点中没有这个承诺值。", "No checkpoint of the log covers this commitment."),
            why=Text(
                "它不属于本日志,或刚写入不到一分钟。", "It is not of this log, or was written less than a minute ago."
            ),
            advice=Text("请核对 log.leaf,一分钟后再试。", "Check log.leaf and try again in a minute."),
        )


class LatestCheckpoint:
    """The newest checkpoint's note, looked up at most once in ten seconds; empty before there is one."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._guard = threading.Lock()
        self._note, self._until = "", datetime.min.replace(tzinfo=clock.now().tzinfo)

    def note(self) -> str:
        with self._guard:
            now = self._clock.now()
            if now >= self._until:
                with self._database.read() as session:
                    last = newest(session)
                self._note, self._until = last.note if last is not None else "", now + KEPT_FOR
            return self._note


def make_log(database: Database) -> APIRouter:
    """GET /log/checkpoint (C2SP signed note) and /log/proof (RFC 9162 proofs as JSON)."""
    router = APIRouter(prefix="/log", tags=["log"])

    @router.get("/checkpoint", summary="最新检查点 / the newest checkpoint", response_class=Response)
    def checkpoint() -> Response:
        with database.read() as session:
            return Response(_newest(session).note, media_type="text/plain; charset=utf-8")

    @router.get("/proof", summary="包含证明和一致性证明 / inclusion and consistency proof")
    def proof(leaf: Leaf, old: Old = 0) -> dict[str, Any]:
        """`inclusion`: the leaf in the newest checkpoint's tree; `consistency`: that tree extends the one of `old`."""
        with database.read() as session:
            return _proof(session, leaf, old)

    return router


def _newest(session: Session) -> LogCheckpoint:
    last = newest(session)
    if last is None:
        raise NotInLogYet
    return last


def _proof(session: Session, leaf: str, old: int) -> dict[str, Any]:
    last = _newest(session)
    size, tree = parsed(last.note)[0].size, LogTree(session)
    index = session.scalar(select(AuditEntry.position).where(AuditEntry.leaf == leaf))
    if index is None or index >= size or old > size:
        raise NotInLogYet
    return {
        "index": index,
        "leaf": leaf,
        "inclusion": _packed(merkle.inclusion_proof(index, size, tree.nodes)),
        "consistency": _packed(merkle.consistency_proof(old, size, tree.nodes)),
        "checkpoint": last.note,
        "timestamp": base64.b64encode(last.timestamp).decode(),
    }


def _packed(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]
