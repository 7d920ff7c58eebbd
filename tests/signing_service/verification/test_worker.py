"""The checking process: same judgement, its own limits, ports answered by the caller."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from pdf_bytes import document, stream, write
from pki_world import revocation_list

from signing_service.verification import engine
from signing_service.verification.ports import Facts, LicenceFact, LicenceState
from signing_service.verification.reasons import Usable, Verdict
from signing_service.verification.worker import WorkerLimits, verify_in_worker


def test_the_worker_judges_as_the_engine_does(sealed, policy):
    assert verify_in_worker(sealed, policy).as_json() == engine.verify(sealed, policy).as_json()


def test_it_also_works_from_a_process_with_threads(sealed, policy):
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        assert verify_in_worker(sealed, policy).verdict is Verdict.PASSED
    finally:
        release.set()
        thread.join()


class Ended:
    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def facts(self, ids, digest, at):
        self.asked.append((ids, digest, at))
        return Facts(
            known=True,
            licence=LicenceFact("1.2.156.3005.2", LicenceState.ENDED, at - timedelta(days=1), "撤销", "隐瞒情况"),
        )


def test_facts_are_asked_for_in_the_calling_process(sealed, policy):
    source = Ended()
    report = verify_in_worker(sealed, policy, source)
    assert (report.verdict, report.usable_now, report.reason) == (Verdict.PASSED, Usable.NO, "licence_ended")
    assert len(source.asked) == 1


def test_a_source_that_fails_is_not_hidden(sealed, policy):
    class Broken:
        def facts(self, ids, digest, at):
            raise LookupError("database is away")

    with pytest.raises(LookupError):
        verify_in_worker(sealed, policy, Broken())
    with pytest.raises(LookupError):
        engine.verify(sealed, policy, Broken())


class Library:
    """A fetcher that knows every list of the test world."""

    def __init__(self, world, at) -> None:
        self.lists = world.crls(at)
        self.urls: list[str] = []

    def crl(self, url):
        self.urls.append(url)
        return self.lists[0]

    def ocsp(self, url, request):
        return None


def test_nothing_is_fetched_when_certificates_name_no_place(world, sealed, make_policy):
    library = Library(world, make_policy().at)
    report = verify_in_worker(sealed, make_policy(crls=[], fetcher=library))
    assert report.reason == "revocation_unknown"
    assert library.urls == []


def test_time_runs_out(sealed, policy):
    report = verify_in_worker(sealed, policy, limits=WorkerLimits(seconds=0))
    assert (report.reason, report.verdict) == ("resource_limit", Verdict.INDETERMINATE)


def test_memory_runs_out(policy):
    bomb = stream(b"0" * (40 << 20), b"/Type /XRef /Size 5 /W [1 2 1]", compress=True)
    start = b"%PDF-1.7\n5 0 obj\n"
    pdf = start + bomb + b"\nendobj\nstartxref\n9\n%%EOF\n"
    report = verify_in_worker(pdf, policy, limits=WorkerLimits(memory=8 << 20))
    assert report.verdict is Verdict.INDETERMINATE
    assert report.reason in ("resource_limit", "unreadable", "no_signature")


def test_millions_of_objects_and_of_references(policy):
    """Found by scanning, since no cross-references are given; each within the worker's limits."""
    headers = b"%PDF-1.7\n" + b"1 0 obj\n" * 1_100_000 + b"%%EOF\n"
    assert verify_in_worker(headers, policy).reason == "resource_limit"
    kids = b"[" + b"3 0 R " * 1_000_000 + b"]"
    tree = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"<< /Type /Pages /Kids %s /Count 1 >>" % kids}
    report = verify_in_worker(write(tree, b"/Root 1 0 R"), policy)
    assert report.reason in ("resource_limit", "no_signature")


def test_an_unsigned_file_needs_no_limits_of_note(policy):
    assert verify_in_worker(document(), policy).reason == "no_signature"


def test_revocation_lists_travel(world, sealed, make_policy):
    at = make_policy().at
    empty = [revocation_list(world.seals, at)]
    assert verify_in_worker(sealed, make_policy(crls=empty)).reason == "revocation_unknown"
    assert write({1: b"<< /Type /Catalog >>"}, b"/Root 1 0 R").startswith(b"%PDF")
