"""Printing over IPP to a real virtual printer; the ledger follows the job."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from signing_service.kernel.database import Base, Database
from signing_service.kernel.outbound import Outbound, OutboundPolicy
from signing_service.printing.errors import PrinterRefused, PrinterUnreachable, PrintJobAborted
from signing_service.printing.ipp import IppPrinter, Job, JobState
from signing_service.printing.ledger import PrintLedger
from signing_service.printing.print_run import print_reserved

from .conftest import NOW, sheet
from .printer import PrinterUnavailable, VirtualPrinter

DOCUMENT = "1.2.156.3005.2.X"


@dataclass
class StandingClock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualPrinter]:
    printer = VirtualPrinter(tmp_path_factory.mktemp("ipp"))
    try:
        printer.start()
    except PrinterUnavailable as missing:
        pytest.skip(f"no virtual printer: {missing}")
    yield printer
    printer.stop()


@pytest.fixture
def printer(virtual: VirtualPrinter) -> IppPrinter:
    virtual.mend()
    return IppPrinter(virtual.address, Outbound(OutboundPolicy(frozenset({"localhost"}))))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PrintLedger]:
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    Base.metadata.create_all(database.engine)
    made = PrintLedger(database, StandingClock())
    made.allow(DOCUMENT, 2, "officer")
    yield made
    database.close()


def soon(_seconds: float) -> None:
    """Asks again at once: the printer under test needs no patience."""
    time.sleep(0.01)


def test_printed_and_confirmed(virtual: VirtualPrinter, printer: IppPrinter, ledger: PrintLedger):
    content = sheet(210, 297, lines=3)
    copy = ledger.reserve(DOCUMENT, "window", channel="window")
    job = print_reserved(ledger, copy, content, printer, "window", wait=soon)
    assert job.state is JobState.COMPLETED
    assert virtual.printed == content
    (kept,) = ledger.copies_of(DOCUMENT)
    assert (kept.state, kept.printer_job) == ("confirmed", job.name)
    assert kept.digest == hashlib.sha256(content).hexdigest()


def test_aborted_job_voids_the_copy(virtual: VirtualPrinter, printer: IppPrinter, ledger: PrintLedger):
    virtual.fail()
    copy = ledger.reserve(DOCUMENT, "window")
    with pytest.raises(PrintJobAborted):
        print_reserved(ledger, copy, sheet(210, 297, lines=3), printer, "window", wait=soon)
    assert ledger.left(DOCUMENT) == 2
    assert [one.void_reason for one in ledger.copies_of(DOCUMENT)] == ["打印失败:print_job_aborted"]


def test_unknown_job(printer: IppPrinter):
    with pytest.raises(PrinterRefused):
        printer.look(Job(printer.address, 999_999, JobState.PENDING), user="x")


def test_wrong_path_is_refused(virtual: VirtualPrinter, printer: IppPrinter):
    elsewhere = IppPrinter(f"ipp://localhost:{virtual.port}/nowhere", printer.outbound)
    with pytest.raises(PrinterRefused):
        elsewhere.print_pdf(b"%PDF-1.7", title="x", user="x")


def test_unreachable_printer_voids_the_copy(ledger: PrintLedger):
    nobody = IppPrinter("ipp://localhost:9/ipp/print", Outbound(OutboundPolicy(frozenset({"localhost"}))))
    with pytest.raises(PrinterUnreachable):
        print_reserved(ledger, ledger.reserve(DOCUMENT, "window"), b"%PDF", nobody, "window", wait=soon)
    assert ledger.left(DOCUMENT) == 2


def test_printer_has_to_be_allowed():
    """An address inside the network is contacted only when an operator listed it."""
    printer = IppPrinter("ipp://localhost:631/ipp/print", Outbound(OutboundPolicy()))
    with pytest.raises(PrinterUnreachable, match="allowed list"):
        printer.print_pdf(b"%PDF", title="x", user="x")
