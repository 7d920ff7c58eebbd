"""Renewing the archive timestamps of a home's documents before what carries them ends: looked at once, then when due.

Each document goes alone: nothing is open while the authority is waited for, a killed run goes on with the next one, and
the file that was there stays as it was. The new revision is kept beside it, and found by it when it is judged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased

from cert_registry.licences.register import Licence
from cert_registry.sharing.copies import PurposeCopy
from cli.stage import Stage
from hardware.explained import ExplainedError
from signing_service.approvals.register import DocumentVersion
from signing_service.errors import SigningServiceError, Text
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.pades.ports import Timestamper
from signing_service.pades.renewal import renewed
from signing_service.settings import Settings
from signing_service.verification.archive import KeptRevision, index_kept, kept_digest
from signing_service.verification.issued_reports import IssuedReport
from signing_service.verification.reasons import Verdict
from signing_service.verification.renewal import (
    MARGIN,
    SHIPPED,
    AlgorithmEnds,
    End,
    carrying_stamps,
    end_of,
    is_due,
)
from signing_service.verification.renewal_book import RETRY, Column, StoredDocument, is_known, to_try

_LOG = logging.getLogger(__name__)
RENEWED, ACTOR = "archive.renewed", "process:renewal"
REST = timedelta(hours=1)
LOOKED, TRIED = 200, 20
"""How many documents one round of the worker looks at for the first time, and how many it renews."""


class NotWorthRenewing(SigningServiceError):
    code = "renewal_of_failed_document"

    def __init__(self) -> None:
        super().__init__(
            Text("没有续期:该文件核验不通过。", "Not renewed: the document does not pass."),
            advice=Text("请查看核验报告。", "Look at its verification report."),
        )


class RenewalGainsNothing(SigningServiceError):
    code = "renewal_gains_nothing"

    def __init__(self) -> None:
        super().__init__(
            Text("没有续期:新时间戳不比原来的更长久。", "Not renewed: a new timestamp would end no later."),
            why=Text("时间戳证书或算法同样将到期。", "The authority's own certificate or algorithm ends as soon."),
            advice=Text(
                "请先轮换时间戳密钥(zhengyin pki rotate tsa),或换用其他时间戳机构。",
                "Rotate the timestamp key first (zhengyin pki rotate tsa), or use another authority.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Round:
    """What one run did. `renewed`: digests of documents to those of their new revisions; `failed`: to error codes."""

    looked_at: int = 0
    renewed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> Mapping[str, Any]:
        return {"looked_at": self.looked_at, "renewed": self.renewed, "failed": self.failed}


def algorithm_ends(settings: Settings) -> AlgorithmEnds:
    """The home's own table where it has one. Raises AlgorithmEndsUnreadable."""
    own = settings.home / "algorithm-ends.yaml"
    return AlgorithmEnds.read(own if own.exists() else SHIPPED)


def new_documents(session: Session, limit: int | None = None) -> list[str]:
    """Finished documents that the book does not know yet, by digest: of each text of a case the newest revision,
    licences, purpose-bound copies, verification reports, and what was put into the archive."""
    later = aliased(DocumentVersion)
    same = [later.case_id == DocumentVersion.case_id, later.kind == DocumentVersion.kind]
    newer = select(later.id).where(*same, later.text == DocumentVersion.text, later.revision > DocumentVersion.revision)
    queries: list[Select[Any]] = [
        select(DocumentVersion.digest).where(~newer.exists(), ~is_known(DocumentVersion.digest))
    ]
    columns: tuple[Column, ...] = (Licence.digest, PurposeCopy.digest, IssuedReport.digest, KeptRevision.kept)
    queries += [select(column).distinct().where(~is_known(column)) for column in columns]
    found = {digest for query in queries for digest in session.scalars(query.limit(limit)) if digest}
    return sorted(found)[:limit]


class Renewals:
    """On one home. `margin`: how long before its end a document is renewed."""

    def __init__(self, stage: Stage, timestamper: Timestamper, margin: timedelta = MARGIN) -> None:
        """Raises AlgorithmEndsUnreadable."""
        self._stage, self._timestamper, self._margin = stage, timestamper, margin
        self._table = algorithm_ends(stage.settings)

    def look(self, limit: int | None = None) -> int:
        """Enter documents that are new to the book; how many."""
        with self._stage.database.read() as session:
            found = new_documents(session, limit)
        for digest in found:
            with self._stage.database.read() as session:
                newest = kept_digest(session, digest) or digest
            row = StoredDocument(digest=digest, newest=newest, seen_at=self._stage.clock.now(), failure="")
            try:
                row.ends(self._end(self._stage.blobs.get(newest)))
            except SigningServiceError as failure:
                row.ends(None)
                row.failure = failure.code
            with self._stage.database.write() as session:
                session.merge(row)
        return len(found)

    def only_look(self) -> Round:
        return Round(self.look())

    def run(self, looked: int | None = None, tried: int | None = None, *, at_once: bool = False) -> Round:
        """Look at what is new, renew what is due; what fails stays due, with the error's code. `at_once`: also what
        failed a short while ago."""
        done = Round(self.look(looked))
        now = self._stage.clock.now() + (RETRY if at_once else timedelta(0))
        with self._stage.database.read() as session:
            waiting = to_try(session, self._stage.clock.now() + self._margin, now, tried)
        for digest in waiting:
            try:
                fresh = self._renew(digest)
            except (ExplainedError, ValueError) as failure:  # ValueError: a certificate or container beyond reading
                code = failure.code if isinstance(failure, ExplainedError) else "unreadable"
                _LOG.warning(
                    "document %s was not renewed: %s", digest, code, exc_info=not isinstance(failure, ExplainedError)
                )
                self._note(digest, code)
                done.failed[digest] = code
            else:
                if fresh is not None:
                    done.renewed[digest] = fresh
        return done

    def _renew(self, digest: str) -> str | None:
        """The new revision's digest; None where a newer one carries the document long enough already."""
        stage = self._stage
        with stage.database.read() as session:
            newest = kept_digest(session, digest) or session.get_one(StoredDocument, digest).newest
        content = stage.blobs.get(newest)
        stamps = carrying_stamps(content)
        end = end_of(stamps, self._table)
        if end is None or not is_due(end, stage.clock.now(), self._margin):
            self._keep(digest, newest, end)
            return None
        if stage.judge(content).verdict is Verdict.FAILED:
            raise NotWorthRenewing
        fresh = renewed(content, [stamp.token for stamp in stamps], self._timestamper, stage.revocation())
        later = self._end(fresh)
        if later is None or later.at <= end.at:
            raise RenewalGainsNothing
        kept = stage.blobs.put(fresh)  # before any row names it
        self._keep(digest, kept, later, fresh)
        return kept

    def _keep(self, digest: str, newest: str, end: End | None, content: bytes | None = None) -> None:
        now = self._stage.clock.now()
        with self._stage.database.write() as session:
            row = session.get_one(StoredDocument, digest)
            if content is not None:
                index_kept(session, content, now)
                details = {"before": row.newest, "cause": row.cause, "until": end.at.isoformat() if end else ""}
                act = Act(RENEWED, ACTOR, f"file:{digest}", digest=newest, details=details)
                AuditLog().record(session, act, now)
            row.newest, row.tried_at, row.failure = newest, None, ""
            row.ends(end)

    def _note(self, digest: str, code: str) -> None:
        now: datetime = self._stage.clock.now()
        act = Act(RENEWED, ACTOR, f"file:{digest}", digest=digest)
        with self._stage.database.write() as session:
            row = session.get_one(StoredDocument, digest)
            row.tried_at, row.failure = now, code
        AuditLog().refuse(self._stage.database, act, now, code)

    def _end(self, content: bytes) -> End | None:
        return end_of(carrying_stamps(content), self._table)


def renewal_work(stage: Stage, timestamper: Timestamper) -> Callable[..., object]:
    """The worker's round; once nothing was left to do it rests for an hour."""
    rested_until = [stage.clock.now()]

    def run_if_due(*_rows: object) -> None:
        if stage.clock.now() < rested_until[0]:
            return
        done = Renewals(stage, timestamper).run(LOOKED, TRIED)
        if not (done.looked_at or done.renewed):
            rested_until[0] = stage.clock.now() + REST

    return run_if_due
