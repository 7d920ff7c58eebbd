import dataclasses
import threading

import pytest
from sqlalchemy import select

from signing_service.agent.protocol import batch_code
from signing_service.agent.sign import sign_prepared
from signing_service.channel.errors import (
    BatchInvalid,
    JobExpired,
    JobMoved,
    JobUnknown,
    SignatureRefused,
    WrongCertificate,
)
from signing_service.channel.signature_jobs import SignatureJob
from signing_service.kernel.audit_log import AuditEntry


def sign(ring, delivery, job_id, officer="li"):
    handed = delivery.hand_over(officer, job_id)
    delivery.consent(officer, job_id)
    with ring[officer].open() as token:
        return sign_prepared(handed.prepared, token)


def state(database, job_id):
    with database.read() as session:
        return session.scalars(select(SignatureJob.state).where(SignatureJob.id == job_id)).one()


def test_a_job_goes_to_the_agent_and_comes_back_signed(delivery, ring, new_job, purpose, database, original):
    job_id = delivery.submit(new_job("case-1/1"))
    assert [job.id for job in delivery.pending("li")] == [job_id]
    value = sign(ring, delivery, job_id)
    digest = delivery.take_back("li", job_id, value, ring["li"].signing)
    officer, document, opinion = purpose.done["case-1/1"]
    assert (officer, opinion) == ("li", "同意。")
    assert document.startswith(original)
    assert delivery.pending("li") == []
    assert state(database, job_id) == "completed"
    assert delivery.take_back("li", job_id, value, ring["li"].signing) == digest
    with database.read() as session:
        kinds = session.scalars(select(AuditEntry.kind).where(AuditEntry.subject == f"job:{job_id}")).all()
    assert kinds == ["job.submit", "job.show", "job.lease", "job.sign", "job.complete"]


def test_another_officer_sees_nothing_of_it(delivery, ring, new_job):
    job_id = delivery.submit(new_job("case-1/1"))
    for attempt in (
        lambda: delivery.hand_over("wang", job_id),
        lambda: delivery.original("wang", job_id),
        lambda: delivery.consent("wang", job_id),
        lambda: delivery.take_back("wang", job_id, b"", b""),
        lambda: delivery.refuse("wang", job_id, "x", []),
        lambda: delivery.hand_over("li", "0" * 32),
    ):
        with pytest.raises(JobUnknown):
            attempt()


def test_signatures_that_do_not_fit_are_refused_and_logged(delivery, ring, new_job, database):
    job_id = delivery.submit(new_job("case-1/1"))
    other = delivery.submit(new_job("case-1/2"))
    foreign = sign(ring, delivery, other)
    value = sign(ring, delivery, job_id)
    with pytest.raises(SignatureRefused):
        delivery.take_back("li", job_id, foreign, ring["li"].signing)
    with pytest.raises(SignatureRefused):
        delivery.take_back("li", job_id, value[:-1], ring["li"].signing)
    with pytest.raises(WrongCertificate):
        delivery.take_back("li", job_id, value, ring["wang"].signing)
    assert state(database, job_id) == "leased"
    with database.read() as session:
        reasons = session.scalars(select(AuditEntry.reason).where(AuditEntry.result == "refused")).all()
    assert reasons == ["signature_refused", "signature_refused", "wrong_certificate"]
    delivery.take_back("li", job_id, value, ring["li"].signing)


def test_nothing_is_signed_before_it_was_shown_and_consented_to(delivery, ring, new_job):
    job_id = delivery.submit(new_job("case-1/1"))
    with pytest.raises(JobMoved):
        delivery.consent("li", job_id)
    handed = delivery.hand_over("li", job_id)
    with ring["li"].open() as token:
        value = sign_prepared(handed.prepared, token)
    with pytest.raises(JobMoved):
        delivery.take_back("li", job_id, value, ring["li"].signing)


def test_the_submitter_can_refuse_consent(delivery, new_job, purpose, database):
    job_id = delivery.submit(new_job("case-1/1"))
    delivery.hand_over("li", job_id)
    purpose.fail = BatchInvalid()
    with pytest.raises(BatchInvalid):
        delivery.consent("li", job_id)
    assert state(database, job_id) == "shown"
    delivery.consent("li", job_id)


def test_what_the_submitter_does_not_take_is_refused_with_its_reason(delivery, ring, new_job, purpose, database):
    job_id = delivery.submit(new_job("case-1/1"))
    value = sign(ring, delivery, job_id)
    purpose.fail = JobMoved("另一份先到。", "Another came first.")
    with pytest.raises(JobMoved):
        delivery.take_back("li", job_id, value, ring["li"].signing)
    with database.read() as session:
        job = session.get_one(SignatureJob, job_id)
        assert (job.state, job.failure) == ("refused", "job_moved")
        assert "Another came first." in job.failure_text[1]


def test_a_crash_after_signing_loses_nothing(delivery, ring, new_job, purpose, clock, database):
    job_id = delivery.submit(new_job("case-1/1"))
    value = sign(ring, delivery, job_id)
    purpose.fail = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        delivery.take_back("li", job_id, value, ring["li"].signing)
    assert state(database, job_id) == "signed"
    assert delivery.resume() == 0
    clock.advance(minutes=2)
    assert delivery.resume() == 1
    assert state(database, job_id) == "completed"
    assert "case-1/1" in purpose.done


def test_a_step_gets_one_signature_even_from_two_jobs_at_once(delivery, ring, new_job, purpose):
    jobs = [delivery.submit(new_job("case-1/1", officer)) for officer in ("li", "wang")]
    values = [sign(ring, delivery, job, officer) for job, officer in zip(jobs, ("li", "wang"), strict=True)]
    start, outcomes = threading.Barrier(2), []

    def bring(index, officer):
        start.wait()
        try:
            outcomes.append(delivery.take_back(officer, jobs[index], values[index], ring[officer].signing))
        except JobMoved:
            outcomes.append(None)

    threads = [threading.Thread(target=bring, args=pair) for pair in ((0, "li"), (1, "wang"))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert outcomes.count(None) == 1


def test_asking_again_replaces_the_open_job(delivery, new_job, database):
    first = delivery.submit(new_job("case-1/1"))
    second = delivery.submit(new_job("case-1/1"))
    assert [job.id for job in delivery.pending("li")] == [second]
    assert state(database, first) == "cancelled"


def test_jobs_expire(delivery, ring, new_job, clock):
    job_id = delivery.submit(new_job("case-1/1"))
    value = sign(ring, delivery, job_id)
    clock.advance(hours=8)
    assert delivery.pending("li") == []
    with pytest.raises(JobExpired):
        delivery.take_back("li", job_id, value, ring["li"].signing)
    with pytest.raises(JobExpired):
        delivery.hand_over("li", job_id)


def test_a_batch_is_frozen_in_its_order(delivery, ring, new_job):
    batch = delivery.submit_batch([new_job(f"case-{n}/1") for n in range(3)])
    found, jobs = delivery.batch("li", batch.id)
    assert [job.reference for job in jobs] == ["case-0/1", "case-1/1", "case-2/1"]
    assert found.code == batch_code([job.entry for job in jobs])
    assert delivery.open_batch("li").id == batch.id
    assert delivery.open_batch("wang") is None
    delivery.take_back("li", jobs[0].id, sign(ring, delivery, jobs[0].id), ring["li"].signing)
    delivery.refuse("li", jobs[1].id, "text_differs", ["不同", "differs"])
    assert delivery.open_batch("li").id == batch.id
    delivery.cancel("li", jobs[2].id)
    assert delivery.open_batch("li") is None
    with pytest.raises(JobUnknown):
        delivery.batch("wang", batch.id)


def test_batches_that_are_refused(delivery, new_job):
    one = new_job("case-1/1")
    for jobs in ([], [one] * 2, [one, new_job("case-2/1", "wang")], [one] * 201):
        with pytest.raises(BatchInvalid):
            delivery.submit_batch(jobs)


def test_a_job_for_another_certificate_is_not_taken(delivery, ring, new_job):
    with pytest.raises(WrongCertificate):
        delivery.submit(dataclasses.replace(new_job("case-1/1"), certificate=ring["wang"].signing))
    with pytest.raises(WrongCertificate):
        delivery.submit(dataclasses.replace(new_job("case-1/1"), original=b"%PDF-1.7 another"))
