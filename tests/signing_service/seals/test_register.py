"""The seal register on SQLite and PostgreSQL: the whole life, the log, and counts under parallel use."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from signing_service.kernel.audit_log import AuditLog, entries_about
from signing_service.people.errors import CodeInvalid
from signing_service.pki.rules import Actor
from signing_service.seals.conditions import (
    ConditionNotMet,
    Conditions,
    DailyLimitReached,
    TotalLimitReached,
    UseRequest,
)
from signing_service.seals.picture import SealDesign, SealDesignUnusable
from signing_service.seals.register import Application, SealApplicationRefused, SealRegister, SealUnknown
from signing_service.seals.rules import ADMINISTRATOR, Kind, SealMoveNotAllowed, State, Why
from signing_service.seals.structures import SealContent, SealUnreadable, make_seal
from signing_service.seals.use_book import SealNotUsable, UseAlreadyRequested, UseBook, UseState, UseStepNotAllowed

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST = Actor("seal-admin-1", frozenset({ADMINISTRATOR}), "aa" * 32)
SECOND = Actor("seal-admin-2", frozenset({ADMINISTRATOR}), "bb" * 32)
CLERK = Actor("reviewer-1")
BASIS = Why("设立机构", "示例政发〔2026〕1号")
OWNER = "11990000MB9900013U"


class Clock:
    def __init__(self):
        self.instant = NOW

    def now(self):
        return self.instant


@pytest.fixture
def register(database):
    return SealRegister(database, Clock(), AuditLog())


def application(seal_id="bureau", **changed):
    given = {
        "id": seal_id, "kind": Kind.STATUTORY, "owner_name": "示例市行政审批局", "owner_code": OWNER,
        "department": "approvals", "holders": ("seal-holder",), "design": SealDesign("示例市行政审批局"),
        "valid_from": NOW - DAY, "valid_until": NOW + 365 * DAY, **changed,
    }  # fmt: skip
    return Application(**given)


@pytest.fixture(scope="module")
def structure(holders):
    """A finished seal's bytes for an id."""
    maker, seal = holders.Holder("示例制章单位"), holders.Holder("示例印章")

    def make(seal_id="bureau", name="示例市行政审批局"):
        content = SealContent(seal_id, 1, name, (seal.certificate,), NOW, NOW, NOW + DAY, b"\x89PNG", 42, 42)
        return make_seal(content, maker=maker.certificate, algorithm_oid="1.2.840.10045.4.3.2", sign=maker.sign)

    return make


def activated(register, structure, seal_id="bureau", **changed):
    register.apply(application(seal_id, **changed), FIRST, BASIS)
    register.change(seal_id, "approve", SECOND)
    register.make(seal_id, structure(seal_id), FIRST)
    register.change(seal_id, "file", FIRST, Why("", "备案 2026-0001"))
    return register.change(seal_id, "activate", FIRST)


def request(number, **changed):
    return UseRequest(f"case-{number}", "批复", f"{number:064x}", "reviewer-1", **changed)


def test_a_seal_from_application_to_cancellation_with_every_step_logged(register, structure):
    activated(register, structure)
    register.change("bureau", "suspend", FIRST, Why("怀疑失控"))
    register.change("bureau", "resume", SECOND, Why("已查明"))
    row = register.change("bureau", "cancel", FIRST, BASIS)
    assert row.state == State.CANCELLED
    with register.database.read() as session:
        history = register.history(session, "bureau")
        entries = entries_about(session, "seal:bureau")
        session.expunge_all()
    moves = ["apply", "approve", "make", "file", "activate", "suspend", "resume", "cancel"]
    assert [change.move for change in history] == moves
    assert [entry.kind for entry in entries] == [f"seal.{move}" for move in moves]
    assert (history[1].actor, history[1].actor_certificate) == ("seal-admin-2", "bb" * 32)
    assert history[-1].legal_basis == "示例政发〔2026〕1号"


def test_a_refused_move_is_logged_and_changes_nothing(register):
    register.apply(application(), FIRST, BASIS)
    with pytest.raises(SealMoveNotAllowed):
        register.change("bureau", "approve", FIRST)
    with register.database.read() as session:
        last = entries_about(session, "seal:bureau")[-1]
        assert (last.result, last.reason, last.actor) == ("refused", "seal_move_not_allowed", "seal-admin-1")
        assert register.find(session, "bureau").state == State.REQUESTED


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"holders": ()}, SealApplicationRefused),
        ({"owner_code": "11990000MB9900013X"}, CodeInvalid),
        ({"valid_until": NOW - 2 * DAY}, SealApplicationRefused),
        ({"id": "../x"}, SealApplicationRefused),
        ({"kind": Kind.SIMULATION}, SealApplicationRefused),
        ({"design": SealDesign("示例市模拟审批")}, SealApplicationRefused),
        ({"design": SealDesign("")}, SealDesignUnusable),
        ({"replaces": "nothing"}, SealUnknown),
    ],
)
def test_applications_that_cannot_stand_are_refused(register, changed, refusal):
    with pytest.raises(refusal):
        register.apply(application(**changed), FIRST)


def test_an_id_is_taken_once(register):
    register.apply(application(), FIRST)
    with pytest.raises(SealApplicationRefused, match="taken"):
        register.apply(application(), FIRST)


def test_only_its_own_structure_makes_a_seal(register, structure):
    register.apply(application(), FIRST)
    register.change("bureau", "approve", SECOND)
    for wrong in (structure("other"), structure(name="示例市另一机构"), b"junk"):
        with pytest.raises(SealUnreadable):
            register.make("bureau", wrong, FIRST)
    row = register.make("bureau", structure(), FIRST)
    assert row.certificate


def test_anyone_may_ask_for_a_seals_status_at_a_time(register, structure):
    activated(register, structure)
    register.clock.instant = NOW + 2 * DAY
    register.change("bureau", "suspend", FIRST, Why("怀疑失控"))
    with register.database.read() as session:
        asked = [register.status(session, "bureau", NOW + days * DAY).state for days in (-1, 1, 3)]
        assert asked == [State.UNKNOWN, State.ACTIVE, State.SUSPENDED]
        assert register.status(session, "nothing", NOW).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("limit", "refusal"), [({"per_day": 10}, DailyLimitReached), ({"total": 10}, TotalLimitReached)]
)
def test_fifty_parallel_requests_against_a_limit_of_ten(register, structure, limit, refusal):
    activated(register, structure, conditions=Conditions(**limit))
    book, barrier = UseBook(register), threading.Barrier(50)

    def ask(number):
        barrier.wait()
        try:
            book.reserve("bureau", request(number), CLERK)
        except refusal:
            return 0
        return 1

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(ask, range(50))) == 10
    assert len(book.uses("bureau")) == 10


def test_a_use_goes_from_reserved_to_released_and_is_logged(register, structure):
    activated(register, structure)
    book = UseBook(register)
    number = book.reserve("bureau", request(1, authorisation="c" * 32), CLERK)
    book.signed(number, CLERK)
    with pytest.raises(UseStepNotAllowed):
        book.void(number, "想撤", CLERK)
    book.release(number, CLERK)
    with pytest.raises(UseStepNotAllowed):
        book.release(number, CLERK)
    with register.database.read() as session:
        kinds = [entry.kind for entry in entries_about(session, "seal:bureau")][-3:]
    assert kinds == ["seal.use.reserved", "seal.use.signed", "seal.use.released"]


def test_one_reference_is_used_once(register, structure):
    activated(register, structure)
    book = UseBook(register)
    book.reserve("bureau", request(1), CLERK)
    with pytest.raises(UseAlreadyRequested):
        book.reserve("bureau", request(1), CLERK)


def test_a_voided_use_gives_its_count_back(register, structure):
    activated(register, structure, conditions=Conditions(total=1))
    book = UseBook(register)
    number = book.reserve("bureau", request(1), CLERK)
    with pytest.raises(ConditionNotMet):
        book.reserve("bureau", request(2), CLERK)
    book.void(number, "密码设备故障", CLERK)
    book.reserve("bureau", request(2), CLERK)


def test_the_daily_count_is_of_the_local_day(register, structure):
    activated(register, structure, conditions=Conditions(per_day=1))
    book = UseBook(register)
    register.clock.instant = datetime(2026, 11, 24, 15, 59, tzinfo=UTC)  # 23:59 in the city
    book.reserve("bureau", request(1), CLERK)
    with pytest.raises(DailyLimitReached):
        book.reserve("bureau", request(2), CLERK)
    register.clock.instant += timedelta(minutes=1)
    book.reserve("bureau", request(2), CLERK)


@pytest.mark.parametrize("steps", [0, 1])
def test_after_a_suspension_nothing_leaves(register, structure, steps):
    """Suspended between reservation and signing, or between signing and release."""
    activated(register, structure)
    book = UseBook(register)
    number = book.reserve("bureau", request(1), CLERK)
    if steps:
        book.signed(number, CLERK)
    register.change("bureau", "suspend", FIRST, Why("怀疑失控"))
    with pytest.raises(SealNotUsable):
        (book.release if steps else book.signed)(number, CLERK)
    assert book.uses("bureau")[0].state == UseState.QUARANTINED
    register.change("bureau", "resume", SECOND, Why("已查明"))
    with pytest.raises(UseStepNotAllowed):
        book.release(number, CLERK)
    assert [use.id for use in book.open_uses(NOW + DAY)] == [number]
    book.void(number, "停用期间作废", SECOND)
    assert book.open_uses(NOW + DAY) == []


@pytest.mark.parametrize("state", ["requested", "suspended", "expired", "future"])
def test_only_an_active_seal_seals(register, structure, state):
    book = UseBook(register)
    if state == "requested":
        register.apply(application(), FIRST)
    else:
        begin = NOW + DAY if state == "future" else NOW - DAY
        activated(register, structure, valid_from=begin)
    if state == "suspended":
        register.change("bureau", "suspend", FIRST, Why("停用"))
    if state == "expired":
        register.clock.instant += 400 * DAY
    with pytest.raises(SealNotUsable):
        book.reserve("bureau", request(1), CLERK)
    assert book.uses("bureau") == []
    with register.database.read() as session:
        assert entries_about(session, "seal:bureau")[-1].reason == "seal_not_usable"
