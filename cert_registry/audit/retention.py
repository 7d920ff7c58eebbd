"""How long each kind of data is kept, and what then: classes as data, one pure rule, and what is due in the rows.

Documents and evidence are offered to the archive and never deleted here; log-ins are deleted, and notices lose their
address and text (their keys stay, so that nothing is told twice).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import ColumnElement, Delete, Update, delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from cert_registry.errors import RegistryError, Text
from cert_registry.licences.register import Licence
from signing_service.approvals.register import ApprovalCase
from signing_service.kernel.audit_log import Act, AuditEntry, AuditLog
from signing_service.kernel.clock import local
from signing_service.people.notice_outbox import Notice
from signing_service.people.sessions import OfficerSession
from signing_service.printing.ledger import PrintCopy
from signing_service.seals.seal_tables import SealUse
from signing_service.verification.issued_reports import IssuedReport

SHIPPED = Path(__file__).with_name("retention.yaml")
DELETED, ACTOR = "retention.deleted", "process:retention"
Day = InstrumentedAttribute[Any]


class Then(StrEnum):
    DELETE = "delete"
    OFFER = "offer_to_archive"


THEN_WORDS = {Then.DELETE: Text("由后台删除", "the worker deletes them"),
              Then.OFFER: Text("由档案人员移交档案馆", "an archivist offers them to the archive")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """`since`: the date that its period runs from. `deletes`: what forgets the rows up to an instant; None: nothing
    may. `only`: which rows of the table are meant."""

    words: Text
    since: Day
    deletes: Delete | Update | None = None
    only: ColumnElement[bool] | None = None


KINDS = {
    "case": Kind(Text("已办结的办件及其文件", "ended cases and their documents"), ApprovalCase.ended_at),
    "licence": Kind(Text("有效期已满的证照", "licences past their validity"), Licence.valid_until),
    "seal_use": Kind(Text("用印记录", "uses of seals"), SealUse.reserved_at),
    "log_entry": Kind(Text("审计日志记录", "entries of the audit log"), AuditEntry.at),
    "verification_report": Kind(Text("核验报告", "verification reports"), IssuedReport.drawn_at),
    "print_copy": Kind(Text("打印台账", "entries of the print ledger"), PrintCopy.reserved_at),
    "login": Kind(Text("工作人员登录记录", "officers' log-ins"), OfficerSession.seen_at, delete(OfficerSession)),
    "notice": Kind(
        Text("已发通知的地址和内容", "addresses and texts of notices"), Notice.created_at,
        update(Notice).values(to="", to_sealed=None, secret_sealed=None, text_zh="", text_en=""), Notice.text_zh != "",
    ),
}  # fmt: skip


class RetentionUnreadable(RegistryError):
    code = "retention_unreadable"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            Text(f"保存期限表 {path.name} 有误。", f"The retention schedule {path.name} is wrong."),
            why=Text(f"原因:{why}。", f"Cause: {why}."),
            advice=Text(
                "每一类数据写明 years 或 days,以及 then(delete 或 offer_to_archive)。",
                "Each kind has years or days, and then (delete or offer_to_archive).",
            ),
        )


@dataclass(frozen=True, slots=True)
class Class:
    """One retention class."""

    years: int
    days: int
    then: Then

    def kept_until(self, since: date) -> date:
        """The last day on which something that counts from `since` is kept. Pure."""
        return _moved(since, self.years) + timedelta(days=self.days)

    def due_since(self, day: date) -> date:
        """What counts from this day or earlier has been kept long enough on `day`."""
        return _moved(day - timedelta(days=self.days), -self.years)


@dataclass(frozen=True, slots=True)
class Due:
    """`count` rows of a kind; the first was to be kept until `by`."""

    kind: str
    words: Text
    then: Then
    count: int
    by: date


def read_schedule(path: Path = SHIPPED) -> Mapping[str, Class]:
    """A class for every kind. Raises RetentionUnreadable, also where a kind that is evidence would be deleted."""
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = {str(name): _class(str(name), row) for name, row in rows.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RetentionUnreadable(path, str(error)[:200]) from error
    if set(found) != set(KINDS):
        raise RetentionUnreadable(path, f"kinds {sorted(set(found) ^ set(KINDS))}")
    return found


def what_is_due(session: Session, schedule: Mapping[str, Class], now: datetime) -> list[Due]:
    """Kinds with rows that were kept long enough."""
    found = []
    for name, kept in schedule.items():
        kind = KINDS[name]
        query = select(func.count(), func.min(kind.since)).where(*_ended(kind, kept, now))
        count, first = session.execute(query).one()
        if count:
            since = local(first).date() if isinstance(first, datetime) else first
            found.append(Due(name, kind.words, kept.then, count, kept.kept_until(since)))
    return found


def delete_due(session: Session, schedule: Mapping[str, Class], now: datetime) -> dict[str, int]:
    """Forget what is to be deleted, in one transaction with the log's entry; how many of each kind."""
    gone = {}
    for due in what_is_due(session, schedule, now):
        kind = KINDS[due.kind]
        if due.then is Then.DELETE and kind.deletes is not None:
            session.execute(kind.deletes.where(*_ended(kind, schedule[due.kind], now)))
            gone[due.kind] = due.count
    if gone:
        AuditLog().record(session, Act(DELETED, ACTOR, "retention", details=gone), now)
    return gone


def _ended(kind: Kind, kept: Class, now: datetime) -> list[ColumnElement[bool]]:
    last: date = kept.due_since(local(now).date())
    instant = now - (local(now).date() - last)
    limit = last if kind.since is Licence.valid_until else instant
    return [kind.since < limit, *([kind.only] if kind.only is not None else [])]


def _class(name: str, row: Mapping[str, Any]) -> Class:
    found = Class(int(row.get("years", 0)), int(row.get("days", 0)), Then(row["then"]))
    if found.years < 0 or found.days < 0 or not (found.years or found.days):
        raise ValueError(f"{name}: no period")
    if found.then is Then.DELETE and KINDS[name].deletes is None:
        raise ValueError(f"{name} is evidence and is never deleted here")
    return found


def _moved(day: date, years: int) -> date:
    """29 February becomes 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
