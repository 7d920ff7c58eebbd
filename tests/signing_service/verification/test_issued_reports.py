"""The book of verification reports: numbers without gaps, void entries, fetching by number and code."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sealed_files import SIGNED

from signing_service.kernel.audit_log import AuditLog, entries_about
from signing_service.kernel.database import Base, Database
from signing_service.verification.engine import verify
from signing_service.verification.issued_reports import (
    LEFT_OPEN,
    Asker,
    ReportBook,
    ReportInterrupted,
    ReportState,
    ReportUnknown,
)
from signing_service.verification.written_report import typeset_report, written_report

ASKER = Asker("示例市人民法院", "案件核实", "process:test")


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path, clock):
    database = Database(f"sqlite:///{tmp_path}/a.db")
    Base.metadata.create_all(database.engine)
    yield ReportBook(database, clock, AuditLog(), "示核验")
    database.close()


@pytest.fixture(scope="module")
def judged(sealed, policy):
    return verify(sealed, policy, file_name="许可.pdf")


def test_numbers_have_no_gaps_under_many_writers(book, judged):
    drawn: list[str] = []

    def draw() -> None:
        drawn.extend(book.draw(judged, ASKER).number for _ in range(5))

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn, key=lambda number: int(number[9:-1])) == [f"示核验〔2026〕{n}号" for n in range(1, 31)]


def test_the_year_turns_where_the_city_is(book, judged, clock):
    assert book.draw(judged, ASKER).number == "示核验〔2026〕1号"
    clock.at += timedelta(minutes=1)  # 2027-01-01 00:00 in Beijing
    assert book.draw(judged, ASKER).number == "示核验〔2027〕1号"


def test_what_could_not_be_sealed_keeps_its_number(book, judged):
    failed, made = book.draw(judged, ASKER), book.draw(judged, ASKER)
    book.void(failed.number, "no_standing_order")
    book.close(made.number, "ab" * 32)
    assert [(row.serial, row.state, row.void_reason) for row in book.all()] == [
        (1, ReportState.VOID, "no_standing_order"),
        (2, ReportState.ISSUED, ""),
    ]
    with pytest.raises(ReportUnknown):
        book.fetch(failed.number, failed.code, "public")


def test_what_a_crash_left_open_is_made_void_once(book, judged, clock):
    """Killed between drawing and closing; a slow one that comes back later hands nothing out."""
    clock.at -= timedelta(days=1)
    left, made = book.draw(judged, ASKER), book.draw(judged, ASKER)
    book.close(made.number, "ab" * 32)
    assert book.recover() == []
    clock.at += LEFT_OPEN + timedelta(seconds=1)
    fresh = book.draw(judged, ASKER)
    assert (book.recover(), book.recover()) == ([left.number], [])
    assert [(row.serial, row.state, row.void_reason) for row in book.all()] == [
        (1, ReportState.VOID, "interrupted"),
        (2, ReportState.ISSUED, ""),
        (3, ReportState.OPEN, ""),
    ]
    with pytest.raises(ReportInterrupted):
        book.close(left.number, "cd" * 32)
    book.void(made.number, "late")
    book.close(fresh.number, "ef" * 32)
    assert [row.state for row in book.all()] == [ReportState.VOID, ReportState.ISSUED, ReportState.ISSUED]
    with book._database.read() as session:
        kept = entries_about(session, f"report:{left.number}")
    assert [entry.result for entry in kept] == ["refused"]


def test_number_and_code_fetch_it_again_and_the_log_knows(book, judged):
    row = book.draw(judged, ASKER)
    with pytest.raises(ReportUnknown):
        book.fetch(row.number, row.code, "public")
    book.close(row.number, "ab" * 32)
    assert book.fetch(f" {row.number} ", f"{row.code[:5].lower()}-{row.code[5:]}", "public") == "ab" * 32
    for number, code in ((row.number, "WRONG"), (row.number, ""), ("示核验〔2026〕9号", row.code)):
        with pytest.raises(ReportUnknown):
            book.fetch(number, code, "public")
    with book._database.read() as session:
        kept = entries_about(session, f"report:{row.number}")
    assert [(entry.kind.rpartition(".")[2], entry.result) for entry in kept] == [
        ("fetched", "refused"),
        ("issued", "allowed"),
        ("fetched", "allowed"),
        ("fetched", "refused"),
        ("fetched", "refused"),
    ]
    assert kept[1].details["judged"] == judged.digest.hex()


def test_its_pages_say_it_in_both_languages(judged, policy, sealed):
    """The words are read back from the typeset PDF."""
    import pypdfium2

    written = written_report(judged, number="示核验〔2026〕7号", requested_by="示例市人民法院", purpose="案件核实")
    pdf = typeset_report(written, issuer="示例市行政审批局", code="ABCDE23456", size=len(sealed))
    assert b"pdfaid" in pdf
    with_text: Any = pypdfium2.PdfDocument(pdf)
    text = "".join(page.get_textpage().get_text_range() for page in with_text).replace("\r\n", "").replace("\u200b", "")
    for told in (
        "示核验〔2026〕7号", "示例市人民法院", "ABCDE23456", "通过", "The seal is genuine", "示例市行政审批专用章",
        "What was not checked", judged.signatures[0].certificate_sha256.hex(), "B-T", str(len(sealed)),
    ):  # fmt: skip
        assert told in text, told
    assert judged.signatures[0].signed_at == SIGNED
    assert json.dumps(written)
