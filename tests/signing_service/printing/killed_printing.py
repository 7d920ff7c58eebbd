"""A printing process that is killed (SIGKILL): run as a program with a database, a document and the step it dies after.

Dying "inside" a step is dying while its transaction is open: its rows are written and not committed.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from sqlalchemy import event

from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.printing.errors import QuotaUsedUp
from signing_service.printing.ledger import PrintLedger

BY = "applicant"


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nothing outlives SIGKILL")


def main(address: str, document: str, step: str) -> None:
    """Prints the serial of the copy once it is committed. `step`: one of test_ledger_killed.STEPS."""
    database = Database(address)
    ledger = PrintLedger(database, SystemClock())
    when, fatal = step.split()

    def reached(move: str, at: str) -> None:
        if (at, move) == (when, fatal):
            event.listen(database.engine, "commit", die) if at == "inside" else die()

    with suppress(QuotaUsedUp):
        reached("reserve", "inside")
        serial = ledger.reserve(document, BY).serial
        print(serial, flush=True)
        reached("reserve", "after")
        reached("render", "inside")
        ledger.rendered(serial, BY, "ab" * 32)
        reached("render", "after")
        reached("confirm", "inside")
        ledger.confirm(serial, BY, printer_job="ipp://printer.example/jobs/1")
        reached("confirm", "after")


if __name__ == "__main__":
    main(*sys.argv[1:])
