"""Casework on a home's own stores, with the operator's calendar (HOME/calendar.yaml) where there is one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from cli.home_blobs import home_blobs
from signing_service.approvals.applicants import PersonalNumbers
from signing_service.approvals.casework import Casework
from signing_service.approvals.matter_catalogue import MatterCatalogue
from signing_service.approvals.working_days import WorkingDays
from signing_service.custody.ports import CustodyPort
from signing_service.kernel.clock import SystemClock
from signing_service.kernel.database import Database
from signing_service.settings import Settings

CALENDAR = "calendar.yaml"


class HomeNumbers:
    """Applicants' numbers and addresses under the home's data keys. Custody is reached at the first use, since most
    commands never need it. `_lock` guards `_vault`."""

    def __init__(self, settings: Settings, custody: Callable[[], CustodyPort]) -> None:
        self._settings, self._custody = settings, custody
        self._lock = Lock()
        self._vault: PersonalNumbers | None = None

    def seal(self, code: str, bound_to: str) -> bytes:
        return self._opened().seal(code, bound_to)

    def open(self, sealed: bytes, bound_to: str) -> str:
        return self._opened().open(sealed, bound_to)

    def _opened(self) -> PersonalNumbers:
        from cli.data_keys import HomeVault

        with self._lock:
            if self._vault is None:
                self._vault = HomeVault(self._settings, self._custody())
            return self._vault


def home_casework(settings: Settings, database: Database, custody: Callable[[], CustodyPort] | None = None) -> Casework:
    """The shipped matters, the home's blobs, its data keys and the machine's clock. Opens nothing but the calendar."""
    from cli.opened_home import open_custody

    calendar = settings.home / CALENDAR
    days = WorkingDays.read(calendar) if calendar.exists() else WorkingDays()
    numbers = HomeNumbers(settings, custody or (lambda: open_custody(settings)))
    matters = MatterCatalogue.read()
    return Casework(database, home_blobs(settings), SystemClock(), matters, days, numbers)
