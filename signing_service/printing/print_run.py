"""A copy goes to a printer, and the ledger follows the job: confirmed when it came out, void when it did not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from signing_service.printing.errors import PrinterFailure
from signing_service.printing.ipp import IppPrinter, Job
from signing_service.printing.ledger import PrintLedger, ReservedCopy


def print_reserved(
    ledger: PrintLedger,
    copy: ReservedCopy,
    content: bytes,
    printer: IppPrinter,
    by: str,
    *,
    wait: Callable[[float], None],
) -> Job:
    """Print a reserved copy's PDF. A crash on the way leaves the reservation to expire.

    Raises PrinterFailure after voiding the copy, and CopyMoveNotAllowed when the reservation has expired meanwhile.
    """
    ledger.rendered(copy.serial, by, hashlib.sha256(content).hexdigest())
    try:
        job = printer.print_pdf(content, title=f"打印件 {copy.serial}", user="zhengyin")
        job = printer.follow(job, wait, user="zhengyin")
    except PrinterFailure as failure:
        ledger.void(copy.serial, by, f"打印失败:{failure.code}")
        raise
    ledger.confirm(copy.serial, by, printer_job=job.name)
    return job
