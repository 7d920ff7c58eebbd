"""The ledger on SQLite and PostgreSQL: quotas under parallel requests, crashes between steps, traces."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from signing_service.kernel.audit_log import entries_about
from signing_service.kernel.database import Database
from signing_service.printing.errors import (
    CopyMoveNotAllowed,
    CopyNotFound,
    QuotaUnset,
    QuotaUsedUp,
    ShortCodeUnknown,
    VoidReasonMissing,
)
from signing_service.printing.issued_codes import count_sighting, find_payload, remember_code
from signing_service.printing.ledger import PrintLedger
from signing_service.printing.ledger_rules import RESERVED_FOR

from .conftest import NOW, CodeMaker

DOCUMENT = "1.2.156.3005.2.X"


@dataclass
class SteppedClock:
    instant: datetime = NOW

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def ledger(database: Database, clock: SteppedClock) -> PrintLedger:
    made = PrintLedger(database, clock)
    made.allow(DOCUMENT, 5, "officer")
    return made


def test_fifty_at_once(ledger: PrintLedger):
    def ask(number: int) -> object:
        try:
            return ledger.reserve(DOCUMENT, f"applicant-{number}").number
        except QuotaUsedUp:
            return "used up"

    with ThreadPoolExecutor(50) as pool:
        got = Counter(pool.map(ask, range(50)))
    assert got == Counter({1: 1, 2: 1, 3: 1, 4: 1, 5: 1, "used up": 45})


def test_printed_copies_stay_counted(ledger: PrintLedger, clock: SteppedClock):
    copy = ledger.reserve(DOCUMENT, "applicant", purpose="投标")
    ledger.rendered(copy.serial, "applicant", "ab" * 32)
    ledger.confirm(copy.serial, "applicant", printer_job="ipp://printer/1")
    clock.instant += timedelta(days=30)
    assert ledger.expire_pending() == 0
    assert ledger.left(DOCUMENT) == 4
    (kept,) = ledger.copies_of(DOCUMENT)
    assert (kept.state, kept.purpose, kept.printer_job) == ("confirmed", "投标", "ipp://printer/1")


@pytest.mark.parametrize("steps", [0, 1])
def test_crash_between_steps_returns_the_share(ledger: PrintLedger, clock: SteppedClock, steps: int):
    copy = ledger.reserve(DOCUMENT, "applicant")
    if steps:
        ledger.rendered(copy.serial, "applicant", "ab" * 32)
    clock.instant += RESERVED_FOR
    assert ledger.left(DOCUMENT) == 5
    again = ledger.reserve(DOCUMENT, "applicant")
    assert (again.number, again.serial == copy.serial) == (1, False)
    with pytest.raises(CopyMoveNotAllowed):
        ledger.confirm(copy.serial, "applicant")


def test_expired_copy_cannot_be_confirmed_before_it_is_swept(ledger: PrintLedger, clock: SteppedClock):
    copy = ledger.reserve(DOCUMENT, "applicant")
    ledger.rendered(copy.serial, "applicant", "ab" * 32)
    clock.instant += RESERVED_FOR
    with pytest.raises(CopyMoveNotAllowed):
        ledger.confirm(copy.serial, "applicant")
    assert ledger.expire_pending() == 1


def test_jam_leaves_a_trace(ledger: PrintLedger):
    copy = ledger.reserve(DOCUMENT, "applicant")
    ledger.rendered(copy.serial, "applicant", "ab" * 32)
    with pytest.raises(VoidReasonMissing):
        ledger.void(copy.serial, "applicant", " ")
    ledger.void(copy.serial, "applicant", "卡纸")
    assert ledger.left(DOCUMENT) == 5
    assert [(one.state, one.void_reason) for one in ledger.copies_of(DOCUMENT)] == [("voided", "卡纸")]
    with ledger.database.read() as session:
        kinds = [entry.kind for entry in entries_about(session, f"print:{copy.serial}")]
    assert kinds == ["print.reserve", "print.render", "print.void"]
    with pytest.raises(CopyMoveNotAllowed):
        ledger.void(copy.serial, "applicant", "再次")


def test_order_of_steps(ledger: PrintLedger):
    copy = ledger.reserve(DOCUMENT, "applicant")
    with pytest.raises(CopyMoveNotAllowed):
        ledger.confirm(copy.serial, "applicant")
    with pytest.raises(CopyNotFound):
        ledger.confirm("nothing", "applicant")
    with pytest.raises(QuotaUnset):
        ledger.reserve("other", "applicant")


def test_lower_quota_stops_further_copies(ledger: PrintLedger):
    for _ in range(3):
        ledger.reserve(DOCUMENT, "applicant")
    ledger.allow(DOCUMENT, 2, "officer")
    assert ledger.left(DOCUMENT) == 0
    with pytest.raises(QuotaUsedUp):
        ledger.reserve(DOCUMENT, "applicant")


def test_sightings_are_counted_and_take_no_quota(ledger: PrintLedger, maker: CodeMaker):
    code = maker.code()
    with ledger.database.write() as session:
        remember_code(session, code)
        remember_code(session, code)
    for times in range(3):
        with ledger.database.write() as session:
            before = count_sighting(session, code.short_code, NOW)
        assert before.times == times
    assert before.last == NOW
    assert ledger.left(DOCUMENT) == 5


def test_short_code_look_up(ledger: PrintLedger, maker: CodeMaker):
    code, other = maker.code(), maker.code()
    with ledger.database.write() as session:
        remember_code(session, code)
    with ledger.database.read() as session:
        assert find_payload(session, code.short_code.lower()) == code.payload
        with pytest.raises(ShortCodeUnknown):
            find_payload(session, other.short_code)
