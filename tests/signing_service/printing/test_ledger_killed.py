"""Processes killed (SIGKILL) between reserve, render and confirm: the quota holds, and each copy is resolved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from signing_service.kernel.audit_log import entries_about
from signing_service.kernel.database import Database
from signing_service.printing.errors import CopyMoveNotAllowed
from signing_service.printing.ledger import PrintLedger
from signing_service.printing.ledger_rules import RESERVED_FOR

DOCUMENT = "1.2.156.3005.2.X"
QUOTA = 5
STEPS = {
    "inside reserve": None,
    "after reserve": "reserved",
    "inside render": "reserved",
    "after render": "rendered",
    "inside confirm": "rendered",
    "after confirm": "confirmed",
}
"""Where the process dies, and how its copy is found then; None: there is no copy."""


@dataclass
class LaterClock:
    """The machine's clock, put forward by `by`."""

    by: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@pytest.fixture
def clock() -> LaterClock:
    return LaterClock()


@pytest.fixture
def ledger(database: Database, clock: LaterClock) -> PrintLedger:
    made = PrintLedger(database, clock)
    made.allow(DOCUMENT, QUOTA, "officer")
    return made


def started(address: str, step: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.signing_service.printing.killed_printing", address, DOCUMENT, step]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def states(ledger: PrintLedger) -> list[str]:
    return [str(copy.state) for copy in ledger.copies_of(DOCUMENT)]


def acts(ledger: PrintLedger, serial: str) -> list[str]:
    with ledger.database.read() as session:
        return [entry.kind.removeprefix("print.") for entry in entries_about(session, f"print:{serial}")]


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_process_leaves_a_whole_step_and_its_copy_is_resolved(
    ledger: PrintLedger, clock: LaterClock, database_url: str, step: str
):
    child = started(database_url, step)
    serial = child.communicate()[0].strip()
    assert child.returncode == -signal.SIGKILL
    found = STEPS[step]
    assert states(ledger) == ([] if found is None else [found])
    assert ledger.left(DOCUMENT) == QUOTA - len(states(ledger))  # what is pending still counts
    clock.by = RESERVED_FOR
    assert ledger.expire_pending() == (found in ("reserved", "rendered"))
    assert ledger.left(DOCUMENT) == QUOTA - (found == "confirmed")
    if found in ("reserved", "rendered"):
        assert states(ledger) == ["expired"]
        made = ["reserve"] if found == "reserved" else ["reserve", "render"]
        assert acts(ledger, serial) == [*made, "expire"]
        with pytest.raises(CopyMoveNotAllowed):  # the printing process cannot come back to it
            ledger.confirm(serial, "applicant")


def test_twelve_at_once_killed_at_every_step_never_exceed_the_quota(
    ledger: PrintLedger, clock: LaterClock, database_url: str
):
    children = [started(database_url, step) for step in [*STEPS, *STEPS]]
    serials = {serial for child in children if (serial := child.communicate()[0].strip())}
    assert {child.returncode for child in children} <= {0, -signal.SIGKILL}  # 0: the quota was used up
    copies = ledger.copies_of(DOCUMENT)
    assert {copy.serial for copy in copies} == serials
    assert len({copy.live for copy in copies}) == len(copies) == QUOTA  # ten wanted one of five
    clock.by = RESERVED_FOR
    ledger.expire_pending()
    assert set(states(ledger)) <= {"confirmed", "expired"}
    assert ledger.left(DOCUMENT) == QUOTA - states(ledger).count("confirmed")
