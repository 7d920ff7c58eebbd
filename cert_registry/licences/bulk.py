"""Bulk issue: the whole file is validated first; then each row is issued, in any number of runs, once.

Rows wait in the database, sealed by the vault (they hold holders' numbers), until they are issued; then only the
identifier stays. The row is the truth: a run that is stopped goes on where it was.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from cert_registry.errors import ExplainedError, Text
from cert_registry.licences.catalogue import Body, LicenceType
from cert_registry.licences.content import checked_fields, checked_holders
from cert_registry.licences.drafts import Actor, IssueRequest, PaperCode, Seal
from cert_registry.licences.errors import FieldsInvalid, LicenceError
from cert_registry.licences.holder_vault import HolderVault
from cert_registry.licences.holders import USCC, Holder
from cert_registry.licences.issue import Issuing
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.database import Base, UtcDateTime

WAITING, ISSUED, FAILED = "waiting", "issued", "failed"
STARTED, RETRIED = "licence.bulk_started", "licence.bulk_retried"
_CHUNK = 500


class BulkJob(Base):
    """`paused`: why the last run stopped with rows still waiting (no standing order, custody does not answer)."""

    __tablename__ = "bulk_job"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    type_code: Mapped[str] = mapped_column(String(21))
    issuer_code: Mapped[str] = mapped_column(String(32))
    issuer_name: Mapped[str] = mapped_column(String(200))
    issued_on: Mapped[date]
    started_by: Mapped[str] = mapped_column(String(128))
    department: Mapped[str] = mapped_column(String(64), default="")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paused: Mapped[str] = mapped_column(String(500), default="", server_default="")


class BulkRow(Base):
    """`content` is emptied when the row is issued; `error` is a code and a sentence without personal numbers."""

    __tablename__ = "bulk_row"

    job_id: Mapped[str] = mapped_column(ForeignKey("bulk_job.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    identifier: Mapped[str] = mapped_column(String(128), default="")
    error: Mapped[str] = mapped_column(String(500), default="")


class BulkJobUnknown(LicenceError):
    code = "bulk_job_unknown"

    def __init__(self) -> None:
        super().__init__(Text("没有这个批量任务。", "There is no such bulk job."))


@dataclass(frozen=True, slots=True)
class RowProblem:
    row: int
    error: ExplainedError


def validate(rows: Iterable[Mapping[str, Any]], kind: LicenceType) -> Iterator[RowProblem]:
    """Every row that could not be issued, with why. Nothing is kept."""
    for number, row in enumerate(rows, start=1):
        try:
            _check(row, kind)
        except ExplainedError as error:
            yield RowProblem(number, error)


def start(
    session: Session,
    vault: HolderVault,
    kind: LicenceType,
    rows: Iterable[Mapping[str, Any]],
    issuer: Body,
    issued_on: date,
    actor: Actor,
    now: datetime,
) -> str:
    """Store a validated file's rows, in the caller's transaction and in bounded memory; gives the job's id."""
    job_id = secrets.token_hex(16)
    session.add(
        BulkJob(
            id=job_id, type_code=kind.code, issuer_code=issuer.code, issuer_name=issuer.name, issued_on=issued_on,
            started_by=actor.id, department=actor.department, started_at=now,
        )
    )  # fmt: skip
    session.flush()
    numbered, count = enumerate(rows, start=1), 0
    while chunk := list(islice(numbered, _CHUNK)):
        values = [
            {"job_id": job_id, "number": number, "state": WAITING, "identifier": "", "error": "",
             "content": vault.seal(json.dumps(row, ensure_ascii=False), f"{job_id}:{number}")}
            for number, row in chunk
        ]  # fmt: skip
        session.execute(insert(BulkRow), values)
        count += len(chunk)
    details = {"type": kind.code, "rows": count}
    AuditLog().record(session, Act(STARTED, actor.id, f"bulk:{job_id}", actor.department, details=details), now)
    return job_id


@dataclass(frozen=True, slots=True)
class BulkIssuing:
    """Works through a job; safe to run again, and in two places at once (one case, one licence)."""

    issuing: Issuing
    paper_code: PaperCode
    seal: Seal

    def run(self, job_id: str, *, retry_failed: bool = False, each: Callable[[], None] = lambda: None) -> Counter[str]:
        """Issue what waits; `each` is called after every row. Gives how many rows are in which state.

        A row's own fault fails that row. Whatever would stop the next row too (no standing order, no custody) stops
        the run: the rows keep waiting, and the job says why.
        """
        job, kind = self._job(job_id)
        states = (WAITING, FAILED) if retry_failed else (WAITING,)
        self._note(job_id, "")
        for number in self._numbers(job_id, states):
            try:
                self._one(job, kind, number)
            except ExplainedError as stopped:
                self._note(job_id, f"{stopped.code}: {stopped.explain('zh')}"[:500])
                break
            each()
        return progress(self.issuing, job_id)

    def _note(self, job_id: str, why: str) -> None:
        with self.issuing.database.write() as session:
            session.get_one(BulkJob, job_id).paused = why

    def _job(self, job_id: str) -> tuple[BulkJob, LicenceType]:
        with self.issuing.database.read() as session:
            job = session.get(BulkJob, job_id)
            if job is None:
                raise BulkJobUnknown
            session.expunge(job)
        return job, self.issuing.catalogue.get(job.type_code)

    def _numbers(self, job_id: str, states: tuple[str, ...]) -> list[int]:
        with self.issuing.database.read() as session:
            query = select(BulkRow.number).where(BulkRow.job_id == job_id, BulkRow.state.in_(states))
            return list(session.scalars(query.order_by(BulkRow.number)))

    def _one(self, job: BulkJob, kind: LicenceType, number: int) -> None:
        """Issue a row and note the outcome. What a run before has issued already is only noted."""
        approval_id = f"bulk:{job.id}:{number}"
        with self.issuing.database.read() as session:
            row = session.get_one(BulkRow, (job.id, number))
            state, sealed = row.state, row.content
        if state == ISSUED:
            return
        identifier, error = "", ""
        try:
            done = self.issuing.find_by_approval(approval_id)
            if done is None:
                content = json.loads(self.issuing.vault.open(sealed, f"{job.id}:{number}"))
                request = _request(content, kind, job, approval_id)
                actor = Actor(job.started_by, job.department)
                done = self.issuing.issue(request, actor, paper_code=self.paper_code, seal=self.seal, resume=True)
            identifier = done.identifier
        except LicenceError as failure:
            error = f"{failure.code}: {failure.explain('zh')}"[:500]
        with self.issuing.database.write() as session:
            row = session.get_one(BulkRow, (job.id, number))
            row.state, row.identifier, row.error = (FAILED, "", error) if error else (ISSUED, identifier, "")
            row.content = row.content if error else b""


def progress(issuing: Issuing, job_id: str) -> Counter[str]:
    """How many rows of a job are in which state."""
    with issuing.database.read() as session:
        query = select(BulkRow.state, func.count()).where(BulkRow.job_id == job_id).group_by(BulkRow.state)
        return Counter({row[0]: row[1] for row in session.execute(query)})


def waiting_jobs(issuing: Issuing) -> list[str]:
    """Jobs with rows that wait, the oldest first; what a worker runs when it is woken."""
    waits = select(BulkRow.job_id).where(BulkRow.state == WAITING)
    with issuing.database.read() as session:
        return list(session.scalars(select(BulkJob.id).where(BulkJob.id.in_(waits)).order_by(BulkJob.started_at)))


def jobs_of(session: Session, issuer_codes: Iterable[str], limit: int) -> list[BulkJob]:
    """The newest jobs of these issuers."""
    query = select(BulkJob).where(BulkJob.issuer_code.in_(sorted(issuer_codes)))
    return list(session.scalars(query.order_by(BulkJob.started_at.desc()).limit(limit)))


def issuers(session: Session) -> frozenset[str]:
    """Codes of all bodies that have bulk jobs."""
    return frozenset(session.scalars(select(BulkJob.issuer_code).distinct()))


def wait_again(session: Session, job: BulkJob, actor: Actor, now: datetime) -> None:
    """Rows that failed are to be tried once more, in the caller's transaction."""
    failed = (BulkRow.job_id == job.id, BulkRow.state == FAILED)
    session.execute(update(BulkRow).where(*failed).values(state=WAITING, error=""))
    AuditLog().record(session, Act(RETRIED, actor.id, f"bulk:{job.id}", actor.department), now)


def paused_because(issuing: Issuing, job_id: str) -> str:
    """Why the last run stopped with rows still waiting; empty when it did not. Raises BulkJobUnknown."""
    with issuing.database.read() as session:
        job = session.get(BulkJob, job_id)
        if job is None:
            raise BulkJobUnknown
        return job.paused


def failures(issuing: Issuing, job_id: str) -> list[tuple[int, str]]:
    """(row, why) of the rows that failed."""
    with issuing.database.read() as session:
        query = select(BulkRow.number, BulkRow.error).where(BulkRow.job_id == job_id, BulkRow.state == FAILED)
        return [(number, error) for number, error in session.execute(query.order_by(BulkRow.number))]


def _check(row: Mapping[str, Any], kind: LicenceType) -> None:
    """As issuing would. Raises FieldsInvalid, HolderCodeInvalid."""
    checked_fields(kind, row["fields"])
    checked_holders(kind, _holders(row))
    for name in ("valid_from", "valid_until"):
        _date(row, name)


def _request(row: Mapping[str, Any], kind: LicenceType, job: BulkJob, approval_id: str) -> IssueRequest:
    return IssueRequest(
        approval_id=approval_id,
        type=kind.key,
        issuer=Body(job.issuer_code, job.issuer_name),
        holders=_holders(row),
        fields=row["fields"],
        issued_on=job.issued_on,
        valid_from=_date(row, "valid_from"),
        valid_until=_date(row, "valid_until"),
        number=str(row["number"]),
        matter_code=str(row["matter_code"]),
        matter_name=str(row["matter_name"]),
    )


def _holders(row: Mapping[str, Any]) -> list[Holder]:
    try:
        return [Holder(str(one["name"]), str(one["code"]), str(one.get("code_type") or USCC)) for one in row["holders"]]
    except (KeyError, TypeError, AttributeError):
        raise FieldsInvalid({"holders": Text("每个持证主体须有 name 和 code", "each needs name and code")}) from None


def _date(row: Mapping[str, Any], name: str) -> date | None:
    try:
        return date.fromisoformat(str(row[name])) if row.get(name) else None
    except ValueError:
        raise FieldsInvalid({name: Text("应为 2026-11-24 这样的日期", "must be a date like 2026-11-24")}) from None
