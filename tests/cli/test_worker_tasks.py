"""The worker's tasks on a home: what a crash left open is ended without anybody asking."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from cli.opened_home import open_home
from cli.stage import open_stage
from cli.verification_reports import PREFIX, report_book
from cli.worker import REPORTS, make_worker
from signing_service.kernel.audit_log import AuditLog
from signing_service.settings import Settings
from signing_service.verification.engine import verify
from signing_service.verification.issued_reports import Asker, ReportBook, ReportState
from signing_service.verification.policy import Policy


class AnHourAgo:
    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now - timedelta(hours=1)


def test_a_report_that_was_never_finished_becomes_void(home: Settings) -> None:
    stage = open_stage(open_home(home.home))
    now = stage.clock.now()
    earlier = ReportBook(stage.database, AnHourAgo(now), AuditLog(), PREFIX)
    left = earlier.draw(verify(b"", Policy({}, now)), Asker("示例市人民法院", "案件核实", "process:test"))
    worker = make_worker(open_home(home.home), "http://127.0.0.1:1")
    worker.start()
    try:
        worker.jobs.wake(REPORTS, left.number)
        deadline = time.monotonic() + 120
        while states(stage)[left.number] == ReportState.OPEN and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        worker.close()
    assert states(stage)[left.number] == ReportState.VOID
    stage.close()


def states(stage) -> dict[str, str]:
    return {row.number: row.state for row in report_book(stage).all()}
