"""Who looked at a licence. The holder sees what was allowed; the auditor sees refusals too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cert_registry.errors import Text
from signing_service.kernel.audit_log import ALLOWED, AuditEntry

KINDS: Mapping[str, Text] = {
    "api.verify_identifier": Text("按标识核验", "verified by identifier"),
    "api.verify_file": Text("按文件核验", "verified by file"),
    "api.verify_fields": Text("按内容核验", "verified by content"),
    "api.verify_code": Text("扫码核验", "verified by paper code"),
    "api.search": Text("检索", "found by search"),
    "api.read": Text("查看信息", "read"),
    "api.file": Text("下载文件", "downloaded"),
    "api.history": Text("查看状态记录", "history read"),
    "api.accesses": Text("查看访问记录", "access record read"),
    "api.copy": Text("制作加注件", "purpose-bound copy made"),
    "api.copy_file": Text("下载加注件", "purpose-bound copy downloaded"),
    "api.operation": Text("办理状态变更", "operation recorded"),
    "public.verified": Text("公众核验", "verified by the public"),
}


@dataclass(frozen=True, slots=True)
class AccessRow:
    at: datetime
    kind: str
    what: Text
    department: str
    purpose: str
    matter: str
    result: str
    reason: str


def accesses(
    session: Session, identifier: str, *, refusals: bool, limit: int, before: int | None = None
) -> tuple[list[AccessRow], int | None]:
    """The newest first, and the cursor for more. `before`: only entries older than this one."""
    return accesses_to(session, [f"licence:{identifier}"], refusals=refusals, limit=limit, before=before)


def accesses_to(
    session: Session, subjects: Sequence[str], *, refusals: bool, limit: int, before: int | None = None
) -> tuple[list[AccessRow], int | None]:
    """The same for several objects of the log together: a case and the licence that came of it."""
    query = select(AuditEntry).where(AuditEntry.subject.in_(subjects), AuditEntry.kind.in_(KINDS))
    if not refusals:
        query = query.where(AuditEntry.result == ALLOWED)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    found = list(session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit + 1)))
    more = found[limit - 1].id if len(found) > limit else None
    return [_row(entry) for entry in found[:limit]], more


def _row(entry: AuditEntry) -> AccessRow:
    return AccessRow(
        entry.at, entry.kind, KINDS[entry.kind], str(entry.details.get("department_name", entry.department)),
        str(entry.details.get("purpose", "")), str(entry.details.get("matter", "")), entry.result, entry.reason,
    )  # fmt: skip
