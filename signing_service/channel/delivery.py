"""Signature jobs on their way to the officer's agent and back.

A signature that comes back is checked against the attributes that were prepared and the certificate that they name,
then kept (state `signed`) before the file is completed: a crash after that loses nothing, `resume` goes on from
there. No transaction is open while the TSA, the blob store or the submitter is waited for.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from signing_service.agent.protocol import MOST_JOBS, Spot, batch_code, batch_digest
from signing_service.channel.errors import (
    BatchInvalid,
    JobExpired,
    JobMoved,
    JobUnknown,
    SignatureRefused,
    WrongCertificate,
)
from signing_service.channel.ports import Complete, Purpose
from signing_service.channel.rules import ENDED, OPEN, JobState, moved
from signing_service.channel.signature_check import signature_fits
from signing_service.channel.signature_jobs import SignatureBatch, SignatureJob, spot_to_row
from signing_service.errors import ExplainedError
from signing_service.kernel.audit_log import Act, AuditLog
from signing_service.kernel.blobs import BlobStore
from signing_service.kernel.clock import Clock
from signing_service.kernel.database import Database
from signing_service.pdf.cms_attributes import read_signed_attributes
from signing_service.pdf.prepared import PreparedSignature

LIFETIME = timedelta(hours=8)
TAKEN = (JobState.SIGNED, JobState.COMPLETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What is to be signed, by whom, for whom. `original` is the revision that `prepared` continues (bytes)."""

    officer: str
    reference: str
    title: str
    asked_by: str
    prepared: PreparedSignature
    original: bytes
    certificate: bytes
    chain: Sequence[bytes] = ()
    spot: Spot | None = None
    texts: Sequence[str] = ()
    opinion: str = ""


@dataclass(frozen=True, slots=True)
class Handed:
    """A job with its file, as the agent gets it."""

    job: SignatureJob
    prepared: PreparedSignature


class Delivery:
    """All of it for one deployment. Methods that name an officer know only that officer's jobs."""

    def __init__(
        self, database: Database, blobs: BlobStore, clock: Clock, audit: AuditLog, complete: Complete, purpose: Purpose
    ) -> None:
        self._database, self._blobs, self._clock, self._audit = database, blobs, clock, audit
        self._complete, self._purpose = complete, purpose

    def submit(self, new: NewJob, *, lifetime: timedelta = LIFETIME) -> str:
        """Put one job on the officer's list; returns its id. Raises PreparedAltered, WrongCertificate."""
        return self._submit([new], lifetime, None)[0]

    def submit_batch(self, jobs: Sequence[NewJob], *, lifetime: timedelta = LIFETIME) -> SignatureBatch:
        """Freeze a list of one officer's jobs, in this order. Raises BatchInvalid: over 200, several officers."""
        officers = {job.officer for job in jobs}
        references = [job.reference for job in jobs]
        if not 1 <= len(jobs) <= MOST_JOBS:
            raise BatchInvalid(f"应有 1 至 {MOST_JOBS} 份。", f"It must have 1 to {MOST_JOBS} documents.")
        if len(officers) != 1 or len(set(references)) != len(references):
            raise BatchInvalid(
                "同一份文件出现了两次,或属于不同的人。", "A document occurs twice, or they are for several officers."
            )
        now = self._clock.now()
        batch = SignatureBatch(
            id=secrets.token_hex(16), officer=jobs[0].officer, code="", digest="", created_at=now,
            expires_at=now + lifetime,
        )  # fmt: skip
        self._submit(jobs, lifetime, batch)
        return batch

    def pending(self, officer: str) -> list[SignatureJob]:
        """What the officer can sign now, in the order of the lists; expired jobs are left out."""
        query = select(SignatureJob).where(SignatureJob.officer == officer, SignatureJob.state.in_(OPEN))
        query = query.where(SignatureJob.expires_at > self._clock.now())
        return self._list(query.order_by(SignatureJob.created_at, SignatureJob.position, SignatureJob.id))

    def batch(self, officer: str, batch_id: str) -> tuple[SignatureBatch, list[SignatureJob]]:
        """A frozen list with its jobs in order. Raises JobUnknown."""
        with self._database.read() as session:
            batch = session.get(SignatureBatch, batch_id)
            if batch is None or batch.officer != officer:
                raise JobUnknown
            query = select(SignatureJob).where(SignatureJob.batch_id == batch_id).order_by(SignatureJob.position)
            jobs = list(session.scalars(query))
        return batch, jobs

    def open_batch(self, officer: str) -> SignatureBatch | None:
        """The oldest list of the officer on which something is still to be signed."""
        query = select(SignatureBatch).where(
            SignatureBatch.officer == officer,
            SignatureBatch.ended_at.is_(None),
            SignatureBatch.expires_at > self._clock.now(),
        )
        with self._database.read() as session:
            return session.scalars(query.order_by(SignatureBatch.created_at).limit(1)).first()

    def officers_waiting(self) -> frozenset[str]:
        """The officers with a list on which something is still to be signed: one question for all waiting agents."""
        query = select(SignatureBatch.officer).where(
            SignatureBatch.ended_at.is_(None), SignatureBatch.expires_at > self._clock.now()
        )
        with self._database.read() as session:
            return frozenset(session.scalars(query.distinct()))

    def hand_over(self, officer: str, job_id: str) -> Handed:
        """The job's prepared file, for the officer's agent to show. Raises JobUnknown, JobExpired, JobMoved."""
        job = self._move(officer, job_id, "show")
        return Handed(job, self._prepared(job))

    def original(self, officer: str, job_id: str) -> bytes:
        """The revision that the job's file continues. Raises JobUnknown."""
        with self._database.read() as session:
            digest = _find(session, officer, job_id).original
        return self._blobs.get(digest)

    def consent(self, officer: str, job_id: str) -> datetime:
        """The officer is about to sign: the submitter gives the lease. Returns its end."""
        with self._database.read() as session:
            job = _find(session, officer, job_id)
            moved(JobState(job.state), "lease")
            reference, certificate = job.reference, job.certificate
        until = self._purpose.consented(reference, officer, hashlib.sha256(certificate).hexdigest())
        self._move(officer, job_id, "lease", lease_until=until)
        return until

    def take_back(self, officer: str, job_id: str, signature: bytes, certificate: bytes) -> str:
        """Check a signature, keep it, complete the file and hand it to the submitter; returns the file's digest.

        Raises JobUnknown, JobExpired, JobMoved, WrongCertificate, SignatureRefused, and whatever completing or the
        submitter raise; in these last cases the job is refused under that error's code. Sending the same signature
        again after a lost answer gives the same digest.
        """
        with self._database.read() as session:
            job = _find(session, officer, job_id)
            if job.state == JobState.COMPLETED and job.signature == signature:
                return job.result
        try:
            self._check(job, signature, certificate)
        except ExplainedError as refusal:
            self._audit.refuse(self._database, _act("job.sign", job), self._clock.now(), refusal.code)
            raise
        return self._finish(self._move(officer, job_id, "sign", signature=signature, signed_at=self._clock.now()))

    def refuse(self, officer: str, job_id: str, code: str, text: Sequence[str]) -> None:
        """The agent did not sign, and says why."""
        self._move(officer, job_id, "refuse", failure=code[:64], failure_text=[part[:500] for part in text][:2])

    def cancel(self, officer: str, job_id: str) -> None:
        self._move(officer, job_id, "cancel")

    def resume(self) -> int:
        """Complete what was signed when a process ended; returns how many. For the worker, every minute."""
        before = self._clock.now() - timedelta(minutes=1)
        query = select(SignatureJob).where(SignatureJob.state == JobState.SIGNED, SignatureJob.signed_at < before)
        finished = 0
        for job in self._list(query.order_by(SignatureJob.signed_at)):
            try:
                self._finish(job)
                finished += 1
            except ExplainedError:
                continue  # the reason stands on the job
        return finished

    def _submit(self, jobs: Sequence[NewJob], lifetime: timedelta, batch: SignatureBatch | None) -> list[str]:
        rows = [self._row(new, index, lifetime, batch) for index, new in enumerate(jobs)]
        with self._database.write() as session:
            if batch is not None:
                entries = [row.entry for row in rows]
                batch.digest, batch.code = batch_digest(entries), batch_code(entries)
                session.add(batch)
                session.flush()
            for row in rows:
                self._supersede(session, row)
            session.add_all(rows)
            session.flush()
            for row in rows:
                self._audit.record(session, _act("job.submit", row), self._clock.now())
        return [row.id for row in rows]

    def _row(self, new: NewJob, index: int, lifetime: timedelta, batch: SignatureBatch | None) -> SignatureJob:
        new.prepared.check()
        named = read_signed_attributes(new.prepared.signed_attributes).signing_certificate_hash
        if named != hashlib.sha256(new.certificate).digest() or not new.prepared.document.startswith(new.original):
            raise WrongCertificate
        now = self._clock.now()
        return SignatureJob(
            id=secrets.token_hex(16), officer=new.officer, reference=new.reference, title=new.title[:300],
            asked_by=new.asked_by[:200], opinion=new.opinion[:500], state=JobState.PREPARED,
            batch_id=None if batch is None else batch.id, position=index, prepared=new.prepared.to_json(),
            document=self._blobs.put(new.prepared.document), original=self._blobs.put(new.original),
            spot=spot_to_row(new.spot), texts=list(new.texts), certificate=new.certificate,
            chain=[base64.b64encode(each).decode() for each in new.chain], created_at=now, expires_at=now + lifetime,
        )  # fmt: skip

    def _supersede(self, session: Session, row: SignatureJob) -> None:
        """An earlier job for the same signature that was not signed is given up."""
        for earlier in _same_reference(session, row.reference):
            if earlier.officer == row.officer and earlier.state in OPEN:
                earlier.state = moved(JobState(earlier.state), "cancel")
                session.flush()
                _end_batch(session, earlier, self._clock.now())
                self._audit.record(session, _act("job.cancel", earlier), self._clock.now())

    def _check(self, job: SignatureJob, signature: bytes, certificate: bytes) -> None:
        moved(JobState(job.state), "sign")
        if self._clock.now() >= job.expires_at:
            raise JobExpired
        if certificate != job.certificate:
            raise WrongCertificate
        if not signature_fits(certificate, signature, self._prepared(job).signed_attributes):
            raise SignatureRefused

    def _finish(self, job: SignatureJob) -> str:
        """From `signed` to `completed`, or to `refused` with the reason."""
        chain = [base64.b64decode(each) for each in job.chain]
        assert job.signature is not None  # noqa: S101  # a signed job has its signature
        try:
            document = self._complete(self._prepared(job), job.signature, job.certificate, chain)
            digest = self._blobs.put(document)
            fingerprint = hashlib.sha256(job.certificate).hexdigest()
            self._purpose.completed(job.reference, job.officer, fingerprint, document, job.opinion)
        except ExplainedError as refusal:
            text = [refusal.explain("zh"), refusal.explain("en")]
            self._move(job.officer, job.id, "refuse", failure=refusal.code, failure_text=text)
            raise
        self._move(job.officer, job.id, "complete", result=digest)
        return digest

    def _move(self, officer: str, job_id: str, move: str, **changes: Any) -> SignatureJob:
        """One move with its audit entry; ends the batch with its last job."""
        now = self._clock.now()
        with self._database.write() as session:
            job = _find(session, officer, job_id, lock=True)
            after = moved(JobState(job.state), move)
            if move in ("show", "lease", "sign") and now >= job.expires_at:
                raise JobExpired
            if move == "sign" and any(each.state in TAKEN for each in _same_reference(session, job.reference)):
                raise JobMoved("这一步已经有签名。", "This step has its signature already.")
            job.state = after
            for name, value in changes.items():
                setattr(job, name, value)
            self._audit.record(session, _act(f"job.{move}", job), now)
            if after in ENDED:
                session.flush()
                _end_batch(session, job, now)
            session.flush()
        return job

    def _prepared(self, job: SignatureJob) -> PreparedSignature:
        return PreparedSignature.from_json(job.prepared, self._blobs.get(job.document))

    def _list(self, query: Any) -> list[SignatureJob]:
        with self._database.read() as session:
            return list(session.scalars(query))


def _find(session: Session, officer: str, job_id: str, *, lock: bool = False) -> SignatureJob:
    job = session.get(SignatureJob, job_id, with_for_update=lock)
    if job is None or job.officer != officer:
        raise JobUnknown
    return job


def _same_reference(session: Session, reference: str) -> list[SignatureJob]:
    """All jobs for one signature, locked."""
    query = select(SignatureJob).where(SignatureJob.reference == reference).order_by(SignatureJob.id)
    return list(session.scalars(query.with_for_update()))


def _end_batch(session: Session, job: SignatureJob, now: datetime) -> None:
    if job.batch_id is None:
        return
    query = select(SignatureJob.id).where(SignatureJob.batch_id == job.batch_id, SignatureJob.state.not_in(ENDED))
    if session.scalar(query.limit(1)) is None:
        session.get_one(SignatureBatch, job.batch_id).ended_at = now


def _act(kind: str, job: SignatureJob) -> Act:
    details = {"reference": job.reference, "state": job.state, "failure": job.failure or ""}
    fingerprint = hashlib.sha256(job.certificate).hexdigest()
    return Act(kind, job.officer, f"job:{job.id}", certificate=fingerprint, digest=job.document, details=details)
