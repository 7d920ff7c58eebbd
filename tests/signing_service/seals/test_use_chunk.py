"""A chunk of a batch in the book of uses: the same rules as one use, under one lock, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from signing_service.kernel.audit_log import AuditLog, entries_about
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import Conditions, DailyLimitReached, UseRequest
from signing_service.seals.picture import SealDesign
from signing_service.seals.register import Application, SealRegister
from signing_service.seals.rules import ADMINISTRATOR, Kind, Why
from signing_service.seals.structures import SealContent, make_seal
from signing_service.seals.use_book import UseAlreadyRequested, UseBook, UseState
from signing_service.seals.use_chunk import UseChunk

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, SECOND = (Actor(f"seal-admin-{number}", frozenset({ADMINISTRATOR}), "aa" * 32) for number in (1, 2))
CLERK = Actor("reviewer-1")
SEAL = "bureau"


class Clock:
    def now(self):
        return NOW


@pytest.fixture
def register(database):
    return SealRegister(database, Clock(), AuditLog())


@pytest.fixture
def active(register, holders):
    """Makes the seal and puts it into use, with conditions."""

    def make(**conditions):
        application = Application(
            SEAL, Kind.STATUTORY, "示例市行政审批局", "11990000MB9900013U", "approvals", ("seal-holder",),
            SealDesign("示例市行政审批局"), NOW - DAY, NOW + 365 * DAY, Conditions(**conditions),
        )  # fmt: skip
        maker, seal = holders.Holder("示例制章单位"), holders.Holder("示例印章")
        content = SealContent(SEAL, 1, application.design.name, (seal.certificate,), NOW, NOW, NOW + DAY, b"P", 42, 42)
        structure = make_seal(content, maker=maker.certificate, algorithm_oid="1.2.840.10045.4.3.2", sign=maker.sign)
        register.apply(application, FIRST, Why("设立机构", "示例"))
        register.change(SEAL, "approve", SECOND)
        register.make(SEAL, structure, FIRST)
        register.change(SEAL, "file", FIRST, Why("", "备案 2026-0001"))
        register.change(SEAL, "activate", FIRST)
        return UseChunk(register, SEAL, CLERK)

    return make


def requests(*numbers):
    return [UseRequest(f"item-{number}", "批复", f"{number:064x}", "reviewer-1") for number in numbers]


def references(*numbers):
    return [f"item-{number}" for number in numbers]


def states(register):
    return {use.reference: use.state for use in UseBook(register).uses(SEAL)}


def test_a_chunk_is_reserved_and_released_and_every_use_is_logged(register, active):
    chunk = active()
    with register.database.write() as session:
        assert chunk.reserve(session, requests(1, 2)).count == 2
    with register.database.write() as session:
        assert chunk.release(session, references(1, 2)) is None
    assert states(register) == dict.fromkeys(references(1, 2), UseState.RELEASED)
    with register.database.read() as session:
        entries = entries_about(session, f"seal:{SEAL}")[-4:]
        logged = [(entry.kind, entry.details["reference"]) for entry in entries]
    assert logged == [(f"seal.use.{state}", item) for state in ("reserved", "released") for item in references(1, 2)]


def test_as_many_as_the_days_count_allows_are_reserved(register, active):
    chunk = active(per_day=3)
    with register.database.write() as session:
        taken = chunk.reserve(session, requests(*range(5)))
    assert taken.count == 3
    assert isinstance(taken.refusal, DailyLimitReached)
    assert len(states(register)) == 3


def test_what_a_crash_left_behind_is_taken_up_and_not_counted_twice(register, active):
    chunk = active(per_day=3)
    for _ in range(2):
        with register.database.write() as session:
            assert chunk.reserve(session, requests(1, 2, 3)).count == 3
    assert len(states(register)) == 3


def test_a_voided_use_counts_again_when_it_is_asked_for_again(register, active):
    chunk = active(per_day=1)
    with register.database.write() as session:
        chunk.reserve(session, requests(1))
    with register.database.write() as session:
        chunk.void(session, {"item-1": "pdf_unreadable"})
    with register.database.write() as session:
        assert chunk.reserve(session, requests(2, 1)).count == 1
    assert states(register) == {"item-1": UseState.VOIDED, "item-2": UseState.RESERVED}


def test_what_was_released_is_not_used_again(register, active):
    chunk = active()
    with register.database.write() as session:
        chunk.reserve(session, requests(1))
        chunk.release(session, references(1))
    with pytest.raises(UseAlreadyRequested), register.database.write() as session:
        chunk.reserve(session, requests(1))


def test_after_a_suspension_signed_files_stay_in_and_can_leave_when_it_ends(register, active):
    chunk = active()
    with register.database.write() as session:
        chunk.reserve(session, requests(1, 2))
    register.change(SEAL, "suspend", FIRST, Why("核查"))
    with register.database.write() as session:
        assert chunk.release(session, references(1, 2)).code == "seal_not_usable"
    assert set(states(register).values()) == {UseState.QUARANTINED}
    with register.database.write() as session:
        assert chunk.reserve(session, requests(1, 2)).refusal.code == "seal_not_usable"
    register.change(SEAL, "resume", SECOND, Why("核查完毕"))
    with register.database.write() as session:
        chunk.reserve(session, requests(1, 2))
        assert chunk.release(session, references(1, 2)) is None
    assert set(states(register).values()) == {UseState.RELEASED}


def test_chunks_in_parallel_keep_the_days_count_exactly(register, active):
    chunk, barrier = active(per_day=10), threading.Barrier(8)

    def ask(number):
        barrier.wait()
        with register.database.write() as session:
            return chunk.reserve(session, requests(*range(5 * number, 5 * number + 5))).count

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 10
    assert len(states(register)) == 10
