"""Who looked at a licence. The holder sees what was allowed; the auditor sees refusals too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
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
    "desk.read": Text("经办人员查看", "read by an officer"),
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
    licence: str = ""


def accesses(
    session: Session, identifier: str, *, refusals: bool, limit: int, before: int | None = None
) -> tuple[list[AccessRow], int | None]:
    """Of one licence, the newest first, and the cursor for more. `before`: only entries older than this one.

    `refusals`: those that were refused too, for the auditor; a holder is shown what was allowed.
    """
    return accesses_of(session, [identifier], refusals=refusals, limit=limit, before=before)


def accesses_of(
    session: Session, identifiers: Sequence[str], *, refusals: bool, limit: int, before: int | None = None
) -> tuple[list[AccessRow], int | None]:
    """As `accesses`, for all licences of one holder at once; each row names its licence."""
    subjects = [f"licence:{identifier}" for identifier in identifiers]
    return accesses_to(session, subjects, refusals=refusals, limit=limit, before=before)


def accesses_to(
    session: Session, subjects: Sequence[str], *, refusals: bool, limit: int, before: int | None = None
) -> tuple[list[AccessRow], int | None]:
    """The same for several objects of the log together: a case and the licence that came of it."""
    query = select(AuditEntry).where(AuditEntry.subject.in_(subjects), AuditEntry.kind.in_(KINDS))
    if not refusals:
        query = query.where(AuditEntry.result == ALLOWED)
    return _page(session, query, limit, before)


def refused_accesses(
    session: Session, *, since: datetime, limit: int, department: str = "", before: int | None = None
) -> tuple[list[AccessRow], int | None]:
    """For the auditor: every look-up that was refused since then, of all licences and also of none that exists."""
    query = select(AuditEntry).where(AuditEntry.kind.in_(KINDS), AuditEntry.result != ALLOWED, AuditEntry.at >= since)
    if department:
        query = query.where(AuditEntry.department == department)
    return _page(session, query, limit, before)


def _page(
    session: Session, query: Select[AuditEntry], limit: int, before: int | None
) -> tuple[list[AccessRow], int | None]:
    if before is not None:
        query = query.where(AuditEntry.id < before)
    found = list(session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit + 1)))
    more = found[limit - 1].id if len(found) > limit else None
    return [_row(entry) for entry in found[:limit]], more


def _row(entry: AuditEntry) -> AccessRow:
    return AccessRow(
        entry.at, entry.kind, KINDS[entry.kind], str(entry.details.get("department_name", entry.department)),
        str(entry.details.get("purpose", "")), str(entry.details.get("matter", "")), entry.result, entry.reason,
        entry.subject.removeprefix("licence:"),
    )  # fmt: skip
