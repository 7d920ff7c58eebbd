"""The worker's daily look at certificates that end in 30, 7 or 1 days: each warning once, and on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from signing_service.kernel.audit_log import AuditLog
from signing_service.kernel.clock import Clock, local
from signing_service.kernel.database import Database
from signing_service.kernel.outbox import deliver
from signing_service.pki.expiry import TOPIC, announce_endings, record_warning


def certificate_warnings(database: Database, clock: Clock) -> Callable[..., None]:
    """The task, to be called each minute."""

    def warn() -> None:
        announce_endings(database, clock.now())
        deliver(database, TOPIC, record_warning(database, AuditLog(), clock), clock.now)

    return once_a_day(warn, clock)


def once_a_day(run: Callable[[], None], clock: Clock) -> Callable[..., None]:
    """A task that is called each minute and runs at a local day's first call; after a failure, at the next one."""
    done: set[date] = set()

    def run_if_due(*_rows: object) -> None:
        today = local(clock.now()).date()
        if today not in done:
            run()
            done.clear()
            done.add(today)

    return run_if_due
